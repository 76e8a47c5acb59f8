"""VAE: pictures from a continuous code whose distribution is known."""

import dataclasses
import math
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_number
from keras_genai.declared import part
from keras_genai.layers.latent import GaussianSampling
from keras_genai.likelihoods import Bernoulli, gaussian_kl, log_weights
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.networks.vae import Autoencoder
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.picture_task import PictureTask

VALIDATION_SEED = 20_131_220
BATCH = 256  # pictures encoded or decoded at once


def _check_not_negative(objective):
    for field in dataclasses.fields(objective):
        value = getattr(objective, field.name)
        check_number(field.name, value, "at least 0", lambda value: value >= 0)


@register
@dataclasses.dataclass(frozen=True)
class EvidenceBound:
    """Reconstruction plus divergence: the negative evidence lower bound.

    Args:
        beta: float. Weight of the divergence; above 1 latents become independent at
            the price of sharpness.
        warm_up: int. Optimizer steps over which the weight rises from 0 to `beta`.
        free_bits: float, in bits. So much of each latent dimension's divergence,
            averaged over the batch, costs nothing.

    Raises:
        ValueError: if an argument is negative.

    Reference: Kingma & Welling 2014, eq. 7, https://arxiv.org/abs/1312.6114; Higgins
        et al. 2017 (beta), https://openreview.net/forum?id=Sy2fzU9gl; Bowman et al.
        2016, section 3.1 (warm-up), https://arxiv.org/abs/1511.06349; Kingma et al.
        2016, eq. 16 (free bits), https://arxiv.org/abs/1606.04934
    """

    beta: float = 1.0
    warm_up: int = 0
    free_bits: float = 0.0
    samples = 1  # no annotation: not a field

    def __post_init__(self):
        _check_not_negative(self)

    def __call__(
        self,
        log_likelihood,
        mean,
        log_variance,
        latents,
        step=None,
        sample_weight=None,
    ):
        """Scalar loss.

        Args:
            log_likelihood: float32 `(B, K)`, of a picture given each latent.
            mean: float32 `(B, D)`, of the posterior.
            log_variance: float32 `(B, D)`.
            latents: float32 `(B, K, D)`, drawn from it.
            step: int scalar tensor, finished steps; `None`: the warm-up is over.
            sample_weight: float `(B,)`, how much each picture counts, or `None`.

        Returns:
            float32 scalar, nats a picture.
        """
        divergence = replicas.weigh(gaussian_kl(mean, log_variance), sample_weight)
        divergence = ops.mean(divergence, axis=0)  # (D,)
        if self.free_bits:
            divergence = ops.maximum(divergence, self.free_bits * math.log(2))
        weight = self.beta
        if self.warm_up and step is not None:
            rise = ops.cast(step + 1, "float32") / self.warm_up
            weight = self.beta * ops.minimum(rise, 1.0)
        log_likelihood = replicas.weighted_mean(log_likelihood, sample_weight)
        return weight * ops.sum(divergence) - log_likelihood

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class ImportanceBound:
    """The importance-weighted bound: nearer to the likelihood the more samples.

    Args:
        samples: int >= 1. Latents drawn for each picture.

    Raises:
        ValueError: if `samples` is below 1.

    Reference: Burda et al. 2016, eq. 8, https://arxiv.org/abs/1509.00519
    """

    samples: int = 5

    def __post_init__(self):
        check_integer("samples", self.samples, 1)

    def __call__(
        self,
        log_likelihood,
        mean,
        log_variance,
        latents,
        step=None,
        sample_weight=None,
    ):
        """Scalar loss. See `EvidenceBound`."""
        weights = log_weights(log_likelihood, mean, log_variance, latents)
        bound = ops.logsumexp(weights, axis=1) - math.log(self.samples)
        return -replicas.weighted_mean(bound, sample_weight)

    def get_config(self):
        return dataclasses.asdict(self)


