"""Checks of numbers, each with one line that says what is allowed and what came."""

import math
import numbers

LARGEST_SIZE = 2**16  # of a layer: beyond it, a kernel alone fills a memory


def check_number(name, value, allowed, accepts):
    """Raises unless `value` is a real number that `accepts` says yes to.

    Args:
        name: str, the argument.
        value: what came.
        allowed: str that ends the sentence "must be ...".
        accepts: callable of one float.

    Raises:
        TypeError: if `value` is not a number.
        ValueError: if it is not accepted, or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    if math.isnan(value) or not accepts(value):
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")


def check_integer(name, value, least):
    """Raises unless `value` is an int of at least `least`.

    Raises:
        TypeError: if `value` is not an int.
        ValueError: if it is too small.
    """
    allowed = f"an int >= {least}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")


def check_size(name, value, least=1, most=LARGEST_SIZE):
    """Raises unless `value` is an int from `least` to `most`, a size of a network.

    Raises:
        TypeError: if `value` is not an int.
        ValueError: if it is out of range.
    """
    allowed = f"an int >= {least}, at most {most}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    if not least <= value <= most:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")


def check_flag(name, value):
    """Raises unless `value` is `True` or `False`.

    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be True or False. Received: {name}={value!r}")
