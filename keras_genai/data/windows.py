"""Loaders of one long text: random windows, or lanes that carry on."""

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_seed
from keras_genai.data.arguments import check_count
from keras_genai.data.loader import Loader

MOST_TOKENS = 2**28  # of a batch, a gibibyte of them


class _Text(Loader):
    """What loaders of one long token sequence share: everything but the order.

    Subclasses fill `_starts(step)`, the int64 `(B,)` first tokens of a training
    batch. Windows wrap around the end of the text.
    """

    def __init__(self, tokens, length, batch_size, fixed):
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
            raise ValueError(
                "`tokens` must be ints of shape (N,). Received: "
                f"shape {tokens.shape}, {tokens.dtype}"
            )
        for name, value in (("length", length), ("batch_size", batch_size)):
            check_count(name, value)
        if batch_size * length > MOST_TOKENS:
            raise ValueError(
                f"`batch_size` times `length` must be at most {MOST_TOKENS:,} tokens. "
                f"Received: {batch_size=}, {length=}"
            )
        if len(tokens) <= length:
            raise ValueError(
                "`tokens` must be longer than `length`, because each target is the "
                f"next token. Received: {len(tokens)} tokens, {length=}"
            )
        self.tokens = tokens.astype("int32", copy=False)
        self.length = length
        self.batch_size = batch_size
        with tf.device("CPU:0"):
            self._tokens = tf.constant(self.tokens)
        super().__init__(fixed)

    @property
    def content(self):
        """The whole text, int32 `(N,)`: what a run is known by."""
        return self.tokens

    @property
    def steps_per_epoch(self):
        """Int: the steps in which as many targets are read as the text has."""
        per_step = self.length * self.batch_size
        return max(1, (len(self.tokens) - 1) // per_step)

    def fetch(self, step):
        """`(tokens, targets)` of one step, int32 `(B, T)` each."""
        return self._rows(self._starts(step))

    def epoch(self):
        """One pass in reading order: see `evaluation`."""
        return self.evaluation()

    def evaluation(self):
        """One pass in reading order, the same each time it is iterated.

        Each row goes on where it stopped in the batch before. The last tokens, too
        few for another batch, are left out; a text that is too short for one batch
        gives one, whose rows overlap.

        Returns:
            `tf.data.Dataset` of `(tokens, targets)`, int32 `(B, T)` each, all of
            one shape.
        """
        count = self.steps_per_epoch
        reach = count * self.length  # tokens of one row in the whole pass
        room = len(self.tokens) - 1 - reach
        rows = np.arange(self.batch_size) * max(room, 0) // max(self.batch_size - 1, 1)
        rows = tf.constant(rows, "int64")
        steps = tf.data.Dataset.range(count)
        return self._batches(steps, lambda step: self._rows(rows + step * self.length))

    def _rows(self, starts):
        offsets = tf.range(self.length + 1, dtype="int64")
        places = starts[:, None] + offsets  # (B, T + 1)
        chunk = tf.gather(self._tokens, places % len(self.tokens))
        chunk = tf.ensure_shape(chunk, (self.batch_size, self.length + 1))
        return chunk[:, :-1], chunk[:, 1:]


class Windows(_Text):
    """Random windows of a text, drawn anew in every step, as nanoGPT does.

    Args:
        tokens: int `(N,)`, the whole text.
        length: int, tokens a window; below `N`.
        batch_size: int, windows a batch.
        seed: int. Batches depend on it and on the step, on nothing else.
        fixed: bool. If `True`, every pass is `evaluation`, in reading order.

    Raises:
        ValueError: if the text is too short for one window.
    """

    def __init__(self, tokens, length, batch_size, seed=0, fixed=False):
        check_seed(seed)
        self.seed = seed
        super().__init__(tokens, length, batch_size, fixed)

    def _starts(self, step):
        return tf.random.stateless_uniform(
            (self.batch_size,),
            seed=tf.stack([tf.constant(self.seed, "int64"), step]),
            maxval=len(self.tokens) - self.length,
            dtype="int64",
        )


class Stream(_Text):
    """Contiguous lanes of a text, for truncated back-propagation through time.

    Row `b` of step `s` begins at token `b * N // batch_size + s * length`, so that
    every row goes on exactly where it stopped, from one epoch to the next too, and
    wraps around the end of the text.

    Args:
        tokens: int `(N,)`, the whole text.
        length: int, tokens of one row in one step; below `N`.
        batch_size: int, the number of lanes.
        fixed: bool. If `True`, every pass is `evaluation`: each begins anew.

    Raises:
        ValueError: if the text is too short for one row.
    """

    def __init__(self, tokens, length, batch_size, fixed=False):
        super().__init__(tokens, length, batch_size, fixed)

    def _starts(self, step):
        lanes = np.arange(self.batch_size) * len(self.tokens) // self.batch_size
        return tf.constant(lanes, "int64") + step * self.length
