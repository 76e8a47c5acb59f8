import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from gans import dcgan, wgan_gp

from keras_genai import from_preset, losses, training
from keras_genai.data import images
from keras_genai.modalities.text import Label
from keras_genai.tasks.gan import GAN
from keras_genai.training import checkpoint

SHAPE, CLASSES, BATCH = (8, 8, 1), 10, 4


def make(kind=dcgan, *given, seed=0, compiled=True, run_eagerly=True, **config):
    keras.utils.set_random_seed(seed)
    model = kind(SHAPE, *given, **{"latent": 4, "width": 2, **config})
    if compiled:  # a step or two take less time than their graph
        model.compile(**optimizers(), run_eagerly=run_eagerly)
    return model


conditional = functools.partial(
    make, dcgan, Label(CLASSES), loss=losses.Hinge(), norm="spectral"
)


def optimizers(rate=1e-2, critic_rate=1e-2, **options):
    return {
        "generator_optimizer": keras.optimizers.Adam(
            rate, 0.5, use_ema=True, ema_momentum=0.5
        ),
        "discriminator_optimizer": keras.optimizers.Adam(critic_rate, 0.5),
        **options,
    }


def batch(seed=0, count=BATCH):
    random = np.random.default_rng(seed)
    return {
        "images": random.random((count, *SHAPE), dtype="float32"),
        "labels": random.integers(0, CLASSES, count).astype("int32"),
    }


def data():
    return tf.data.Dataset.from_tensors(batch()).repeat()


def fit(model, steps=1):
    return model.fit(data(), steps_per_epoch=steps, shuffle=False, verbose=0).history


def values(variables):
    return [variable.numpy() for variable in variables]


def same(one, other):
    return all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("still", ["generator", "discriminator"])
def test_no_update_leaks_into_the_other_network(still):
    model = make(compiled=False)
    rates = {"rate": 0.0} if still == "generator" else {"critic_rate": 0.0}
    model.compile(**optimizers(**rates), run_eagerly=True)
    before = {
        name: values(getattr(model, name).trainable_variables)
        for name in ("generator", "discriminator")
    }
    fit(model, 2)
    for name, old in before.items():
        new = values(getattr(model, name).trainable_variables)
        assert same(old, new) == (name == still)


def test_both_losses_begin_at_their_equilibrium_and_are_logged_by_name():
    logs = fit(make())
    assert set(logs) == {"loss", "discriminator_loss", "generator_loss"}
    np.testing.assert_allclose(logs["discriminator_loss"], 2 * np.log(2), atol=0.02)
    np.testing.assert_allclose(logs["generator_loss"], np.log(2), atol=0.02)


def test_validation_reports_losses_and_changes_no_weight():
    model = conditional(penalty=losses.R1())
    before = values(model.weights)
    logs = model.evaluate(data().take(2), verbose=0, return_dict=True)
    assert set(logs) == {"loss", "discriminator_loss", "generator_loss"}
    assert same(before, values(model.weights))


def test_the_discriminator_takes_as_many_steps_as_asked():
    model = make(wgan_gp, discriminator_steps=3)
    fit(model, 2)
    assert int(model.discriminator_optimizer.iterations) == 6
    assert int(model.generator_optimizer.iterations) == 2


@pytest.mark.slow
def test_wgan_gp_survives_a_constant_critic():
    model = make(wgan_gp)
    for weight in model.discriminator.weights:
        weight.assign(tf.zeros_like(weight))
    logs = fit(model, 2)
    assert logs["discriminator_penalty"][0] == pytest.approx(10, rel=0.01)
    assert all(np.isfinite(weight).all() for weight in values(model.weights))


def state(model):
    found = checkpoint.state_variables(model)
    return {
        key: variable.numpy()
        for key, variable in found.items()
        if not key.startswith("metric")
    }


