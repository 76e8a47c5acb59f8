"""VQ-VAE: pictures become codes and come back; training resumes to the bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flat import flat

from keras_genai import from_preset
from keras_genai.data import images
from keras_genai.modalities.image import Image
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def digits():
    return images.digits(16, stand_in=True)


def make(run_eagerly=False, **changes):
    keras.utils.set_random_seed(0)
    kwargs = dict(num_codes=16, latent_size=4, filters=(8, 8)) | changes
    model = flat(VQVAE, QuantizedAutoencoder, Image(SHAPE), **kwargs)
    model.compile(
        keras.optimizers.Adam(1e-2), jit_compile=False, run_eagerly=run_eagerly
    )
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, dataset, steps):
    return model.fit(dataset, steps_per_epoch=steps, verbose=0, shuffle=False).history


def test_pictures_become_codes_and_come_back(digits):
    model, pictures = make(), digits.test["images"]
    codes = model.tokenize(pictures)
    assert codes.dtype == np.int32
    assert codes.shape == (len(pictures), 2, 2)
    outputs = model({"images": pictures / np.float32(255)})
    np.testing.assert_array_equal(outputs["codes"], codes)
    expected = np.clip(outputs["reconstruction"], 0, 1)
    np.testing.assert_allclose(model.reconstruct(pictures), expected, atol=1e-6)


@pytest.mark.slow
def test_it_learns_one_batch_by_heart(digits):
    batch = next(iter(digits.train.dataset()))
    variance = float(np.var(batch["images"]))
    model = make(num_codes=64, latent_size=8, filters=(32, 32), data_variance=variance)
    data = tf.data.Dataset.from_tensors(batch)
    first = model.evaluate(data, verbose=0, return_dict=True)
    fit(model, data.repeat(), 600)
    figures = model.evaluate(data, verbose=0, return_dict=True)
    assert figures["reconstruction"] < 0.05 < 1.0 < first["reconstruction"]
    assert figures["perplexity"] > 20
    error = np.square(model.reconstruct(batch["images"]) - batch["images"]).mean()
    assert error / variance <= figures["reconstruction"] + 1e-6


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
    # The codebook, its averages and the draws of restarts are all in the file.
    np.testing.assert_array_equal(rest.quantizer.sums, whole.quantizer.sums)
    assert fit(whole, digits.train.dataset(1), 1) == fit(
        rest, digits.train.dataset(1), 1
    )
    for new, old in zip(rest.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_the_codebook_is_float32_in_half_precision(dtype, digits):
    model = make(dtype=dtype)
    history = fit(model, digits.train.dataset(), 3)
    assert np.isfinite(history["loss"]).all()
    codebook = model.quantizer.codebook.numpy()
    assert codebook.dtype == np.float32
    rounded = tf.cast(tf.cast(codebook, model.compute_dtype), tf.float32)
    assert np.abs(codebook - rounded).max() > 0
    assert model.quantizer.decode(np.int32([1])).dtype == tf.float32


def test_a_preset_gives_the_same_codes(digits, tmp_path):
    model = make(run_eagerly=True)  # two steps
    fit(model, digits.train.dataset(), 2)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    pictures = digits.test["images"]
    np.testing.assert_array_equal(loaded.tokenize(pictures), model.tokenize(pictures))


def test_bad_arguments_are_one_clear_line():
    model = make()
    with pytest.raises(ValueError, match=r"`codes` must be ints \(batch, 2, 2\)"):
        model.decode_tokens(np.zeros((1, 4), "int32"))
    with pytest.raises(ValueError, match="`codes` must be from 0 to 15"):
        model.decode_tokens(np.full((1, 2, 2), 16))
    with pytest.raises(ValueError, match="sides divisible by 4"):
        VQVAE(QuantizedAutoencoder(), Image((9, 8, 1)))
    with pytest.raises(ValueError, match="`data_variance` must be above 0"):
        VQVAE(QuantizedAutoencoder(), Image(SHAPE), data_variance=0.0)
