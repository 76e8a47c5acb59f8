"""A bar for long work, where a person watches."""

import sys

import keras


def is_watched(shown=None):
    """Whether a bar is to be shown.

    Args:
        shown: bool; or `None`: if errors go to a terminal.
    """
    return sys.stderr.isatty() if shown is None else shown


def bar(rounds, unit):
    """Function of the rounds that are done, an int, which draws the bar.

    Args:
        rounds: int, how many there will be.
        unit: str, what one of them is called.
    """
    return keras.utils.Progbar(rounds, unit_name=unit).update


def watched(rounds, unit, shown=None):
    """Yields the elements of a sequence, and shows how many of them are done.

    Args:
        rounds: sequence.
        unit: str, what one of them is called.
        shown: see `is_watched`.
    """
    if not is_watched(shown):
        yield from rounds
        return
    update = bar(len(rounds), unit)
    for done, each in enumerate(rounds, start=1):
        yield each
        update(done)
