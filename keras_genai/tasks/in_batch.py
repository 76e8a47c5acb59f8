"""What is right among the rows of a batch, and how far an answer is from it."""

from keras import ops


def shares(own, others):
    """The share of each answer in what is right for a text.

    Args:
        own: int `(B, T)`, tokens of texts.
        others: int `(A, T)`, among which these are.

    Returns:
        float32 `(B, A)`: rows sum to 1; answers to equal texts have equal shares.

    Reference: Yang et al. 2022, eq. 2-3, https://arxiv.org/abs/2204.03610
    """
    same = ops.all(own[:, None] == others[None], axis=-1)
    same = ops.cast(same, "float32")
    return same / ops.sum(same, axis=-1, keepdims=True)


def cross_entropy(right, logits):
    """float32 `(B,)`, in nats, of `shares` and float logits `(B, A)`."""
    return -ops.sum(right * ops.log_softmax(logits, axis=-1), axis=-1)


def unit(vectors):
    """float32 `(..., D)` of length one, of float vectors; zeros stay zeros."""
    vectors = ops.cast(vectors, "float32")
    # The length of a zero vector has no gradient.
    square = ops.sum(ops.square(vectors), -1, keepdims=True)
    return vectors * ops.rsqrt(square + 1e-12)
