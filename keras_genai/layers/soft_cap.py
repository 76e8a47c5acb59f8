"""Logits that are bent to stay within bounds."""

from keras import ops


def soft_cap(logits, cap):
    """Logits that stay between `-cap` and `cap`, and small ones nearly as they are.

    Args:
        logits: float `(...)`.
        cap: float > 0.

    Returns:
        Like `logits`.

    Reference: Gemma Team 2024, section 2, https://arxiv.org/abs/2408.00118
    """
    return cap * ops.tanh(logits / cap)
