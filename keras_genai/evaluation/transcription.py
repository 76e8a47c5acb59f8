"""How much of what was said was understood: error rates of words and characters."""

from keras_genai.evaluation.edits import edit_distance

__all__ = [
    "character_error_rate",
    "error_rate",
    "phone_error_rate",
    "word_error_rate",
]


def error_rate(found, truth):
    """Edits of all texts together, over the length of all references together.

    Long texts count more than short ones, as is usual (it is a micro-average), and the
    rate may exceed 1. Nothing found where nothing was said is right.

    Args:
        found: list of sequences.
        truth: list of sequences, one reference each.

    Returns:
        float: 0 is all right; infinity where all references are empty and something
        was found.

    Raises:
        ValueError: if there are not as many references, or none.
    """
    found, truth = list(found), list(truth)
    if len(found) != len(truth) or not found:
        raise ValueError(
            "`truth` must be a reference for each text, at least one. "
            f"Received: {len(truth)} for {len(found)}"
        )
    edits = sum(map(edit_distance, found, truth))
    total = sum(map(len, truth))
    return edits / total if total else float("inf") if edits else 0.0


def word_error_rate(found, truth):
    """WER: `error_rate` of words, which stand between blanks.

    Args:
        found: list of str.
        truth: list of str, one reference each.

    Returns:
        float.

    Raises:
        ValueError: see `error_rate`.
    """
    return error_rate(map(str.split, found), map(str.split, truth))


def character_error_rate(found, truth):
    """CER: `error_rate` of characters; runs of blanks count as one, outer ones not.

    Args and the rest: see `word_error_rate`.
    """
    return error_rate(map(_one_blank, found), map(_one_blank, truth))


def phone_error_rate(found, truth):
    """PER: `error_rate` of phones, which stand between blanks, or in sequences.

    Args:
        found: list of str, or of sequences of phones.
        truth: list of the same, one reference each.

    Returns:
        float.

    Raises:
        ValueError: see `error_rate`.
    """
    return error_rate(map(_phones, found), map(_phones, truth))


def _one_blank(text):
    return " ".join(text.split())


def _phones(text):
    return text.split() if isinstance(text, str) else list(text)
