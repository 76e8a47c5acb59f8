"""N-gram tables inside a TensorFlow graph: next-token distributions of a batch.

Raw TensorFlow, because rows of a table differ in length and Keras has no ragged
ops. Nothing here compiles with XLA, for the same reason.
"""

import tensorflow as tf


class Lookup(tf.Module):
    """Computes log-probabilities of all next tokens, in float32.

    The tables are variables of unknown length: counting another text replaces them
    under functions that are already traced.

    Args:
        vocabulary_size: int, V.
        order: int >= 1.
        backs_off: bool. `Smoothing.backs_off`.
    """

    def __init__(self, vocabulary_size, order, backs_off):
        super().__init__(name="lookup")
        self.vocabulary_size = vocabulary_size
        self.backs_off = backs_off
        self.unigram = tf.Variable(tf.zeros(vocabulary_size), trainable=False)
        self.levels = [_LevelVariables() for _ in range(order - 1)]

    def assign(self, weights):
        """Takes over the levels of `Smoothing.weigh`."""
        first, *rest = weights
        unigram = tf.scatter_nd(
            first.predictions[:, None], first.fractions, [self.vocabulary_size]
        )
        unigram += first.leftover[0] / self.vocabulary_size
        self.unigram.assign(tf.cast(unigram, tf.float32))
        for variables, level in zip(self.levels, rest, strict=True):
            variables.assign(level, self.vocabulary_size)

    def log_probabilities(self, history):
        """Distributions of the next token.

        Args:
            history: int `(M, H)`, H >= order - 1, the newest token last; anything
                outside `[0, V)` ends the history there.

        Returns:
            float32 `(M, V)`; `-inf` where the model says never.
        """
        history = tf.cast(history, tf.int64)
        count = tf.shape(history)[0]
        uniform = tf.fill([count, self.vocabulary_size], 1.0 / self.vocabulary_size)
        probabilities = tf.tile(self.unigram[None], [count, 1])  # (M, V)
        contexts = tf.zeros([count], tf.int64)
        known = reaches = tf.ones([count], tf.bool)
        for length, level in enumerate(self.levels, start=1):
            older = history[:, -length]
            reaches &= (older >= 0) & (older < self.vocabulary_size)
            contexts, found = level.find(contexts * self.vocabulary_size + older)
            known &= found & reaches
            simpler = probabilities if self.backs_off else uniform
            here = level.mix(contexts, known, simpler)
            probabilities = tf.where(reaches[:, None], here, probabilities)
        return tf.math.log(probabilities)


class _LevelVariables(tf.Module):
    """`Weights` of one level; the predictions of a context are a slice of them."""

    def __init__(self):
        super().__init__(name="level")
        self.contexts = _variable(tf.int64)  # (C,)
        self.starts = _variable(tf.int64)  # (C + 1,), slices of the next two
        self.next_tokens = _variable(tf.int64)  # (E,)
        self.fractions = _variable(tf.float32)  # (E,)
        self.leftover = _variable(tf.float32)  # (C,)

    def assign(self, level, vocabulary_size):
        bounds = tf.range(level.contexts.size + 1, dtype=tf.int64) * vocabulary_size
        self.contexts.assign(level.contexts)
        self.starts.assign(
            tf.searchsorted(level.predictions, bounds, out_type=tf.int64)
        )
        self.next_tokens.assign(level.predictions % vocabulary_size)
        self.fractions.assign(level.fractions.astype("float32"))
        self.leftover.assign(level.leftover.astype("float32"))

    def find(self, keys):
        places = tf.searchsorted(self.contexts, keys, out_type=tf.int64)
        places = tf.minimum(places, tf.size(self.contexts, tf.int64) - 1)
        return places, tf.gather(self.contexts, places) == keys

    def mix(self, contexts, known, simpler):
        """This level's distributions `(M, V)`; the simpler ones where unknown."""
        leftover = tf.where(known, tf.gather(self.leftover, contexts), 1.0)  # (M,)
        start = tf.gather(self.starts, contexts)
        end = tf.where(known, tf.gather(self.starts, contexts + 1), start)
        entries = tf.ragged.range(start, end)  # (M, None), places in next_tokens
        tokens = tf.gather(self.next_tokens, entries.values)
        return tf.tensor_scatter_nd_add(
            leftover[:, None] * simpler,
            tf.stack([entries.value_rowids(), tokens], axis=1),
            tf.gather(self.fractions, entries.values),
        )


def _variable(dtype):
    return tf.Variable(tf.zeros([0], dtype), shape=[None], trainable=False)
