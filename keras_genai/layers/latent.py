"""Latent variables: drawn from a Gaussian, from a codebook, from categories."""

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.layers.seeded import Seeded
from keras_genai.registry import register


@register
class GaussianSampling(Seeded, keras.layers.Layer):
    """Draws latents from a diagonal Gaussian so that gradients reach its parameters.

    Args:
        seed: int or `None`. Of the draws; the state of its generator is saved.

    Call arguments:
        mean: float `(B, D)`.
        log_variance: float `(B, D)`.
        samples: int, K. Draws for each row.
        seed: int, or `None`: the generator's next. With an int, the numbers of each
            call are the same, and the generator stays as it is.

    Returns:
        float32 `(B, K, D)`.

    Reference: Kingma & Welling 2014, section 2.4, https://arxiv.org/abs/1312.6114
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.seed = seed
        self.seed_generator = replicas.SeedGenerator(seed)
        self.built = True

    def call(self, mean, log_variance, samples=1, seed=None):
        shape = (ops.shape(mean)[0], samples, mean.shape[-1])
        seed = self.seed_generator if seed is None else seed
        noise = keras.random.normal(shape, dtype="float32", seed=seed)
        return mean[:, None] + ops.exp(0.5 * log_variance)[:, None] * noise

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@register
class VectorQuantizer(Seeded, keras.layers.Layer):
    """Replaces vectors by the nearest of a codebook's, which follow them on average.

    The codebook is learned by k-means over exponential averages: while training, a
    code is the average of the vectors it stood for. Sums and counts both start at
    zero, so the very first batch already moves a code to its vectors' mean. A code
    that is used far less than its share is put onto a vector of the batch. All
    arithmetic is float32. Replicas learn one codebook, from the vectors of all.

    Args:
        num_codes: int, K.
        width: int, D. Length of a vector.
        decay: float in [0, 1). Of the averages, a training step.
        restart_below: float in [0, 1). A code used less than this fraction of the
            uniform share starts anew; 0 restarts none.
        seed: int or `None`. Of the restarts; the generator's state is saved.

    Call arguments:
        inputs: float `(..., D)`.
        training: bool. Whether the codebook learns.

    Returns:
        dict of `quantized`, float32 `(..., D)`, whose gradient is handed on to
        `inputs` unchanged; `codes`, int32 `(...)`; and `commitment`, float32 `(...)`,
        the mean squared distance of `inputs` from their codes.

    Raises:
        ValueError: if an argument is out of its range.

    Reference: van den Oord et al. 2017, section 3 and appendix A.1,
        https://arxiv.org/abs/1711.00937; restarts: Dhariwal et al. 2020, section 3.1,
        https://arxiv.org/abs/2005.00341
    """

    def __init__(
        self, num_codes, width, decay=0.99, restart_below=0.03, seed=None, **kwargs
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if num_codes < 2 or width < 1:
            raise ValueError(
                "`num_codes` must be an int >= 2 and `width` an int >= 1. "
                f"Received: {num_codes=}, {width=}"
            )
        for name, value in (("decay", decay), ("restart_below", restart_below)):
            if not 0 <= value < 1:
                raise ValueError(
                    f"`{name}` must be in [0, 1). Received: {name}={value}"
                )
        self.num_codes = num_codes
        self.width = width
        self.decay = decay
        self.restart_below = restart_below
        self.seed = seed
        # The stock one: replicas restart the same codes with the same vectors.
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape=None):
        def weight(shape, initializer, name):
            # Never rounded, even if a half-precision model calls `encode`.
            return self.add_weight(
                shape,
                initializer,
                dtype="float32",
                trainable=False,
                autocast=False,
                name=name,
            )

        uniform = keras.initializers.RandomUniform(-0.05, 0.05)
        self.codebook = weight((self.num_codes, self.width), uniform, "codebook")
        self.sums = weight((self.num_codes, self.width), "zeros", "sums")
        self.counts = weight((self.num_codes,), "zeros", "counts")

    def call(self, inputs, training=False):
        codes = self.encode(inputs)
        nearest = self.decode(codes)
        distance = ops.square(inputs - ops.stop_gradient(nearest))
        if training:
            vectors = ops.reshape(ops.stop_gradient(inputs), (-1, self.width))
            flat = ops.reshape(codes, (-1,))
            self._learn(replicas.gather(vectors), replicas.gather(flat))
        return {
            "quantized": inputs + ops.stop_gradient(nearest - inputs),
            "codes": codes,
            "commitment": ops.mean(distance, axis=-1),
        }

    def encode(self, inputs):
        """int32 `(...)`: the nearest code of each vector, the first among equals."""
        inputs = ops.stop_gradient(ops.cast(inputs, "float32"))
        vectors = ops.reshape(inputs, (-1, self.width))
        codebook = ops.convert_to_tensor(self.codebook)
        # The vectors' own squares do not change which code is nearest.
        distances = ops.sum(ops.square(codebook), axis=-1) - 2.0 * ops.matmul(
            vectors, ops.transpose(codebook)
        )
        codes = ops.cast(ops.argmin(distances, axis=-1), "int32")
        return ops.reshape(codes, ops.shape(inputs)[:-1])

    def decode(self, codes):
        """float32 `(..., D)`: the vectors of codes, int `(...)`."""
        return ops.take(ops.convert_to_tensor(self.codebook), codes, axis=0)

    def perplexity(self, codes):
        """float32 scalar: how many codes a batch uses, if it used them evenly."""
        return code_perplexity(codes, self.num_codes)

    def _learn(self, vectors, codes):
        # A product, because a scattered sum has no fixed order of its terms.
        belongs = ops.one_hot(codes, self.num_codes, dtype="float32")  # (N, K)
        new = 1.0 - self.decay
        counts = self.decay * self.counts + new * ops.sum(belongs, axis=0)
        sums = self.decay * self.sums + new * ops.matmul(
            ops.transpose(belongs), vectors
        )
        seen = (counts > 1e-6)[:, None]
        means = sums / ops.maximum(counts, 1e-6)[:, None]
        codebook = ops.where(seen, means, self.codebook)
        if self.restart_below:
            codebook, sums, counts = self._restart(vectors, codebook, sums, counts)
        self.codebook.assign(codebook)
        self.sums.assign(sums)
        self.counts.assign(counts)

    def _restart(self, vectors, codebook, sums, counts):
        share = ops.mean(counts)
        dead = counts < self.restart_below * share
        rows = keras.random.randint(
            (self.num_codes,), 0, ops.shape(vectors)[0], seed=self.seed_generator
        )
        fresh = ops.take(vectors, rows, axis=0)
        counts = ops.where(dead, share, counts)  # time to find vectors of its own
        sums = ops.where(dead[:, None], fresh * share, sums)
        return ops.where(dead[:, None], fresh, codebook), sums, counts

    def get_config(self):
        return {
            **super().get_config(),
            "num_codes": self.num_codes,
            "width": self.width,
            "decay": self.decay,
            "restart_below": self.restart_below,
            "seed": self.seed,
        }


@register
class GumbelSoftmax(Seeded, keras.layers.Layer):
    """Draws categories softly, so that gradients reach their logits.

    Args:
        hard: bool. If `True`, the output is one-hot and only its gradient is soft.
        seed: int or `None`. Of the draws; the generator's state is saved.

    Call arguments:
        logits: float `(..., K)`.
        temperature: float or scalar tensor > 0. Towards 0 draws become one-hot.
        training: bool. If `False`, the output is one-hot at the likeliest category.

    Returns:
        float32 `(..., K)`, sums to 1.

    Reference: Jang et al. 2017, section 2.1, https://arxiv.org/abs/1611.01144
    """

    def __init__(self, hard=False, seed=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.hard = hard
        self.seed = seed
        self.seed_generator = replicas.SeedGenerator(seed)
        self.built = True

    def call(self, logits, temperature=0.9, training=False):
        if not training:
            return _one_hot(logits)
        uniform = keras.random.uniform(
            ops.shape(logits), minval=1e-7, dtype="float32", seed=self.seed_generator
        )
        noise = -ops.log(-ops.log(uniform))
        soft = ops.softmax((logits + noise) / temperature, axis=-1)
        if not self.hard:
            return soft
        return soft + ops.stop_gradient(_one_hot(soft) - soft)

    def get_config(self):
        return {**super().get_config(), "hard": self.hard, "seed": self.seed}


def code_perplexity(codes, num_codes):
    """How many codes a batch uses, if it used them evenly.

    Args:
        codes: int `(...)`.
        num_codes: int.

    Returns:
        float32 scalar, the exponential of the entropy of their shares.
    """
    used = ops.one_hot(ops.reshape(codes, (-1,)), num_codes, dtype="float32")
    share = ops.mean(used, axis=0)
    return ops.exp(-ops.sum(share * ops.log(share + 1e-10)))


def _one_hot(scores):
    return ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[-1], dtype="float32")
