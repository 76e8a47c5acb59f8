"""Averaged weights, as arguments of an optimizer."""

_LONGEST = 0.999  # momentum


def averaged(steps):
    """Keeps an average of the weights, which is what is scored and saved.

    It reaches over the last tenth of a run at most, so that short runs are not drowned
    in their own beginnings.

    Args:
        steps: int. Length of the run.

    Returns:
        dict.
    """
    momentum = max(0.5, min(_LONGEST, 1 - 30 / steps))
    return dict(use_ema=True, ema_momentum=momentum)
