"""Checks of what sources and loaders are given, each with one line that says it."""

import numbers

from keras_genai.checks import check_integer

_MOST = 2**63  # of TensorFlow's and NumPy's ints


def check_count(name, value, least=1):
    """Raises unless `value` is an int from `least` to what an int64 holds.

    Raises:
        TypeError: if `value` is not an int.
        ValueError: if it is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        check_integer(name, value, least)
    if not least <= value < _MOST:
        most = "" if value < least else " and below 2 ** 63"
        raise ValueError(
            f"`{name}` must be at least {least}{most}. Received: {name}={value}"
        )


def check_seed(value):
    """Raises unless `value` is an int64.

    Raises:
        TypeError: if `value` is not an int.
        ValueError: if it is too large.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`seed` must be an int. Received: seed={value!r}")
    if not -_MOST <= value < _MOST:
        raise ValueError(f"`seed` must be an int of 64 bits. Received: seed={value}")


def check_limit(value):
    """Raises unless `limit` is `None` or an int >= 1.

    Raises:
        TypeError: if it is anything else.
        ValueError: if it is too small or too large.
    """
    if value is not None:
        check_count("limit", value)
