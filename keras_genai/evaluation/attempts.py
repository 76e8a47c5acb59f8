"""What share of problems is solved by one of several attempts."""

import numpy as np

from keras_genai.checks import check_integer


def pass_at(solved, k=1):
    """The probability that one of `k` attempts at a problem solves it, without bias.

    Args:
        solved: bool `(N, A)`: which of A attempts at each problem solved it.
        k: int from 1 to A. Smaller than A it varies less.

    Returns:
        float, the mean over problems.

    Raises:
        ValueError: if `solved` has another shape, or `k` is above A.

    Reference: Chen et al. 2021, eq. 1, https://arxiv.org/abs/2107.03374
    """
    check_integer("k", k, 1)
    solved = np.asarray(solved, bool)
    if solved.ndim != 2 or not solved.size or k > solved.shape[1]:
        raise ValueError(
            f"`solved` must be bools (problems, attempts), at least {k} attempts. "
            f"Received: shape {solved.shape}"
        )
    attempts = solved.shape[1]
    failed = attempts - solved.sum(axis=1)  # (N,)
    # The share of choices of `k` that are all among the failed.
    places = np.arange(k)
    shares = np.maximum(failed[:, None] - places, 0) / (attempts - places)
    return float(np.mean(1 - shares.prod(axis=1)))