def assert_same_state(one, other):
    one, other = state(one), state(other)
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    splits = images.digits(BATCH, stand_in=True)
    run = functools.partial(
        training.train, splits=splits, log_every=2, progress=False, say=lambda _: None
    )
    build = functools.partial(conditional, run_eagerly=False)
    whole, first, second = build(), build(), build(seed=1)
    run(whole, folder=tmp_path / "whole", steps=4)
    run(first, folder=tmp_path / "parts", steps=2)
    outcome = run(second, folder=tmp_path / "parts", steps=4)
    assert outcome.resumed_from == 2
    assert_same_state(whole, second)
    keys = outcome.history[-1].keys()
    assert {"val_generator_loss", "generator_optimizer_learning_rate"} <= keys
    # The run ends with averaged weights, which its optimizer still holds.
    (weight, average), *_ = checkpoint.averages(second)
    np.testing.assert_array_equal(weight, average)
    assert len(checkpoint.averages(second)) == len(second.generator.trainable_variables)


@pytest.mark.slow
def test_two_steps_are_one_saved_loaded_and_one_more(tmp_path):
    whole, part = conditional(), conditional()
    fit(whole)
    fit(whole)
    fit(part)
    part.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.compiled
    assert loaded.generator_optimizer.use_ema
    assert_same_state(part, loaded)
    fit(loaded)
    assert_same_state(whole, loaded)