@register
class VAE(PictureTask):
    """Variational autoencoder.

    It trains with `fit`, and makes pictures from the prior, reconstructions, and paths
    between pictures. Outside of training the same noise is drawn in every call.

    Args:
        network: `keras_genai.networks.vae.Autoencoder`, with `encode` and `decode`.
        target: `Image`.
        given: `Label` or nothing. With it, everything is conditioned on labels.
        likelihood: an object of `keras_genai.likelihoods`.
        objective: `EvidenceBound` or `ImportanceBound`.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1], and with classes
            `labels`, int `(B,)`. Other keys are ignored.

    Returns:
        dict of `reconstruction`, float32 `(B, H, W, C)` in [0, 1], from the first
        draw; `mean` and `log_variance`, float32 `(B, D)`; `latents`, float32
        `(B, K, D)`; `parameters`, `(B, K, H, W, P)`, what the likelihood reads. K is
        the objective's number of samples.

    Raises:
        ValueError: if an argument is out of range, or a batch is of another shape.

    Reference: Kingma & Welling 2014, https://arxiv.org/abs/1312.6114; with labels
        Sohn et al. 2015, section 4.1,
        https://papers.nips.cc/paper/5775
    """

    network: Autoencoder
    target: Image
    given: tuple[Modality, ...] = ()
    likelihood: Annotated[Any, part("log_prob", "keras_genai.likelihoods")] = (
        Bernoulli()
    )
    objective: EvidenceBound | ImportanceBound = EvidenceBound()

    @property
    def network_sizes(self):
        channels = self.likelihood.channels(self.target.shape[-1])
        return {**super().network_sizes, "output_channels": channels}

    def make(self):
        self.jit_generate = self.network.jit_generate
        self.sampling = GaussianSampling(seed=0, name="sampling")
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")

    @property
    def latent_size(self):
        """int, D."""
        return self.network.latent_size

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        images, labels = batch["images"], batch.get("labels")
        mean, log_variance = self.posterior(images, labels)
        samples = self.objective.samples
        seed = None if training else VALIDATION_SEED
        latents = self.sampling(mean, log_variance, samples=samples, seed=seed)
        parameters = self.decode_samples(latents, labels)
        return {
            "reconstruction": self.likelihood.mean(parameters[:, 0]),
            "mean": mean,
            "log_variance": log_variance,
            "latents": latents,
            "parameters": parameters,
        }

    def posterior(self, images, labels=None):
        """`encode` in float32."""
        mean, log_variance = self.network.encode(images, labels)
        return ops.cast(mean, "float32"), ops.cast(log_variance, "float32")

    def decode_samples(self, latents, labels=None):
        """`decode` of several latents a picture.

        Args:
            latents: float `(B, K, D)`.
            labels: int `(B,)` or `None`.

        Returns:
            float `(B, K, H, W, P)`.
        """
        samples = latents.shape[1]
        flat = ops.reshape(latents, (-1, self.latent_size))
        if labels is not None:
            labels = ops.repeat(labels, samples, axis=0)
        parameters = self.network.decode(flat, labels)
        return ops.reshape(parameters, (-1, samples, *parameters.shape[1:]))

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        mean, log_variance = y_pred["mean"], y_pred["log_variance"]
        log_likelihood = self.likelihood.log_prob(
            y_pred["parameters"], self.read(x)["images"][:, None]
        )
        for tracker, nats in (
            (self.reconstruction_tracker, -ops.mean(log_likelihood, axis=1)),
            (self.kl_tracker, ops.sum(gaussian_kl(mean, log_variance), axis=-1)),
        ):
            tracker.update_state(replicas.weigh(nats, sample_weight))
        # Held-out losses of one run must be comparable: they know no warm-up.
        step = self.optimizer.iterations if training else None
        loss = self.objective(
            log_likelihood, mean, log_variance, y_pred["latents"], step, sample_weight
        )
        return replicas.share(loss)

    def metric_inputs(self, x, y_pred):
        return self.read(x)["images"], y_pred["reconstruction"]

    def generate(self, count=16, labels=None, seed=0):
        """Pictures from the prior: the expected one of each latent that is drawn.

        Args:
            count: int.
            labels: int or ints `(count,)`, for a model with classes. Default: 0, 1,
                2, ... in turn.
            seed: int.

        Returns:
            float32 array `(count, H, W, C)` in [0, 1].

        Raises:
            ValueError: for a label that does not exist, or labels without classes.
        """
        pictures.check_count(count, seed, self.image_shape)
        labels = pictures.to_labels(labels, count, self.num_classes)
        shape = (count, self.latent_size)
        # Outside of what is compiled: XLA's numbers would change with the count.
        latents = tf.random.stateless_normal(
            shape, pictures.key(tf.constant(seed, tf.int64))
        )
        return self._pictures(latents.numpy(), labels)

    def reconstruct(self, images, labels=None):
        """Pictures, through the means of their posteriors and back.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            labels: ints `(N,)`, required with classes.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].
        """
        images = self.target.read(images)
        labels = pictures.own_labels(labels, len(images), self.num_classes)
        return self._pictures(self._means(images, labels), labels)

    def interpolate(self, first, last, steps=10, labels=None):
        """A straight path between the posterior means of two pictures.

        Args:
            first: picture `(H, W, C)`, uint8 or float in [0, 1].
            last: likewise.
            steps: int >= 2. Pictures, both ends included.
            labels: ints `(2,)`, required with classes. The path has the first's.

        Returns:
            float32 array `(steps, H, W, C)` in [0, 1].
        """
        check_integer("steps", steps, 2)
        ends = [
            self.target.read(picture, name)[0]
            for name, picture in (("first", first), ("last", last))
        ]
        labels = pictures.own_labels(labels, 2, self.num_classes)
        ends = self._means(np.stack(ends), labels)
        way = np.linspace(0.0, 1.0, steps, dtype="float32")[:, None]
        path = (1.0 - way) * ends[:1] + way * ends[1:]
        return self._pictures(path, labels if labels is None else labels[:1])

    def traverse(self, image, dimension, values=None, labels=None):
        """What one latent dimension does to a picture.

        Args:
            image: picture `(H, W, C)`, uint8 or float in [0, 1].
            dimension: int, from 0 to D - 1.
            values: floats `(V,)` that replace the dimension's mean. Default: eleven
                from -3 to 3.
            labels: int, required with classes.

        Returns:
            float32 array `(V, H, W, C)` in [0, 1].
        """
        check_integer("dimension", dimension, 0)
        if dimension >= self.latent_size:
            raise ValueError(
                f"`dimension` must be from 0 to {self.latent_size - 1}. "
                f"Received: {dimension=}"
            )
        values = np.linspace(-3, 3, 11) if values is None else np.asarray(values)
        labels = pictures.own_labels(labels, 1, self.num_classes)
        images = self.target.read(image, "image")[:1]
        latents = np.repeat(self._means(images, labels), len(values), axis=0)
        latents[:, dimension] = values
        return self._pictures(latents, labels)

    def _means(self, images, labels):
        """float32 array `(N, D)`."""

        def build():
            return lambda batch: self.posterior(batch["x"], batch.get("labels"))[0]

        return self._by_batch(compiled(self, ("means",), build), images, labels)

    def _pictures(self, latents, labels):
        """float32 array `(N, H, W, C)`; one label serves all latents."""
        if labels is not None and len(labels) != len(latents):
            labels = np.repeat(labels, len(latents))

        def build():
            return lambda batch: self.likelihood.mean(
                self.network.decode(batch["x"], batch.get("labels"))
            )

        return self._by_batch(compiled(self, ("pictures",), build), latents, labels)

    def _by_batch(self, function, array, labels):
        batch = {"x": array}
        if labels is not None:
            batch["labels"] = labels
        return pictures.by_batch(function, batch, BATCH)
