"""TableVAE: rows of a table from a continuous code whose distribution is known."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.declared import NotNegative
from keras_genai.layers.latent import GaussianSampling
from keras_genai.likelihoods import gaussian_kl
from keras_genai.modalities.table import Table
from keras_genai.networks.tabular import TabularAutoencoder
from keras_genai.registry import register
from keras_genai.samplers import multinomial
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.table_task import TableTask
from keras_genai.tasks.variational import EvidenceBound, ImportanceBound

VALIDATION_SEED = 20_190_701
LEAST_LOG_SCALE = -4.6  # a hundredth of a column's deviation


@register
class TableVAE(TableTask):
    """A variational autoencoder of rows: TVAE, of normal scores.

    Every number is normal around what the decoder says, with a deviation of its column
    that is learned; every category is drawn from a softmax. A number that is missing
    has no part in the loss. Outside of training the same noise is drawn in every call.

    Args:
        network: `TabularAutoencoder`.
        target: `Table`.
        conditional: bool. Whether the table's label, if it has one, is told to the
            network instead of being made by it.
        objective: `EvidenceBound` or `ImportanceBound`. The paper's factor 2 of the
            reconstruction is `EvidenceBound(beta=0.5)`.
        noise: float. Factor of the learned deviations when numbers are drawn; 0 gives
            what the decoder expects.

    Call arguments:
        inputs: dict of `numbers` and `categories`, see `Table`.
        training: bool.

    Returns:
        dict of `mean` and `log_variance`, float32 `(B, D)`; `latents`, float32
        `(B, S, D)`; `log_likelihood`, float32 `(B, S)`, in nats a row;
        `reconstruction`, float32 `(B, N + K)`: numbers, and the chances of categories.
        S is the objective's number of samples.

    Reference: Xu et al. 2019, section 4.4, https://arxiv.org/abs/1907.00503
    """

    network: TabularAutoencoder
    target: Table
    conditional: bool = True
    objective: EvidenceBound | ImportanceBound = EvidenceBound(beta=0.5)
    noise: NotNegative = 1.0

    decoding = "numbers with the deviations that were learned, categories drawn"

    def make(self):
        self.jit_generate = self.network.jit_generate
        self.sampling = GaussianSampling(seed=0, name="sampling")
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")

    def call(self, inputs, training=False):
        numbers, categories, labels, known = self.parts(inputs)
        mean, log_variance = (
            ops.cast(each, "float32")
            for each in self.network.encode(numbers, categories, labels)
        )
        samples = self.objective.samples
        seed = None if training else VALIDATION_SEED
        latents = self.sampling(mean, log_variance, samples=samples, seed=seed)
        several = [numbers, categories, known] + ([] if labels is None else [labels])
        if samples > 1:
            several = [ops.repeat(each, samples, axis=0) for each in several]
        flat = ops.reshape(latents, (-1, self.network.latent_size))
        said = self.network.decode(flat, *several[3:])
        log_likelihood = self._log_likelihood(*said, *several[:3])
        chances = multinomial.probabilities(said[2], self.sizes_made)
        return {
            "mean": mean,
            "log_variance": log_variance,
            "latents": latents,
            "log_likelihood": ops.reshape(log_likelihood, (-1, samples)),
            "reconstruction": ops.concatenate([said[0], chances], axis=-1)[::samples],
        }

    def _log_likelihood(self, mean, log_scale, logits, numbers, categories, known):
        """float32 `(B,)`: of numbers and categories, given what the decoder says."""
        log_scale = ops.maximum(log_scale, LEAST_LOG_SCALE)
        squares = ops.square((numbers - mean) * ops.exp(-log_scale))
        each = -0.5 * (squares + math.log(2 * math.pi)) - log_scale
        total = ops.sum(known * each, axis=-1)
        pairs = [multinomial.columns(x, self.sizes_made) for x in (categories, logits)]
        for true, part in zip(*pairs, strict=True):
            total = total + ops.sum(true * ops.log_softmax(part, axis=-1), axis=-1)
        return total

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        mean, log_variance = y_pred["mean"], y_pred["log_variance"]
        log_likelihood = y_pred["log_likelihood"]
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
        numbers, categories, _, _ = self.parts(x)
        return ops.concatenate([numbers, categories], -1), y_pred["reconstruction"]

    def draw(self, labels, count, seed):
        """See `TableTask.draw`."""
        sizes = self.sizes_made
        key = tf.constant(seed, tf.int64)
        shape = (count, self.network.latent_size)
        latents = tf.random.stateless_normal(shape, pictures.key(key))

        def build():
            def decode(latents, labels, key):
                mean, log_scale, logits = self.network.decode(latents, labels)
                rows = tf.shape(latents)[0]
                scale = ops.exp(ops.maximum(log_scale, LEAST_LOG_SCALE))
                noise = tf.random.stateless_normal(
                    (rows, self.network.numbers), pictures.key(key, 1)
                )
                numbers = mean + self.noise * scale * noise
                if not sizes:
                    return numbers, tf.zeros((rows, 0), tf.int32)
                uniform = tf.random.stateless_uniform(
                    (rows, sum(sizes)), pictures.key(key, 2)
                )
                chances = multinomial.probabilities(logits, sizes)
                return numbers, multinomial.draw(chances, uniform, sizes)

            return decode

        labels = None if labels is None else tf.constant(labels)
        found = compiled(self, ("rows",), build)(latents, labels, key)
        return [part.numpy() for part in found]
