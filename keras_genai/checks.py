"""Checks of numbers, each with one line that says what is allowed and what came."""

import math
import numbers

LARGEST_TABLE = 2**31 - 1  # TensorFlow counts the rows of a table in int32
LARGEST_SIZE = 2**16  # of a layer: beyond it, a kernel alone fills a memory
MOST_SEED = 2**63  # of TensorFlow's and NumPy's ints
MOST_NUMBERS = 2**31 - 1  # of all pictures drawn at once: 8 GiB


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
    try:
        refused = math.isnan(value) or not accepts(value)
    except OverflowError:  # an int beyond all floats
        value, refused = f"an int of {value.bit_length():,} bits", True
    if refused:
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


def check_seed(value):
    """Raises unless `value` is an int64.

    Raises:
        TypeError: if `value` is not an int.
        ValueError: if it is too large.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`seed` must be an int. Received: seed={value!r}")
    if not -MOST_SEED <= value < MOST_SEED:
        raise ValueError(f"`seed` must be an int of 64 bits. Received: seed={value}")


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


def check_sizes(**sizes):
    """`check_size` of each, by its name; vocabularies and contexts may be large."""
    for name, value in sizes.items():
        check_size(name, value, most=LARGEST_TABLE)


def check_given_sizes(**sizes):
    """`check_size` of each that is not `None`, by its name."""
    check_sizes(**{name: size for name, size in sizes.items() if size is not None})


def check_layer_sizes(
    name, values, allowed="a tuple of at least one int >= 1", most=LARGEST_SIZE
):
    """Raises unless `values` are the sizes of layers, one after the other.

    Args:
        name: str, the argument.
        values: what came.
        allowed: str that ends the sentence "must be ...".
        most: int, the largest of them.

    Raises:
        ValueError: if they are not.
    """
    good = isinstance(values, tuple | list) and all(
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and 1 <= value <= most
        for value in values
    )
    if not good or not values:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={values!r}")


def check_rates(**rates):
    """Raises unless each is a number from 0 to below 1, as of dropout.

    Raises:
        TypeError: if one is not a number.
        ValueError: if one is out of range.
    """
    for name, value in rates.items():
        check_number(
            name, value, "a number from 0 to below 1", lambda rate: 0 <= rate < 1
        )


def check_flags(**flags):
    """Raises a `TypeError` unless each is a bool."""
    for name, value in flags.items():
        check_flag(name, value)


def check_one_of(name, value, allowed):
    """Raises a `ValueError` unless `value` is one of `allowed`, a sequence of str."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(
            f"`{name}` must be one of {tuple(allowed)}. Received: {name}={value!r}"
        )


def check_instance(name, value, kind):
    """Raises a `TypeError` unless `value` is an instance of a class."""
    if not isinstance(value, kind):
        came = " ".join(repr(value).split())[:200]
        raise TypeError(f"`{name}` must be a {kind.__name__}. Received: {name}={came}")


def check_heads(width, num_heads):
    """Raises unless both are sizes and heads can share out the width.

    Raises:
        TypeError: if one is not an int.
        ValueError: if one is too small or large, or `width` is no multiple.
    """
    check_sizes(width=width, num_heads=num_heads)
    if width % num_heads:
        raise ValueError(
            "`width` must be a multiple of `num_heads`. "
            f"Received: {width=}, {num_heads=}"
        )


def check_image_shape(name, shape, ranks=(3,)):
    """tuple of int: the shape of pictures, or of videos.

    Args:
        shape: what came.
        name: str, the argument.
        ranks: tuple of int. 3 of pictures, 4 of videos.

    Raises:
        ValueError: if it is another.
    """
    forms = {3: "(height, width, channels)", 4: "(frames, height, width, channels)"}
    allowed = " or ".join(forms[rank] for rank in ranks)
    allowed = f"{allowed}, ints from 1 to {LARGEST_SIZE}"
    check_layer_sizes(name, shape, allowed)
    if len(shape) not in ranks or math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={shape!r}")
    return tuple(shape)


def check_sides(image_shape, divisor):
    """Raises a `ValueError` unless a number divides height and width.

    Args:
        image_shape: `(..., H, W, C)`.
        divisor: int.
    """
    if any(side % divisor for side in image_shape[-3:-1]):
        raise ValueError(
            f"`image_shape` must have a height and width divisible by {divisor}. "
            f"Received: image_shape={image_shape}"
        )


def check_part(name, part, needs, module):
    """Raises unless `part` has what an object of its kind has.

    Args:
        name: str, the argument.
        part: what came.
        needs: str, an attribute of all of them.
        module: str, where they are.

    Raises:
        TypeError: if it has not.
    """
    if isinstance(part, type) or not hasattr(part, needs):
        raise TypeError(
            f"`{name}` must be an object of {module}. Received: {name}={part!r}"
        )


def refuse_float16(model):
    """Raises if a model of published weights that overflow in float16 computes in it.

    Raises:
        ValueError: if it does.
    """
    if model.compute_dtype == "float16":
        raise ValueError(
            f"`dtype` of a {type(model).__name__} must be float32 or bfloat16, or "
            "mixed with it, because float16 overflows. "
            f"Received: dtype={model.dtype_policy.name!r}"
        )