@pytest.mark.slow
def test_a_preset_holds_the_vectors_of_the_power_iteration(tmp_path):
    model = conditional()
    fit(model, 2)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert any("vector" in variable.path for variable in loaded.weights)
    assert same(values(model.weights), values(loaded.weights))
    np.testing.assert_array_equal(model.generate(3, seed=1), loaded.generate(3, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_moves_the_weights_of_both_networks(policy):
    model = conditional(dtype=policy, run_eagerly=policy == "mixed_bfloat16")
    scaled = isinstance(
        model.discriminator_optimizer, keras.optimizers.LossScaleOptimizer
    )
    assert scaled == (policy == "mixed_float16")
    before = values(model.trainable_variables)
    fit(model, 8)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        if "kernel" in variable.path:
            assert np.abs(variable.numpy() - old).max() > 1e-3, variable.path
    assert model.generate(2).dtype == "float32"


@pytest.mark.slow
def test_xla_and_the_plain_graph_agree(monkeypatch):
    # On the same noise: XLA draws other numbers from a seed. And without Adam, whose
    # first step takes the rounding error of a zero gradient for its sign.
    noise = np.random.default_rng(0).normal(size=(BATCH, 4)).astype("float32")
    monkeypatch.setattr(keras.random, "normal", lambda *_, **__: tf.constant(noise))
    plain, compiled = (make(compiled=False) for _ in range(2))
    for model in (plain, compiled):
        sgd = [keras.optimizers.SGD(0.1) for _ in range(2)]
        model.compile(*sgd, jit_compile=model is compiled)
    assert compiled.jit_compile
    expected, found = fit(plain), fit(compiled)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    for pair in zip(plain.weights, compiled.weights, strict=True):
        np.testing.assert_allclose(*pair, atol=1e-6)


def test_pictures_are_a_function_of_the_seed_and_leave_training_as_it_is():
    model = conditional()
    before = values(model.variables)
    pictures = model.generate(6, seed=3)
    assert pictures.shape == (6, *SHAPE)
    assert pictures.dtype == "float32"
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    np.testing.assert_array_equal(pictures, model.generate(6, seed=3))
    assert not np.array_equal(pictures, model.generate(6, seed=4))
    assert same(before, values(model.variables))


def test_new_seeds_and_labels_are_no_reason_to_trace_again():
    model = conditional()
    for seed, labels in ((0, None), (5, 3), (2**60, [9, 0, 1, 1])):
        model.generate(4, labels, seed)
    (function,) = model._compiled_loops.values()
    assert function.experimental_get_tracing_count() == 1


def test_a_conditional_model_draws_all_classes_in_turn_by_default():
    model = conditional(compiled=False)
    for norm in model.generator.norms:  # classes begin alike
        norm.shift.assign(np.random.default_rng(0).normal(size=norm.shift.shape))
    turns = np.arange(12) % CLASSES
    np.testing.assert_array_equal(model.generate(12), model.generate(12, labels=turns))
    assert not np.array_equal(model.generate(12), model.generate(12, labels=1))


def test_averaged_weights_are_used_if_asked_for_and_put_back():
    model = make()
    np.testing.assert_array_equal(model.generate(2), model.generate(2, averaged=True))
    for _ in range(3):
        model.train_on_batch(batch())
    before = values(model.weights)
    averaged = model.generate(2, averaged=True)
    assert same(before, values(model.weights))
    assert not np.array_equal(model.generate(2), averaged)
    for variable, average in checkpoint.averages(model):
        variable.assign(average)
    np.testing.assert_array_equal(model.generate(2), averaged)


@pytest.mark.parametrize(
    "loss", [losses.NonSaturating(), losses.LeastSquares(), losses.Hinge()]
)
def test_discriminate_gives_one_probability_a_picture_in_any_company(loss):
    model = make(loss=loss)
    pictures = batch(count=5)["images"]
    found = model.discriminate(pictures)
    assert found.dtype == "float32"
    assert found.shape == (5,)
    assert found.min() >= 0
    assert found.max() <= 1
    alone = [model.discriminate(each[None])[0] for each in pictures]
    np.testing.assert_allclose(found, alone, rtol=1e-5)


@pytest.mark.slow
def test_the_discriminator_learns_to_tell_what_it_is_shown():
    model = make(compiled=False, penalty=losses.R1(0.01), norm=None)
    model.compile(**optimizers(rate=0.0))
    fit(model, 60)
    real, fake = batch()["images"], model.generate(BATCH)
    assert model.discriminate(real).min() > 0.9
    assert model.discriminate(fake).max() < 0.1


@pytest.mark.parametrize("labels", [10, -1, [1, 2], 1.5, [[1], [2], [3]]])
def test_labels_out_of_range_are_refused(labels):
    model = conditional(compiled=False)
    with pytest.raises(ValueError, match="`labels` must be an int, or 3 ints, from"):
        model.generate(3, labels=labels)
    with pytest.raises(ValueError, match="`labels` must be an int, or 3 ints, from"):
        model.discriminate(batch(count=3)["images"], labels=labels)


def test_labels_and_classes_come_together():
    pictures = batch()["images"]
    with pytest.raises(ValueError, match="`labels` must be `None`"):
        make(compiled=False).generate(3, labels=1)
    with pytest.raises(ValueError, match="`labels` must be given"):
        conditional(compiled=False).discriminate(pictures)
    with pytest.raises(ValueError, match=r"a dict with \['images', 'labels'\]"):
        conditional(compiled=False)({"images": pictures})


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((2, 8, 9), "float32"),
        np.zeros((2, 8, 8, 3), "float32"),
        np.zeros((0, *SHAPE), "float32"),
        np.full((2, *SHAPE), 9),
        np.full((2, *SHAPE), 1.5, "float32"),
        np.full((2, *SHAPE), np.nan, "float32"),
    ],
    ids=["rank", "channels", "none", "integer", "range", "nan"],
)
def test_pictures_of_another_kind_are_refused(pictures):
    with pytest.raises(ValueError, match="`images` must be "):
        make(compiled=False).discriminate(pictures)


def test_a_batch_of_another_shape_is_refused_before_the_first_step():
    wrong = tf.data.Dataset.from_tensors({"images": np.zeros((2, 4, 8, 1), "float32")})
    with pytest.raises(ValueError, match=r"`images` must be .* of shape \(batch, 8"):
        make().fit(wrong, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=r"a dict with \['images'\], or images"):
        make(compiled=False)({"pictures": np.zeros((2, *SHAPE), "float32")})


def test_one_optimizer_cannot_serve_both():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="must be two objects"):
        make(compiled=False).compile(adam, adam)


def test_a_model_comes_back_from_its_config():
    model = conditional(penalty=losses.R1(3.0, 4))
    again = GAN.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    paths = [[variable.path for variable in each.weights] for each in (model, again)]
    assert paths[0] == paths[1]
