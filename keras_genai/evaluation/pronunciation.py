"""How well words are said: errors of words and of phonemes."""

from keras_genai.evaluation.edits import edit_distance


def pronunciation_errors(found, references):
    """How many words, and how many of their sounds, are wrong.

    A word is right if what was found is any of its pronunciations. Errors of sounds
    are the edits to the nearest of them, over its length; the shorter is nearer where
    several are as near.

    Args:
        found: sequence of str, sounds with blanks between them.
        references: sequence of sequences of such str, the pronunciations of each word;
            empty ones do not count.

    Returns:
        dict of float: `word_error_rate` and `phoneme_error_rate`, shares.

    Raises:
        ValueError: if there are not as many words on both sides, or none, or if a word
            has no pronunciation.
    """
    if len(found) != len(references) or not len(found):
        raise ValueError(
            "`found` and `references` must be of one length, at least 1. "
            f"Received: {len(found)} and {len(references)}"
        )
    edits, sounds, wrong = 0, 0, 0
    for each, spoken in zip(found, references, strict=True):
        errors, length = _nearest(each.split(), spoken)
        edits, sounds, wrong = edits + errors, sounds + length, wrong + (errors > 0)
    return {
        "word_error_rate": wrong / len(found),
        "phoneme_error_rate": edits / sounds,
    }


def _nearest(found, spoken):
    """The edits to the nearest pronunciation, and its length."""
    known = [text.split() for text in spoken if text]
    if not known:
        raise ValueError(
            "`references` must have a pronunciation of every word. Received none of one"
        )
    return min((edit_distance(found, truth), len(truth)) for truth in known)
