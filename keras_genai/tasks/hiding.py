"""What a model is told becomes "any" now and then, so that guidance knows both."""

import keras
from keras import ops


def can_be_open(kinds):
    """bool: whether "any" can be said of one of these modalities."""
    return any(kind.null is not None for kind in kinds)


def hide(batch, kinds, share, seed):
    """A batch of which some rows say "any".

    With several kinds, some rows hide all of them, and some only one.

    Args:
        batch: dict of tensors with a row an example.
        kinds: modalities that are given. Those without a `null` are never hidden.
        share: float in [0, 1]. How many rows.
        seed: `SeedGenerator`.

    Returns:
        dict as `batch`.

    Reference: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, section 3.2,
        https://arxiv.org/abs/2207.12598
    """
    open_ones = [kind for kind in kinds if can_be_open([kind])]
    if not open_ones or not share:
        return batch
    count = ops.shape(batch[open_ones[0].key])[0]

    def some():
        return keras.random.uniform((count,), dtype="float32", seed=seed) < share

    batch, all_of_it = dict(batch), some()
    for kind in open_ones:
        hidden = all_of_it
        if len(open_ones) > 1:
            hidden = hidden | some()
        value = batch[kind.key]
        hidden = ops.reshape(hidden, (-1,) + (1,) * (len(value.shape) - 1))
        batch[kind.key] = ops.where(hidden, kind.null, value)
    return batch


def nothing(batch, kinds):
    """What says "any" wherever that can be said.

    Args:
        batch, kinds: see `hide`.

    Returns:
        dict of tensors by the keys of `kinds`.
    """
    return {
        kind.key: batch[kind.key]
        if kind.null is None
        else ops.full_like(batch[kind.key], kind.null)
        for kind in kinds
    }
