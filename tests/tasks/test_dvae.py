"""DVAE: codes are drawn softly while it learns, and are the likeliest ones after."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import from_preset
from keras_genai.data import images
from keras_genai.modalities.image import Image
from keras_genai.networks.dvae import DiscreteAutoencoder
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.dvae import DVAE, CosineAnnealing, uniform_kl
from keras_genai.tasks.prior import SequencePrior

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def digits():
    return images.digits(16, stand_in=True)


def make(run_eagerly=True, **changes):
    keras.utils.set_random_seed(0)
    network = dict(num_codes=16, latent_size=4, filters=(8, 8), residual_blocks=0)
    own = {key: changes.pop(key) for key in [*changes] if key in network}
    network = DiscreteAutoencoder(**{**network, **own})
    model = DVAE(network, Image(SHAPE), **changes)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=run_eagerly)
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, dataset, steps):
    return model.fit(dataset, steps_per_epoch=steps, verbose=0).history


def test_pictures_become_codes_and_come_back(digits):
    model, pictures = make(), digits.test["images"]
    codes = model.tokenize(pictures)
    assert codes.dtype == np.int32
    assert codes.shape == (len(pictures), 2, 2)
    outputs = model({"images": pictures / np.float32(255)})
    np.testing.assert_array_equal(outputs["codes"], codes)
    np.testing.assert_array_equal(ops.argmax(outputs["logits"], axis=-1), codes)
    expected = np.clip(outputs["reconstruction"], 0, 1)
    np.testing.assert_allclose(model.decode_tokens(codes), expected, atol=1e-6)


def test_a_cold_mixture_is_a_single_code():
    network = make().network
    codes = np.int32([[[1, 5], [9, 2]]])
    shares = ops.softmax(1e3 * ops.one_hot(codes, 16), axis=-1)
    np.testing.assert_allclose(
        network.decode(shares), network.decode_codes(codes), atol=1e-6
    )
    mixed = network.decode(ops.full((1, 2, 2, 16), 1 / 16))
    assert np.abs(mixed - network.decode_codes(codes)).max() > 1e-3


def test_the_temperature_falls_along_half_a_cosine_and_stays():
    temperature = CosineAnnealing(1.0, 0.2, 100)
    found = [float(temperature(step)) for step in (0, 50, 100, 1000)]
    np.testing.assert_allclose(found, [1.0, 0.6, 0.2, 0.2], rtol=1e-6)
    model = make(temperature=temperature)
    model.optimizer.iterations.assign(50)
    np.testing.assert_allclose(temperature(model._steps(True)), 0.6, rtol=1e-6)


def test_draws_are_as_soft_as_the_steps_made_so_far_say(digits):
    batch = next(iter(digits.train.dataset(0)))
    seen = {}
    for steps in (0, 100):
        model = make(temperature=CosineAnnealing(5.0, 1e-4, 100))
        model.optimizer.iterations.assign(steps)
        relax = model.network.relax
        drawn = relax(
            model(batch)["logits"],
            temperature=model.temperature(model._steps(True)),
            training=True,
        )
        seen[steps] = float(ops.mean(ops.max(drawn, axis=-1)))
    assert seen[0] < 0.5
    assert seen[100] > 0.999


def test_divergence_from_the_uniform_distribution_has_its_closed_form():
    no = -1e4
    logits = np.float32([[7, 7, 7, 7], [0, 0, no, no], [0, no, no, no]])
    expected = [0.0, np.log(2), np.log(4)]
    np.testing.assert_allclose(uniform_kl(logits), expected, atol=1e-6)


def test_the_loss_is_the_error_and_the_weighted_divergence(digits):
    batch = next(iter(digits.train.dataset(0)))
    model = make(kl_weight=CosineAnnealing(2.0, 0.5, 100), data_variance=0.25)
    outputs = model(batch)
    error = np.square(outputs["reconstruction"] - batch["images"]).mean()
    kl = float(ops.mean(uniform_kl(outputs["logits"])))
    for step, weight in ((0, 2.0), (50, 1.25), (100, 0.5)):
        model.optimizer.iterations.assign(step)
        loss = model.compute_loss(batch, y_pred=outputs)
        np.testing.assert_allclose(loss, 4 * error + weight * kl, rtol=1e-5)
        held_out = model.compute_loss(batch, y_pred=outputs, training=False)
        np.testing.assert_allclose(held_out, 4 * error + 0.5 * kl, rtol=1e-5)
    weight = np.zeros(len(batch["images"]), "float32")
    loss = model.compute_loss(batch, y_pred=outputs, sample_weight=weight)
    np.testing.assert_array_equal(loss, 0.0)


@pytest.mark.parametrize("hard", [False, True])
def test_gradients_reach_the_encoder_through_the_draws(hard, digits):
    network = DiscreteAutoencoder(
        image_shape=SHAPE, num_codes=6, latent_size=4, filters=(4,), hard=hard
    )
    images = next(iter(digits.train.dataset(0)))["images"]
    weight = network.encoder[0].kernel.value
    for training in (True, False):
        with tf.GradientTape() as tape:
            output = network(images, temperature=1.0, training=training)[
                "reconstruction"
            ]
            loss = tf.reduce_sum(tf.square(output))
        slope = tape.gradient(loss, weight)
        moves = slope is not None and bool(np.any(slope))
        assert moves == training  # the likeliest code has no slope


@pytest.mark.slow
def test_it_learns_one_batch_by_heart(digits):
    batch = next(iter(digits.train.dataset(0)))
    model = make(
        run_eagerly=False,
        num_codes=64,
        latent_size=16,
        filters=(32, 32),
        data_variance=float(np.var(batch["images"])),
        temperature=CosineAnnealing(1.0, 0.25, 600),
    )
    data = tf.data.Dataset.from_tensors(batch)
    first = model.evaluate(data, verbose=0, return_dict=True)
    fit(model, data.repeat(), 1_000)
    figures = model.evaluate(data, verbose=0, return_dict=True)
    assert figures["reconstruction"] < 0.1 < 1.0 < first["reconstruction"]
    assert figures["perplexity"] > 15


@pytest.mark.slow
def test_one_step_saved_and_loaded_and_one_more_are_two_steps(digits, tmp_path):
    whole = make()
    fit(whole, digits.train.dataset(0), 1)
    whole.save_weights(tmp_path / "half.weights.h5")
    rest = make()
    rest.load_weights(tmp_path / "half.weights.h5")
    pairs = zip(rest.optimizer.variables, whole.optimizer.variables, strict=True)
    for new, old in pairs:
        new.assign(old)
    assert fit(whole, digits.train.dataset(1), 1) == fit(
        rest, digits.train.dataset(1), 1
    )
    for new, old in zip(rest.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_preset_gives_the_same_codes(digits, tmp_path):
    model = make(temperature=CosineAnnealing(2.0, 0.5, 7))
    fit(model, digits.train.dataset(0), 2)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.temperature == model.temperature
    pictures = digits.test["images"]
    np.testing.assert_array_equal(loaded.tokenize(pictures), model.tokenize(pictures))


def test_a_prior_takes_it_as_it_takes_a_vqvae():
    prior = SequencePrior(GPT(depth=1, width=4, num_heads=1), make())
    assert prior.network.context == 4
    assert prior.network.vocabulary_size == 17
    assert not prior.codec.trainable_variables


def test_bad_arguments_are_one_clear_line():
    with pytest.raises(ValueError, match="`last` must be at least 0"):
        CosineAnnealing(1.0, -1.0)
    with pytest.raises(ValueError, match="`steps` must be an int >= 1"):
        CosineAnnealing(1.0, 0.5, steps=0)
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        make(temperature=CosineAnnealing(1.0, 0.0))
    with pytest.raises(ValueError, match="sides divisible by 4"):
        DVAE(DiscreteAutoencoder(), Image((9, 8, 1)))
    with pytest.raises(TypeError, match="`temperature` must be a CosineAnnealing"):
        make(temperature=1.0)
    with pytest.raises(TypeError, match="`codec` must be"):
        Diffusion(GPT(depth=1, width=4, num_heads=1), Image(SHAPE), codec=make())
