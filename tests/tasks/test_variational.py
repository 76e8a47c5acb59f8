"""VAEs: exact where the answer is known, and they learn, resume and generate."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flat import flat
from marks import slow_but

from keras_genai.data import images
from keras_genai.evaluation.likelihood import (
    binarize,
    evidence_bound,
    importance_bound,
)
from keras_genai.likelihoods import Bernoulli, Gaussian
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.vae import (
    Autoencoder,
    ConvolutionalAutoencoder,
    DenseAutoencoder,
)
from keras_genai.tasks.variational import VAE, EvidenceBound, ImportanceBound

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def digits():
    return images.digits(16, stand_in=True)


def make(given=(), **changes):
    keras.utils.set_random_seed(0)
    settings = dict(hidden=(32,), latent_size=4) | changes
    return flat(VAE, DenseAutoencoder, Image(SHAPE), given, **settings)


class LinearNetwork(Autoencoder):
    """One latent and a linear decoder, with the exact posterior at no shift."""

    jit_generate = False
    weights_ = np.float32([0.3, -0.2])
    scale = 0.1
    latent_size = 1

    shift: float = 0.0

    def encode(self, images, labels=None):
        x = tf.reshape(images, (-1, 2))
        precision = 1 + np.sum(self.weights_**2) / self.scale**2
        mean = x @ self.weights_[:, None] / self.scale**2 / precision
        return mean + self.shift, tf.zeros_like(mean) - np.log(precision)

    def decode(self, latents, labels=None):
        return tf.reshape(latents * self.weights_, (-1, 1, 2, 1))

    def log_likelihood(self, images):
        covariance = np.outer(self.weights_, self.weights_) + self.scale**2 * np.eye(2)
        x = images.reshape(-1, 2).astype(float)
        distance = np.sum(x @ np.linalg.inv(covariance) * x, axis=1)
        log_det = np.linalg.slogdet(2 * np.pi * covariance)[1]
        return np.mean(-0.5 * (distance + log_det))


def linear(shift=0.0):
    """Linear decoder, normal pixels: everything is known exactly."""
    network = LinearNetwork(shift=shift)
    return VAE(network, Image((1, 2, 1)), likelihood=Gaussian(network.scale))


def test_with_the_exact_posterior_every_bound_is_the_likelihood():
    data = np.random.default_rng(0).random((50, 1, 2, 1)).astype("float32")
    model = linear()
    exact = model.network.log_likelihood(data)
    for samples in (1, 7):
        bound = importance_bound(model, data, samples=samples)
        np.testing.assert_allclose(bound.nats, exact, rtol=1e-4)
    np.testing.assert_allclose(
        evidence_bound(model, data, samples=2_000).nats, exact, rtol=0.01
    )
    assert bound.bits_per_dimension == pytest.approx(-bound.nats / np.log(2) / 2)


@pytest.mark.slow
def test_one_sample_is_the_elbo_and_more_come_nearer_to_the_likelihood():
    data = np.full((3_000, 1, 2, 1), 0.2, "float32")
    model = linear(shift=0.3)
    elbo = evidence_bound(model, data).nats
    bounds = [importance_bound(model, data, samples=k).nats for k in (1, 4, 50, 1_000)]
    np.testing.assert_allclose(bounds[0], elbo, atol=0.05)
    assert np.all(np.diff(bounds) > 0.005)
    np.testing.assert_allclose(
        bounds[-1], model.network.log_likelihood(data), atol=0.05
    )


@pytest.mark.slow
def test_a_bound_does_not_depend_on_how_pictures_are_batched():
    data = np.random.default_rng(0).random((33, *SHAPE)).astype("float32")
    model = make()
    whole = importance_bound(model, data, samples=100)  # batches of 20
    rows = [importance_bound(model, data[i : i + 11], samples=900) for i in (0, 11, 22)]
    assert whole.pictures == 33
    np.testing.assert_allclose(whole.nats, np.mean([r.nats for r in rows]), rtol=2e-3)


def test_binarised_pictures_are_fixed_and_as_bright_as_the_grey_ones():
    grey = np.full((200, 8, 8, 1), 64, "uint8")
    binary = binarize(grey, seed=3)
    np.testing.assert_array_equal(binary, binarize(grey, seed=3))
    np.testing.assert_array_equal(np.unique(binary), [0, 1])
    np.testing.assert_allclose(binary.mean(), 64 / 255, atol=0.01)


def terms(samples=1):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return tf.constant(rng.normal(size=shape), "float32")

    return normal(5, samples), normal(5, 3), normal(5, 3), normal(5, samples, 3)


def test_warm_up_raises_the_weight_of_the_divergence_linearly():
    plain, off = EvidenceBound(beta=2.0), EvidenceBound(beta=0.0)
    slow = EvidenceBound(beta=2.0, warm_up=10)
    full = plain(*terms()) - off(*terms())
    for step, share in ((0, 0.1), (4, 0.5), (9, 1.0), (50, 1.0)):
        weighed = slow(*terms(), step=step) - off(*terms())
        np.testing.assert_allclose(weighed, share * full, rtol=1e-5)
    np.testing.assert_allclose(slow(*terms()), plain(*terms()))


def test_free_bits_cost_nothing():
    log_likelihood, _, _, latents = terms()
    nothing = tf.zeros((5, 3))
    loss = EvidenceBound(free_bits=1.5)(log_likelihood, nothing, nothing, latents)
    expected = 3 * 1.5 * np.log(2) - np.mean(log_likelihood)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_the_importance_bound_is_below_the_evidence_bound_s_loss():
    single, many = ImportanceBound(1)(*terms()), ImportanceBound(8)(*terms(8))
    assert np.isfinite(single)
    log_weights = [ImportanceBound(1)(ll, m, v, z) for ll, m, v, z in singles(8)]
    assert many < np.mean(log_weights)


def singles(samples):
    log_likelihood, mean, log_variance, latents = terms(samples)
    for k in range(samples):
        one = slice(k, k + 1)
        yield log_likelihood[:, one], mean, log_variance, latents[:, one]


@pytest.mark.slow
def test_it_learns_one_batch_by_heart(digits):
    model = make(hidden=(64,), latent_size=8)
    model.compile(keras.optimizers.Adam(5e-3), jit_compile=True)
    batch = next(iter(digits.train.dataset()))
    grey = np.clip(batch["images"], 1e-6, 1 - 1e-6)
    entropy = -np.mean(
        np.sum(grey * np.log(grey) + (1 - grey) * np.log(1 - grey), (1, 2))
    )
    history = model.fit(
        tf.data.Dataset.from_tensors(batch).repeat(),
        steps_per_epoch=1_500,
        verbose=0,
        shuffle=False,
    )
    last = model.evaluate(
        tf.data.Dataset.from_tensors(batch), verbose=0, return_dict=True
    )
    assert last["reconstruction"] < entropy + 4.0 < history.history["loss"][0]
    assert last["loss"] == pytest.approx(last["reconstruction"] + last["kl"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_one_step_saved_and_loaded_and_one_more_are_two_steps(kind, digits, tmp_path):
    def compiled():
        objective = EvidenceBound(warm_up=4)
        if kind == "dense":
            model = make(objective=objective)
        else:
            keras.utils.set_random_seed(0)
            network = ConvolutionalAutoencoder(filters=(4, 4))
            model = VAE(network, Image(SHAPE), objective=objective)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(model, start):
        data = digits.train.dataset(start)
        return model.fit(data, steps_per_epoch=1, verbose=0, shuffle=False).history

    whole = compiled()
    fit(whole, 0)
    whole.save_weights(tmp_path / "half.weights.h5")
    rest = compiled()
    rest.load_weights(tmp_path / "half.weights.h5")
    rest.optimizer.iterations.assign(1)
    for new, old in zip(
        rest.optimizer.variables, whole.optimizer.variables, strict=True
    ):
        new.assign(old)
    assert fit(whole, 1) == fit(rest, 1)
    for new, old in zip(rest.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_path_begins_and_ends_at_the_reconstructions(digits):
    model, pictures = make(), digits.test["images"][:2]
    path = model.interpolate(*pictures, steps=4)
    assert path.shape == (4, *SHAPE)
    np.testing.assert_allclose(path[[0, -1]], model.reconstruct(pictures), atol=1e-6)


def test_a_traversal_changes_one_latent_only(digits):
    model, picture = make(), digits.test["images"][0]
    mean, _ = model.posterior(picture[None] / np.float32(255))
    row = model.traverse(picture, 2, values=[float(mean[0, 2]), 3.0])
    np.testing.assert_allclose(row[0], model.reconstruct(picture)[0], atol=1e-6)
    assert np.abs(row[1] - row[0]).max() > 1e-3


def test_pictures_depend_on_the_seed_and_on_the_label_asked_for():
    model = make(Label(10))
    first = model.generate(4, labels=3, seed=1)
    assert first.shape == (4, *SHAPE)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, model.generate(4, labels=[3] * 4, seed=1))
    assert np.abs(first - model.generate(4, labels=4, seed=1)).max() > 1e-3
    assert np.abs(first - model.generate(4, labels=3, seed=2)).max() > 1e-3


@pytest.mark.parametrize(
    "dtype", slow_but(["mixed_float16"], ["mixed_bfloat16", "mixed_float16"])
)
def test_it_trains_in_half_precision_with_float32_losses(dtype, digits):
    model = make(dtype=dtype, objective=ImportanceBound(3), likelihood=Gaussian())
    model.compile(keras.optimizers.Adam(), run_eagerly=True)
    model.fit(digits.train.dataset(), steps_per_epoch=2, verbose=0, shuffle=False)
    outputs = model({"images": digits.test["images"][:2] / np.float32(255)})
    outputs.pop("parameters")  # the likelihood casts them
    assert {value.dtype for value in outputs.values()} == {tf.float32}


def test_bad_arguments_are_one_clear_line(digits):
    model, conditional = make(), make(Label(10))
    pictures = digits.test["images"][:2]
    with pytest.raises(ValueError, match=r"`labels` must be `None`: this model was"):
        model.generate(2, labels=1)
    with pytest.raises(ValueError, match=r"from 0 to 9. Received: labels=10"):
        conditional.generate(2, labels=10)
    with pytest.raises(ValueError, match=r"`labels` must be given"):
        conditional.reconstruct(pictures)
    with pytest.raises(ValueError, match=r"`images` must be \(batch, 8, 8, 1\)"):
        model.reconstruct(pictures[:, :4])
    with pytest.raises(ValueError, match=r"uint8, or float in \[0, 1\]"):
        model.reconstruct(pictures.astype("float32"))
    with pytest.raises(ValueError, match=r"`images` must be .* \(batch, 8, 8, 1\)"):
        model({"images": np.zeros((2, 8, 8, 3), "float32")})
    with pytest.raises(ValueError, match=r"a dict with \['images', 'labels'\]"):
        conditional({"images": np.zeros((2, *SHAPE), "float32")})
    with pytest.raises(ValueError, match="`dimension` must be from 0 to 3"):
        model.traverse(pictures[0], 4)
    with pytest.raises(ValueError, match="sides divisible by 4"):
        VAE(ConvolutionalAutoencoder(), Image((10, 8, 1)), likelihood=Bernoulli())
    with pytest.raises(ValueError, match="`beta` must be at least 0"):
        EvidenceBound(beta=-1.0)
