"""Checks of what sources and loaders are given, each with one line that says it."""

import numbers

from keras_genai.checks import check_integer, check_number, check_size

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


def check_limit(value):
    """Raises unless `limit` is `None` or an int >= 1.

    Raises:
        TypeError: if it is anything else.
        ValueError: if it is too small or too large.
    """
    if value is not None:
        check_count("limit", value)


def check_length(value, least=1):
    """Raises unless `length`, of the rows of tokens that are made, is a size.

    Raises:
        TypeError: if it is not an int.
        ValueError: if it is too small or too large.
    """
    check_size("length", value, least)


def check_share(name, value):
    """Raises unless `value` is a number from 0 to 1.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is out of range.
    """
    check_number(name, value, "a number from 0 to 1", lambda share: 0 <= share <= 1)
