"""How good answers from a text are: exact match and F1, as SQuAD counts them."""

import collections

import numpy as np

from keras_genai.evaluation.words import spaced, without_punctuation

_ARTICLES = ("a", "an", "the")


def score_answers(
    model, questions, contexts, answers, stride=None, allow_none=False, batch_size=64
):
    """Exact match and F1 of the spans that a model finds.

    Args:
        model: `QuestionAnswering` with a tokenizer.
        questions: sequence of str.
        contexts: sequence of str, the text of each question, of any length.
        answers: sequence of sequences of str; an empty one has no answer in its text.
        stride: int or `None`. See `QuestionAnswering.answer`.
        allow_none: bool. Whether the model may say that there is no answer.
        batch_size: int. Questions that are read at once, all their windows together.

    Returns:
        dict of float, `exact_match` and `f1`.
    """
    found = []
    for first in range(0, len(questions), batch_size):
        rows = slice(first, first + batch_size)
        spans = model.answer(
            [str(question) for question in questions[rows]],
            [str(context) for context in contexts[rows]],
            stride=stride,
            allow_none=allow_none,
        )
        found += [span.text for span in spans]
    return {"exact_match": exact_match(found, answers), "f1": f1(found, answers)}


def exact_match(found, answers):
    """Share of the answers that are one of the true ones, both normalised.

    Args:
        found: sequence of str.
        answers: sequence of sequences of str, the true answers of each question; an
            empty one wants an empty answer.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: if there are not as many true answers as found ones.

    Reference: Rajpurkar et al. 2016, section 6.1, https://arxiv.org/abs/1606.05250
    """
    return _mean_of_best(found, answers, lambda one, true: float(one == true))


def f1(found, answers):
    """Mean harmonic mean of precision and recall of the words, of the best true answer.

    Args, returns, raises and reference: see `exact_match`.
    """
    return _mean_of_best(found, answers, _overlap)


def normalize(text):
    """A text in lower case, without punctuation, articles and superfluous blanks.

    Of scripts that put no blanks between words, each character counts as one.

    >>> normalize("The  Year 1987!")
    'year 1987'
    """
    found = spaced(without_punctuation(text)).split()
    return " ".join(word for word in found if word not in _ARTICLES)


def _overlap(one, true):
    words, wanted = one.split(), true.split()
    if not words or not wanted:  # "no answer" is right or wrong as a whole
        return float(words == wanted)
    common = (collections.Counter(words) & collections.Counter(wanted)).total()
    return 2 * common / (len(words) + len(wanted))


def _mean_of_best(found, answers, score):
    if len(found) != len(answers) or not len(found):
        raise ValueError(
            "`answers` must be as many as the texts found, at least 1. "
            f"Received: {len(answers)} and {len(found)}"
        )
    best = []
    for one, several in zip(found, answers, strict=True):
        true = [normalize(str(text)) for text in several] or [""]
        best.append(max(score(normalize(one), text) for text in true))
    return float(np.mean(best))
