"""How much of what a model writes it has written before."""

from keras_genai.checks import check_integer
from keras_genai.evaluation.words import words


def distinct(texts, n=2):
    """The share of runs of `n` words that are different ones, over all texts together.

    It falls with the number of texts, so that only equal numbers compare.

    Args:
        texts: sequence of str.
        n: int.

    Returns:
        float in [0, 1]; 0 if no text has `n` words.

    Reference: Li et al. 2016, section 5.3, https://arxiv.org/abs/1510.03055
    """
    check_integer("n", n, 1)
    runs = [run for text in _checked(texts) for run in _runs(words(text), n)]
    return len(set(runs)) / max(len(runs), 1)


def unique_share(texts):
    """The share of texts that are different ones: 1 if nothing is said twice.

    Args:
        texts: sequence of str.

    Returns:
        float in (0, 1].
    """
    texts = _checked(texts)
    return len(set(texts)) / len(texts)


def _runs(tokens, n):
    return zip(*(tokens[start:] for start in range(n)), strict=False)


def _checked(texts):
    texts = list(texts)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"`texts` must be a sequence of at least one str. Received: {texts!r:.80}"
        )
    return texts
