"""Checks of numbers, each with one line that says what is allowed and what came."""

import math
import numbers


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
