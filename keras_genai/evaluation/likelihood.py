"""Likelihood bounds of variational models, in nats and bits per dimension.

Figures of grey pictures under a Bernoulli decoder are no likelihoods; `binarize` makes
pictures for which they are.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_genai.likelihoods import gaussian_kl, log_weights

DECODED_AT_ONCE = 2_000  # pictures; memory does not grow with the number of samples


class Bound(NamedTuple):
    """A lower bound of the log-likelihood, averaged over pictures.

    Attributes:
        nats: float. The bound; negative for discrete data.
        bits_per_dimension: float. Its negative in bits, a pixel's channel; lower is
            better.
        pictures: int. How many were averaged.
        samples: int. Latents drawn for each.
    """

    nats: float
    bits_per_dimension: float
    pictures: int
    samples: int


def binarize(images, seed=0):
    """Black and white pictures: each pixel is white with its grey as probability.

    The draw is fixed by the seed and the picture's place, as in the usual fixed
    binarisation; the published files of which are other draws of the same kind.

    Args:
        images: uint8 `(N, H, W, C)`, or float in [0, 1].
        seed: int.

    Returns:
        float32 `(N, H, W, C)` of 0 and 1.

    Reference: Salakhutdinov & Murray 2008, section 6,
        https://doi.org/10.1145/1390156.1390266
    """
    images = _as_float(images)
    uniform = np.random.default_rng(seed).random(images.shape, "float32")
    return (uniform < images).astype("float32")


def evidence_bound(model, images, labels=None, samples=1, seed=0):
    """The ELBO: reconstruction by Monte Carlo, divergence in closed form.

    Args:
        model: `VAE`.
        images: uint8 `(N, H, W, C)`, or float in [0, 1].
        labels: int32 `(N,)`, or `None` without classes.
        samples: int. Latents drawn for each picture.
        seed: int.

    Returns:
        `Bound`.
    """

    def bound(log_likelihood, mean, log_variance, latents):
        divergence = tf.reduce_sum(gaussian_kl(mean, log_variance), axis=-1)
        return tf.reduce_mean(log_likelihood, axis=1) - divergence

    return _average(model, bound, images, labels, samples, seed)


def importance_bound(model, images, labels=None, samples=64, seed=0):
    """The importance-weighted bound; it nears the log-likelihood as samples grow.

    Args:
        model: `VAE`.
        images: uint8 `(N, H, W, C)`, or float in [0, 1].
        labels: int32 `(N,)`, or `None` without classes.
        samples: int. Latents drawn for each picture.
        seed: int.

    Returns:
        `Bound`.

    Reference: Burda et al. 2016, eq. 8, https://arxiv.org/abs/1509.00519
    """

    def bound(*terms):
        return tf.reduce_logsumexp(log_weights(*terms), axis=1) - math.log(samples)

    return _average(model, bound, images, labels, samples, seed)


def code_cross_entropy(model, images, labels=None):
    """How well a model of codes predicts those of held-out pictures.

    Args:
        model: `CodeModel`.
        images: uint8 `(N, H, W, C)`, or float in [0, 1].
        labels: int32 `(N,)`, or `None` without classes.

    Returns:
        float, nats a code.
    """
    if not model.num_classes:
        labels = None
    return float(model.score(images, labels).mean())


def _average(model, bound, images, labels, samples, seed):
    """Mean of `bound` over all pictures, a batch of one shape at a time."""
    if samples < 1:
        raise ValueError(f"`samples` must be an int >= 1. Received: {samples=}")
    if not model.num_classes:
        labels = None
    count = len(images)
    size = min(count, max(1, DECODED_AT_ONCE // samples))
    score = tf.function(
        _scorer(model, bound, samples), jit_compile=model.jit_generate, autograph=False
    )
    total = 0.0
    for start in range(0, count, size):
        # The last batch is filled up with the first pictures, which do not count.
        rows = np.arange(start, start + size)
        batch = _as_float(images[rows % count])
        given = None if labels is None else tf.constant(labels[rows % count])
        key = tf.constant([seed, start], tf.int64)
        total += float(
            np.sum(score(batch, given, key).numpy()[rows < count], dtype=float)
        )
    nats = total / count
    dimensions = math.prod(images.shape[1:])
    return Bound(nats, -nats / math.log(2) / dimensions, count, samples)


def _scorer(model, bound, samples):
    def score(images, labels, key):
        mean, log_variance = model.posterior(images, labels)
        shape = (mean.shape[0], samples, mean.shape[1])
        noise = tf.random.stateless_normal(shape, key)
        latents = mean[:, None] + tf.exp(0.5 * log_variance)[:, None] * noise
        parameters = model.decode_samples(latents, labels)
        log_likelihood = model.likelihood.log_prob(parameters, images[:, None])
        return bound(log_likelihood, mean, log_variance, latents)

    return score


def _as_float(images):
    if images.dtype == np.uint8:
        return images.astype("float32") / 255.0
    return images.astype("float32")
