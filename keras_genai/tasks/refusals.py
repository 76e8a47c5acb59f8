"""What a folder that cannot be opened, or must not be written, is answered with."""

import contextlib

LONGEST = 600  # characters


class PresetError(ValueError):
    """A preset folder cannot be read or written; the message is one line."""


@contextlib.contextmanager
def as_preset_error(what=""):
    """Context in which whatever goes wrong becomes a `PresetError` of one short line.

    Args:
        what: str. What the message begins with, such as a path.
    """
    try:
        yield
    except PresetError:
        raise
    except Exception as error:  # many kinds, from Keras, TensorFlow and other libraries
        raise PresetError(f"{what}: {_line(error)}" if what else _line(error)) from None


def listed(names, count=8):
    """The first of `names` in a sentence, and how many more there are."""
    shown = ", ".join(str(name)[:80] for name in names[:count])
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return shown + more


def _line(error):
    text = " ".join(str(error).partition("\n\n")[0].split())
    if not isinstance(error, ValueError | OSError):  # such as KeyError: 'depth'
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
