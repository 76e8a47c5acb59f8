"""The diffusion task: losses, pictures, edits, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flat import flat
from keras import ops

from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.layers.convolution import convolution
from keras_genai.modalities.image import Image, Video
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.registry import register
from keras_genai.samplers.diffusion import DDIM, Ancestral, DPMSolver
from keras_genai.schedules import CosineNoise
from keras_genai.tasks.codec import VQVAE
from keras_genai.tasks.denoising import grey_log_prob
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Epsilon, Uniform

SHAPE = (8, 8, 1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(8, *SHAPE)).astype("float32")
LABELS = np.arange(8, dtype="int32") % 3
LABEL, IMAGE = Label(3), Image(SHAPE)
BATCH = {"images": IMAGES, "labels": LABELS}
DEVIATION = 0.15  # of the Gaussian pictures, in [-1, 1]


@register
class SmallNetwork(DenoisingNetwork):
    """Traced in a second: two convolutions and a vector."""

    def make(self):
        policy, channels = self.dtype_policy, self.sample_shape[-1]
        self.make_told(16, 16)
        self.first = convolution(16, "first", policy)
        self.first.build((None, None, None, self.input_channels))
        self.drop = keras.layers.Dropout(0.1, dtype=policy, name="dropout")
        self.last = convolution(channels, "last", policy, zero=True)
        self.last.build((None, None, None, 16))

    def call(self, noisy, time, condition, training=False):
        x = self.first(self.joined(noisy, condition))
        x = x * (1 + self.tell(time, condition).embedding[:, None, None])
        return self.last(ops.silu(self.drop(x)))


def small(given=LABEL, target=IMAGE, **changes):
    keras.utils.set_random_seed(0)
    return flat(Diffusion, SmallNetwork, target, given, **changes)


def stirred(scale=0.2, **changes):
    """A model whose zero-initialised weights are not zero any more."""
    model = small(**changes)
    for variable in model.trainable_variables:
        variable.assign_add(scale * RANDOM.normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return stirred()


@register
class GaussianNetwork(DenoisingNetwork):
    """Knows all about pictures whose pixels are N(0, DEVIATION^2) in [-1, 1]."""

    schedule = CosineNoise()

    def call(self, noisy, time, condition, training=False):
        alpha, sigma = (
            ops.reshape(part, (-1, 1, 1, 1))
            for part in (self.schedule.alpha(time), self.schedule.sigma(time))
        )
        return sigma * noisy / ((alpha * DEVIATION) ** 2 + sigma**2)


@pytest.fixture(scope="module")
def ideal():
    return Diffusion(
        GaussianNetwork(), Image(SHAPE), prediction=Epsilon(), weighting=Uniform()
    )


def gaussian_images(count):
    images = DEVIATION * RANDOM.normal(size=(count, *SHAPE))
    return ((images + 1) / 2).astype("float32")


def test_the_loss_of_the_best_noise_prediction_is_its_closed_form(ideal):
    out = ideal({"images": gaussian_images(4096)}, training=True)
    schedule, time = CosineNoise(), out["time"]
    signal = (schedule.alpha(time) * DEVIATION) ** 2
    expected = ops.convert_to_numpy(signal / (signal + schedule.sigma(time) ** 2))
    error = ops.convert_to_numpy(out["error"])
    for quarter in range(4):
        rows = np.floor(ops.convert_to_numpy(time) * 4) == quarter
        np.testing.assert_allclose(error[rows].mean(), expected[rows].mean(), rtol=0.03)


@pytest.mark.slow
def test_the_bound_of_the_best_model_is_its_closed_form(ideal):
    times = np.arange(1, 1001, dtype="float32") / 1000
    schedule = CosineNoise()
    alpha, sigma = (
        ops.convert_to_numpy(part).astype("float64")
        for part in (schedule.alpha(times), schedule.sigma(times))
    )
    ratio = (alpha / sigma) ** 2
    error = 1 / (1 / DEVIATION**2 + ratio)
    steps = 0.5 * np.sum((ratio[:-1] - ratio[1:]) * error[1:])
    end = 0.5 * ratio[-1] * DEVIATION**2
    greys = sigma[0] / alpha[0] * 127.5
    expected = (steps + end) / np.log(2) + np.log2(greys * np.sqrt(2 * np.pi * np.e))

    bits = ideal.variational_bound(gaussian_images(64), steps=1000)
    np.testing.assert_allclose(bits.mean(), expected, atol=0.1)
    some = ideal.variational_bound(gaussian_images(64), steps=1000, draws=500)
    np.testing.assert_allclose(some.mean(), bits.mean(), atol=0.3)


def test_the_best_model_generates_its_pictures(ideal):
    images = 2 * ideal.generate(64, steps=50) - 1
    np.testing.assert_allclose(images.mean(), 0, atol=0.01)
    np.testing.assert_allclose(images.std(), DEVIATION, rtol=0.1)


def test_greys_are_a_distribution():
    greys = (np.arange(256, dtype="float32") / 127.5 - 1).reshape(-1, 1, 1, 1)
    log_prob = grey_log_prob(greys, 0.2 + 0 * greys, np.float32(0.3))
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-3)


def test_validation_is_the_same_every_time_and_training_is_not(model):
    errors = [np.array(model(BATCH, training=False)["error"]) for _ in range(2)]
    np.testing.assert_array_equal(*errors)
    errors = [np.array(model(BATCH, training=True)["error"]) for _ in range(2)]
    assert np.abs(errors[0] - errors[1]).min() > 0


def test_guidance_1_is_the_label_and_guidance_0_is_no_label(model):
    options = dict(count=3, labels=[0, 1, 2], steps=5, sampler=DDIM())
    unguided = model.generate(**options)
    near = model.generate(**options, guidance=1 + 1e-6)
    np.testing.assert_allclose(near, unguided, atol=1e-4)
    free = model.generate(**options, guidance=0)
    other = model.generate(**{**options, "labels": [2, 2, 2]}, guidance=0)
    np.testing.assert_allclose(free, other, atol=1e-6)
    assert np.abs(free - unguided).max() > 1e-3


def test_numbers_do_not_compile_anew(model):
    before = {}

    def traces():
        functions = vars(model)["_compiled_loops"]
        return {
            key: each.experimental_get_tracing_count()
            for key, each in functions.items()
        }

    model.generate(2, steps=3, guidance=2.0, seed=0)
    before = traces()
    model.generate(2, labels=1, steps=7, guidance=3.5, seed=9)
    assert traces() == before


def test_a_shown_walk_makes_the_same_pictures(model, capsys):
    options = dict(count=2, steps=25, sampler=Ancestral(), seed=3)
    shown = model.generate(**options, progress=True)
    np.testing.assert_array_equal(shown, model.generate(**options, progress=False))
    assert "25/25" in capsys.readouterr().out
    assert np.abs(shown - model.generate(**{**options, "seed": 4})).max() > 0.01


def test_inpainting_leaves_the_rest_as_it_was(model):
    mask = np.zeros((8, 8), bool)
    mask[2:5, 3:] = True
    painted = model.inpaint(IMAGES, mask, steps=4, resample=2)
    np.testing.assert_array_equal(painted[:, ~mask], IMAGES[:, ~mask])
    assert np.abs(painted - IMAGES)[:, mask].max() > 0.01


def test_the_frames_of_a_video_are_channels_and_come_back_as_frames():
    shape = (5, 8, 6, 3)  # no two sizes alike: no axis can be taken for another
    videos = RANDOM.uniform(size=(2, *shape)).astype("float32")
    model = small((), Video(shape))
    seen = ops.convert_to_numpy(model.to_latents(videos))
    assert seen.shape == (2, *model.sample_shape) == (2, 8, 6, 15)
    frame = (seen[..., 3:6] + 1) / 2
    np.testing.assert_allclose(frame, videos[:, 1], atol=1e-6)
    np.testing.assert_allclose(model.to_images(seen), videos, atol=1e-6)
    assert model.generate(2, steps=2).shape == (2, *shape)
    mask = np.zeros(shape[:-1], bool)
    mask[2:4, 1:5] = True
    painted = model.inpaint(videos, mask, steps=2, resample=1)
    np.testing.assert_array_equal(painted[:, ~mask], videos[:, ~mask])
    assert np.abs(painted - videos)[:, mask].max() > 0.01


def test_a_weak_edit_stays_near_the_picture(ideal):
    images = gaussian_images(4)
    near = ideal.edit(images, strength=0.05)
    far = ideal.edit(images, strength=0.9)
    assert np.abs(near - images).mean() < 0.5 * np.abs(far - images).mean()


def test_the_noise_of_a_picture_leads_back_to_it(ideal):
    images = gaussian_images(4)
    noise = ideal.invert(images, steps=50, refinements=8)
    again = ideal.reconstruct(noise, steps=50, sampler=DDIM())
    np.testing.assert_allclose(again, images, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_it_overfits_one_batch_in_every_precision(policy):
    model = small(dtype=policy, prediction=Epsilon(), weighting=Uniform())
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True))
    batches = tf.data.Dataset.from_tensors(BATCH).repeat()
    first = model.evaluate(batches.take(1), verbose=0)[0]
    history = model.fit(batches, steps_per_epoch=60, shuffle=False, verbose=0).history
    last = model.evaluate(batches.take(1), verbose=0)[0]
    assert np.isfinite(history["loss"][0])
    assert 0.9 < first < 1.1  # zero-initialised: the noise itself is the error
    assert last < 0.7


@pytest.mark.slow
def test_two_steps_are_one_step_saved_loaded_and_another(tmp_path):
    def compiled():
        model = small()
        model.compile(keras.optimizers.Adam(1e-3, use_ema=True))
        model.optimizer.build(model.trainable_variables)
        return model

    batch = tf.data.Dataset.from_tensors(BATCH)
    whole, first, second = compiled(), compiled(), compiled()
    for model in (whole, whole, first):
        model.fit(batch, shuffle=False, verbose=0)
    first.save_weights(tmp_path / "one.weights.h5")
    second.load_weights(tmp_path / "one.weights.h5")
    second.fit(batch, shuffle=False, verbose=0)
    for one, other in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_preset_makes_the_same_pictures(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.get_config() == model.get_config()
    options = dict(count=2, steps=2, guidance=2.0)
    np.testing.assert_array_equal(loaded.generate(**options), model.generate(**options))


@pytest.mark.slow
def test_latents_of_a_codec_are_what_is_noised(tmp_path):
    network = QuantizedAutoencoder(num_codes=8, latent_size=4, filters=(4,))
    codec = VQVAE(network, Image(SHAPE))
    model = small(codec=codec)
    assert model.sample_shape == (4, 4, 4)
    before = [variable.numpy() for variable in codec.weights]
    model.compile(keras.optimizers.Adam(1e-2))
    batch = tf.data.Dataset.from_tensors(BATCH)
    model.fit(batch, shuffle=False, verbose=0)
    for variable, value in zip(codec.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    pictures = model.generate(2, steps=2)
    assert pictures.shape == (2, *SHAPE)
    np.testing.assert_array_equal(loaded.generate(2, steps=2), pictures)


@pytest.mark.slow
def test_texts_condition_as_labels_do():
    model = stirred(0.05, given=Text(vocabulary_size=6, length=3))
    tokens = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    out = model({"images": IMAGES[:2], "tokens": tokens}, training=True)
    assert np.isfinite(out["error"]).all()
    options = dict(count=2, steps=2, sampler=DDIM())
    asked = model.generate(**options, prompts=tokens, guidance=2.0)
    other = model.generate(**options, prompts=tokens[::-1].copy(), guidance=2.0)
    assert np.abs(asked - other).max() > 1e-5
    free = model.generate(**options, prompts=tokens, guidance=0.0)
    np.testing.assert_allclose(free, model.generate(**options), atol=1e-5)
    with pytest.raises(ValueError, match=r"with a tokenizer\. Received: no tok"):
        model.generate(**options, prompts="one two")
    with pytest.raises(ValueError, match="`prompts` must be ints from 0 to 5 of shape"):
        model.generate(**options, prompts=tokens + 4)
    with pytest.raises(ValueError, match=r"`prompts` must be one, .* 2\. Received: 3"):
        model.generate(**options, prompts=tokens[[0, 0, 0]])


@pytest.mark.slow
def test_one_prompt_serves_all_pictures_and_its_tokenizer_comes_along(tmp_path):
    words = tokenizers.wordpiece(["one two three"] * 2, 40)
    model = stirred(given=Text(words, length=3))
    options = dict(count=2, steps=2, guidance=2.0)
    asked = model.generate(**options, prompts="two one")
    both = model.generate(**options, prompts=["two one"] * 2)
    np.testing.assert_array_equal(asked, both)
    with pytest.raises(ValueError, match="`prompts` must have at most 3 tokens"):
        model.generate(**options, prompts="one two three one")
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded.generate(**options, prompts="two one"), asked)


def test_a_token_that_means_something_is_no_padding():
    with pytest.raises(ValueError, match="`tokenizer` must have padding for its token"):
        Text(tokenizers.characters("abc"), length=3)
    with pytest.raises(ValueError, match="`given` must be of one size"):
        small(Text(tokenizers.characters("abc")))


def test_labels_texts_and_pictures_go_together():
    kinds = Label(3), Text(vocabulary_size=6, length=3), Image((8, 8, 2), "condition")
    model = stirred(given=kinds)
    assert model.network.vocabulary_size == 6
    batch = {
        **BATCH,
        "tokens": RANDOM.integers(1, 6, (8, 3)),
        "condition": RANDOM.uniform(size=(8, 8, 8, 2)).astype("float32"),
    }
    assert np.isfinite(model(batch, training=True)["error"]).all()
    damaged = batch["condition"][:2]
    options = dict(steps=2, sampler=DDIM(), guidance=2.0)
    made = model.restore(damaged, **options, labels=1, prompts=batch["tokens"][:1])
    for other in (
        model.restore(1 - damaged, **options, labels=1, prompts=batch["tokens"][:1]),
        model.restore(damaged, **options, labels=2, prompts=batch["tokens"][:1]),
        model.restore(damaged, **options, labels=1, prompts=batch["tokens"][1:2]),
        model.restore(damaged, **options, labels=1),
    ):
        assert np.abs(other - made).max() > 1e-4


def test_restoring_reads_the_damaged_picture():
    model = stirred(given=Image((8, 8, 2), "condition"))
    damaged = RANDOM.uniform(size=(3, 8, 8, 2)).astype("float32")
    restored = model.restore(damaged, steps=2, draws=2)
    assert restored.shape == (3, *SHAPE)
    assert np.abs(restored - model.restore(1 - damaged, steps=2, draws=2)).max() > 1e-3
    bits = model.variational_bound(IMAGES[:3], condition=damaged, steps=10)
    assert bits.shape == (3,)
    with pytest.raises(ValueError, match="`condition` must be given"):
        model.variational_bound(IMAGES[:3], steps=10)
    with pytest.raises(ValueError, match="`generate` must be `restore`"):
        model.generate()


def test_what_is_restored_may_leave_the_range_if_it_was_said():
    model = stirred(given=Image(SHAPE, "condition", bounded=False))
    noisy = IMAGES + 0.5
    found = model.restore(noisy, steps=1)
    assert np.abs(found - model.restore(noisy.clip(0, 1), steps=1)).max() > 1e-3
    model.compile("adam")
    model.evaluate({"images": IMAGES, "condition": noisy}, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match=r"`images` must be .*in \[0, 1\]"):
        model.evaluate({"images": noisy, "condition": noisy}, batch_size=8, verbose=0)
    assert (
        Image(**model.given[0].get_config())
        == model.given[0]
        != Image(SHAPE, "condition")
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(count=0), "`count` must be an int >= 1"),
        (dict(steps=0), "`steps` must be an int >= 1"),
        (dict(labels=3), "`labels` must be an int, or 16 ints, from 0 to 2"),
        (dict(labels=[0, 1]), "`labels` must be an int, or 16 ints"),
        (dict(guidance=-1), "`guidance` must be a number >= 0"),
    ],
)
def test_a_wish_out_of_range_is_one_clear_line(model, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        model.generate(**options)
    assert "\n" not in str(caught.value)


def test_what_a_model_lacks_is_one_clear_line(model, ideal):
    with pytest.raises(ValueError, match="`guidance` must be 1 for a model without"):
        ideal.generate(guidance=2.0)
    with pytest.raises(ValueError, match="`labels` must be `None`"):
        ideal.generate(labels=1)
    with pytest.raises(ValueError, match="`guidence` must be `None` for this model"):
        ideal.generate(guidence=2.0)
    with pytest.raises(
        ValueError, match="`restore` must be asked of a model that is given"
    ):
        model.restore(IMAGES)
    with pytest.raises(ValueError, match="`sampler` must look at one level only"):
        model.inpaint(IMAGES, np.ones((8, 8), bool), sampler=DPMSolver())
    with pytest.raises(ValueError, match="`mask` must be bool"):
        model.inpaint(IMAGES, np.ones((8, 8)))
    with pytest.raises(TypeError, match="`sampler` must be an object of"):
        model.generate(sampler="ddim")


def test_a_wrong_batch_is_one_clear_line(model):
    with pytest.raises(ValueError, match="`images` must be"):
        model({"images": IMAGES[..., 0], "labels": LABELS})
    with pytest.raises(ValueError, match="must be a dict with"):
        model({"images": IMAGES})
