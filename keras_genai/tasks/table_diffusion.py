"""TableDiffusion: rows of a table from noise, numbers and categories at once."""

from typing import Annotated, Any

import keras
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer
from keras_genai.declared import Positive, Size, part
from keras_genai.modalities.table import Table
from keras_genai.networks.tabular import TabularDenoiser
from keras_genai.registry import register
from keras_genai.samplers import diffusion, multinomial
from keras_genai.samplers.diffusion import Ancestral, Heun, Sampler, Walk
from keras_genai.samplers.session import compiled
from keras_genai.schedules import CosineNoise, spread_evenly
from keras_genai.tasks.denoising import padded
from keras_genai.tasks.predictions import Velocity
from keras_genai.tasks.table_task import TableTask

VALIDATION_SEED = 20_220_930
LARGEST = 4.0  # score of a clean number; one of 31,574 is beyond


@register
class TableDiffusion(TableTask):
    """A model of rows that removes noise step by step: TabDDPM.

    Normal scores of numbers are noised by a Gaussian, categories by draws of any other.
    The loss is the mean squared error of what the network says of the numbers, and the
    multinomial bound of the categories in nats, averaged over their columns.

    Args:
        network: `TabularDenoiser`.
        target: `Table`.
        conditional: bool. Whether the table's label, if it has one, is told to the
            network instead of being made by it.
        schedule: object of `keras_genai.schedules`.
        prediction: object of `keras_genai.tasks.predictions`, what the network says of
            numbers.
        bound_steps: int. Steps that the bound of the categories is of.
        category_weight: float, of the bound in the loss.

    Call arguments:
        inputs: dict of `numbers` and `categories`, see `Table`.
        training: bool. If `False`, the same noise is added in every call.

    Returns:
        dict of float32 `(B,)`: `error`, the mean squared error of the numbers; `nats`,
        the bound of the categories, a mean over columns; `time`, the noise levels.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range.

    Reference: Kotelnikov et al. 2023, https://arxiv.org/abs/2209.15421
    """

    network: TabularDenoiser
    target: Table
    conditional: bool = True
    schedule: Annotated[Any, part("log_snr", "keras_genai.schedules")] = CosineNoise()
    prediction: Annotated[
        Any, part("clean_factor", "keras_genai.tasks.predictions")
    ] = Velocity()
    bound_steps: Size = 1000
    category_weight: Positive = 1.0

    decoding = "100 steps of Ancestral"

    def make(self):
        self.jit_generate = self.network.jit_generate
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")
        self.error_tracker = keras.metrics.Mean(name="error")
        self.nats_tracker = keras.metrics.Mean(name="nats")

    def call(self, inputs, training=False):
        numbers, categories, labels, known = self.parts(inputs)
        time, noise, uniform = self._noise(numbers, categories, training)
        alpha, sigma = self._levels(time)
        noisy = alpha * numbers + sigma * noise
        keep = multinomial.kept(alpha, sigma)
        sizes = self.sizes_made
        drawn = categories
        if sizes:
            chances = multinomial.noised(categories, keep, sizes)
            drawn = multinomial.one_hot(
                multinomial.draw(chances, uniform, sizes), sizes
            )
        scale = self.prediction.scale(alpha, sigma)
        output = self.network(scale * noisy, drawn, time, labels, training=training)
        wanted = self.prediction.target(numbers, noise, alpha, sigma)
        said, logits = (
            output[:, : self.network.numbers],
            output[:, self.network.numbers :],
        )
        error = known * ops.square(said - wanted)
        error = ops.sum(error, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)
        nats = ops.zeros_like(error)
        if sizes:
            seen = multinomial.probabilities(logits, sizes)
            nats = self._nats(drawn, categories, seen, time, keep)
        return {"error": error, "nats": nats, "time": time}

    def _levels(self, time):
        """Factors of rows and of noise at times `(B,)`: float32 `(B, 1)` each."""
        levels = self.schedule.alpha(time), self.schedule.sigma(time)
        return [level[:, None] for level in levels]

    def _nats(self, drawn, categories, seen, time, keep):
        """float32 `(B,)`: the bound of one step, times their number."""
        before = ops.maximum(time - 1 / self.bound_steps, 0.0)
        after = multinomial.kept(*self._levels(before))
        after = ops.where(before[:, None] > 0, after, 1.0)
        ways = [
            multinomial.posterior(drawn, clean, keep, after, self.sizes_made)
            for clean in (categories, seen)
        ]
        each = multinomial.divergence(*ways, self.sizes_made)
        return self.bound_steps * ops.mean(each, axis=-1)

    def _noise(self, numbers, categories, training):
        """Times `(B,)` spread evenly over a batch, noise, and uniform numbers.

        Outside of training they are always the same ones.
        """
        seeds = [self.seed_generator] * 3
        if not training:
            seeds = [VALIDATION_SEED + number for number in range(3)]
        noise = keras.random.normal(ops.shape(numbers), dtype="float32", seed=seeds[0])
        places = spread_evenly(ops.shape(numbers)[0], seeds[1])
        uniform = keras.random.uniform(
            ops.shape(categories), dtype="float32", seed=seeds[2]
        )
        return self.schedule.times(places), noise, uniform

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        error = replicas.weigh(y_pred["error"], sample_weight)
        nats = replicas.weigh(y_pred["nats"], sample_weight)
        self.error_tracker.update_state(error)
        self.nats_tracker.update_state(nats)
        return replicas.share(ops.mean(error + self.category_weight * nats))

    def metric_inputs(self, x, y_pred):
        error = y_pred["error"][:, None]  # metrics take the mean of what a row has
        return ops.zeros_like(error), error

    def draw(self, labels, count, seed, steps=100, sampler=None):
        """See `TableTask.draw`; of `generate` these are options, too.

        Args:
            labels, count, seed: see `TableTask.draw`.
            steps: int.
            sampler: object of `keras_genai.samplers.diffusion`, of one denoising a
                step, for the numbers. Default: `Ancestral()`.
        """
        check_integer("steps", steps, 1)
        sampler = Ancestral() if sampler is None else sampler
        if not isinstance(sampler, Sampler) or isinstance(sampler, Heun):
            raise TypeError(
                "`sampler` must be an object of keras_genai.samplers.diffusion of one "
                f"denoising a step. Received: {sampler!r}"
            )
        times = padded(sampler.grid(self.schedule, steps))
        function = compiled(self, ("draw", sampler), lambda: self._loop(sampler))
        numbers, categories = function(
            None if labels is None else tf.constant(labels),
            tf.constant(count),
            times,
            tf.constant(steps),
            tf.constant(seed, tf.int64),
        )
        return numbers.numpy(), categories.numpy()

    def _loop(self, sampler):
        """Function that draws rows."""
        sizes, width = self.sizes_made, sum(self.sizes_made)
        columns, draws = self.network.numbers, diffusion.DRAWS

        def chosen(chances, count, seed, index):
            key = tf.stack([seed, tf.cast(draws * index + 2, tf.int64)])
            uniform = tf.random.stateless_uniform((count, width), key)
            drawn = multinomial.draw(chances, uniform, sizes)
            return multinomial.one_hot(drawn, sizes)

        def run(labels, count, times, steps, seed):
            shape = (count, columns)

            def step(index, numbers, clean, categories):
                before, now, after = (
                    diffusion.level(times, place)
                    for place in (index - 1, index, index + 1)
                )
                scale = self.prediction.scale(now.alpha, now.sigma)
                output = self.network(
                    scale * numbers, categories, tf.fill([count], now.time), labels
                )
                seen = self.prediction.clean(
                    output[:, :columns], numbers, now.alpha, now.sigma
                )
                seen = ops.clip(seen, -LARGEST, LARGEST)
                walk = sampler.step(
                    lambda *_: seen,
                    Walk(numbers, clean),
                    (before, now, after),
                    lambda: diffusion.normal(shape, seed, draws * index + 1),
                )
                if sizes:
                    seen = multinomial.probabilities(output[:, columns:], sizes)
                    kept = [multinomial.kept(at.alpha, at.sigma) for at in (now, after)]
                    chances = multinomial.posterior(categories, seen, *kept, sizes)
                    categories = chosen(chances, count, seed, index)
                return index + 1, *walk, categories

            numbers = diffusion.normal(shape, seed, 0) * times[2][0]
            categories = tf.zeros((count, 0))
            if sizes:
                chances = tf.repeat(multinomial.even(sizes), count, axis=0)
                categories = chosen(chances, count, seed, -1)
            _, numbers, _, categories = tf.while_loop(
                lambda index, *_: index < steps,
                step,
                (tf.constant(0), numbers, tf.zeros(shape), categories),
                shape_invariants=(
                    tf.TensorShape(()),
                    *[tf.TensorShape((None, columns))] * 2,
                    tf.TensorShape((None, width)),
                ),
                parallel_iterations=1,
            )
            parts = multinomial.columns(categories, sizes)
            codes = [tf.argmax(part, -1, tf.int32) for part in parts]
            return numbers, tf.stack(codes, -1) if codes else tf.zeros(
                (count, 0), "int32"
            )

        return run
