"""From the hidden vectors of a text's tokens to one vector.

Each function takes `hidden`, float `(B, T, W)`, and `mask`, bool or int `(B, T)`, true
at tokens and false at padding, which stands on the right, or `None`: there is none. It
returns float32 `(B, W)`.

Reference: sentence-transformers, `models/Pooling.py`
"""

from keras import ops


def cls(hidden, mask=None):
    """The vector of the first token."""
    return ops.cast(hidden[:, 0], "float32")


def largest(hidden, mask=None):
    """The largest of the tokens, for each channel."""
    hidden, weight = _in_float32(hidden, mask)
    return ops.max(ops.where(weight[:, :, None] > 0, hidden, -1e9), axis=1)


def mean(hidden, mask=None):
    """The mean of the tokens."""
    return _weighted(*_in_float32(hidden, mask))


def mean_sqrt_len(hidden, mask=None):
    """The sum of the tokens, over the square root of their number."""
    hidden, weight = _in_float32(hidden, mask)
    count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)  # (B, 1)
    return _weighted(hidden, weight) * ops.sqrt(count)


def weighted_mean(hidden, mask=None):
    """The mean of the tokens, the n-th of them n times."""
    hidden, weight = _in_float32(hidden, mask)
    return _weighted(hidden, weight * _places(hidden))


def last_token(hidden, mask=None):
    """The vector of the last token; zeros where there is none."""
    hidden, weight = _in_float32(hidden, mask)
    places = weight * _places(hidden)
    last = ops.max(places, axis=1, keepdims=True)  # (B, 1), from 1
    chosen = ops.cast((places == last) & (weight > 0), "float32")
    return ops.sum(hidden * chosen[:, :, None], axis=1)


def _in_float32(hidden, mask):
    """Hidden vectors and weights `(B, T)`, 1 at tokens and 0 at padding."""
    hidden = ops.cast(hidden, "float32")
    if mask is None:
        return hidden, ops.ones_like(hidden[:, :, 0])
    return hidden, ops.cast(ops.cast(mask, "bool"), "float32")


def _weighted(hidden, weight):
    count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)  # (B, 1)
    return ops.sum(hidden * weight[:, :, None], axis=1) / count


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
