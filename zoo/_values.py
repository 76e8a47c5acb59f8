"""Values of `--set KEY=VALUE`: from text to what an argument takes."""

import ast
import contextlib

from zoo._command import is_out_of_memory, one_line

LONGEST = 1000  # characters of a value


def parse(key, text, example):
    """The value of one argument.

    Args:
        key: str, what errors call it.
        text: str: a literal of Python, or else a str itself.
        example: the default; a value must be of its type. `None` takes any.

    Raises:
        ValueError: if the value is of another type, or too long.
    """
    if len(text) > LONGEST:
        raise ValueError(
            f"`{key}` must be a value of at most {LONGEST:,} characters. "
            f"Received: {len(text):,}"
        )
    value = _literal(text)
    if isinstance(example, float) and type(value) is int:
        with contextlib.suppress(OverflowError):
            value = float(value)
    if isinstance(example, tuple) and isinstance(value, list):
        value = tuple(value)
    if example is not None and type(value) is not type(example):
        raise ValueError(
            f"`{key}` must be of type {type(example).__name__}, as {example!r} is. "
            f"Received: {text}"
        )
    return value


def _literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


@contextlib.contextmanager
def naming(argument, values, whatever=False):
    """Context in which a value that nobody checked becomes an error that names it.

    What a model or a source says about its own arguments passes as it is; what only
    happens because of a value (a division by 0, an attribute that a str does not
    have) is told with all the values that were given.

    Args:
        argument: str, where the values come from.
        values: dict of what was given.
        whatever: bool. Whether also a `ValueError` that does not begin with the name
            of an argument, as those of Keras, is told so.

    Raises:
        ValueError: instead of what happened.
    """
    try:
        yield
    except (OSError, RecursionError, ImportError):
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in values.items())
        if values and is_out_of_memory(error):
            raise ValueError(
                f"`{argument}` must give values that fit into memory. Received: {given}"
            ) from error
        ours = str(error).startswith("`")
        unclear = whatever or not isinstance(error, ValueError | RuntimeError)
        if not values or ours or not unclear:
            raise
        raise ValueError(
            f"`{argument}` must give values that can be used together. Received: "
            f"{given} ({type(error).__name__}: {one_line(error)[:200]})"
        ) from error
