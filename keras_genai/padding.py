"""Sequences of different lengths in one array."""

import numpy as np


def pad_sequence(sequences, value=0, length=None):
    """Stacks sequences of different lengths, padded on the right, batch first.

    Args:
        sequences: non-empty sequence of arrays `(T_i, *)` with equal `*`.
        value: number that fills the padding.
        length: int or `None`. The padded length; `None` is the longest one's.

    Returns:
        Array `(len(sequences), length, *)` of the sequences' common dtype.

    Raises:
        ValueError: if there are no sequences, if one is longer than `length`, or if
            their other axes differ.

    Reference: `torch.nn.utils.rnn.pad_sequence(batch_first=True)`
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise ValueError(
            "`sequences` must be one or more arrays (T, ...). Received: "
            f"{[array.shape for array in arrays[:4]]}"
        )
    lengths = np.array([len(array) for array in arrays])
    length = int(lengths.max()) if length is None else length
    if lengths.max() > length:
        raise ValueError(
            f"`sequences` must have at most `length` steps. Received: {length=}, "
            f"one of {lengths.max()}"
        )
    tails = {array.shape[1:] for array in arrays}
    if len(tails) > 1:
        raise ValueError(
            f"`sequences` must agree in all axes but the first. Received: {tails}"
        )
    flat = np.concatenate(arrays)
    padded = np.full((len(arrays), length, *flat.shape[1:]), value, dtype=flat.dtype)
    padded[np.arange(length) < lengths[:, None]] = flat
    return padded
