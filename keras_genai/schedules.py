"""Schedules: how a rate changes over the steps of a run."""

import keras


def warmup_cosine(peak, warmup, steps, final=0.1):
    """Learning rate that rises linearly, then falls along half a cosine.

    Args:
        peak: float. The highest rate.
        warmup: int. Steps of the rise; at most half of `steps` are used.
        steps: int. Length of the whole run.
        final: float. Rate at the end, as a fraction of `peak`.

    Returns:
        `keras.optimizers.schedules.CosineDecay`.

    Reference: Loshchilov & Hutter 2017, eq. 5, https://arxiv.org/abs/1608.03983
    """
    warmup = min(warmup, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else peak,
        decay_steps=steps - warmup,
        alpha=final,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
