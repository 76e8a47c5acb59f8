"""From the hidden vectors of a text's tokens to one vector.

Each function takes float32 `hidden`, `(B, T, width)`, and `mask`, float32 `(B, T)`, 1
at tokens, and 0 at padding, which stands on the right. It returns `(B, width)`.

Reference: sentence-transformers, `models/Pooling.py`
"""

import keras
from keras import ops

from keras_genai.tasks.encoder import mean_of_tokens


def cls(hidden, mask):
    """The vector of the first token."""
    return hidden[:, 0]


def largest(hidden, mask):
    """The largest of the tokens, for each channel."""
    return ops.max(ops.where(mask[:, :, None] > 0, hidden, -1e9), axis=1)


def mean(hidden, mask):
    """The mean of the tokens."""
    return mean_of_tokens(hidden, mask)


def mean_sqrt_len(hidden, mask):
    """The sum of the tokens, over the square root of their number."""
    count = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)  # (B, 1)
    return mean_of_tokens(hidden, mask) * ops.sqrt(count)


def weighted_mean(hidden, mask):
    """The mean of the tokens, the n-th of them n times."""
    return mean_of_tokens(hidden, mask * _places(hidden))


def last_token(hidden, mask):
    """The vector of the last token."""
    last = ops.max(mask * _places(hidden), axis=1, keepdims=True)  # (B, 1), from 1
    chosen = ops.cast(_places(hidden) == last, "float32")
    return ops.sum(hidden * chosen[:, :, None], axis=1)


def _places(hidden):
    """float32 `(1, T)`: 1, 2, ..."""
    count = ops.shape(hidden)[1]
    return ops.cast(ops.arange(1, count + 1), "float32")[None]


# In the order in which several are put side by side.
POOLINGS = {
    "cls": cls,
    "max": largest,
    "mean": mean,
    "mean_sqrt_len": mean_sqrt_len,
    "weightedmean": weighted_mean,
    "lasttoken": last_token,
}
# Activations of dense layers behind it.
ACTIVATIONS = {
    "identity": keras.activations.linear,
    "tanh": keras.activations.tanh,
    "relu": keras.activations.relu,
    "gelu": lambda x: keras.activations.gelu(x, approximate=False),
    "sigmoid": keras.activations.sigmoid,
    "silu": keras.activations.silu,
}


def read_pooling(pooling):
    """A tuple of names, in the order of `POOLINGS`, from one or several.

    Raises:
        ValueError: if there is none, or one that does not exist.
    """
    names = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    if not names or not all(name in POOLINGS for name in names):
        raise ValueError(
            f"`pooling` must be one or several of {', '.join(POOLINGS)}. "
            f"Received: {pooling!r}"
        )
    return tuple(name for name in POOLINGS if name in names)
