"""What Countdown is learned from: equations that are true, and tries until one fits.

    equation    "3 5 7: "         "3*5+7=22"
    tries       "3 5 7 -> 38: "   "3*5+7=22;3*5*7=105;3+5*7=38"

A model that writes down what each try comes to can look at it, and go on.
"""

import itertools

import numpy as np

LARGEST = 25  # number in an equation; problems have smaller ones
SEPARATOR, EQUALS = ";", "="


def answer(text):
    """The last expression of a text of tries, without what it is said to come to.

    Args:
        text: str, such as "3*5+7=22;3+5*7=38", or a lone expression.

    Returns:
        str, such as "3+5*7".
    """
    return text.rpartition(SEPARATOR)[2].partition(EQUALS)[0]


def equations(expressions, count, apart, seed=1):
    """Rows of expressions with what they come to.

    Args:
        expressions: function from sorted numbers to a dict from each value to the texts
            that have it.
        count: int.
        apart: set of `(numbers, value)` that must not be seen.
        seed: int.

    Returns:
        list of dict of `prompt` and `completion`, str.
    """
    draws, rows = np.random.default_rng(seed), []
    while len(rows) < count:
        numbers = draws.integers(1, LARGEST + 1, draws.integers(2, 4)).tolist()
        key = tuple(sorted(numbers))
        value, text = _drawn(expressions(key), draws)
        if (key, value) not in apart:
            prompt = f"{' '.join(map(str, numbers))}: "
            rows.append({"prompt": prompt, "completion": _said(value, text)})
    return rows


def traces(problem, expressions, most, apart, draws):
    """A text of tries of which the last one solves a problem: up to `most` fail.

    Args:
        problem: `Problem` that can be solved.
        expressions: see `equations`.
        most: int >= 0.
        apart: set of `(numbers, value)` that are not tried.
        draws: `numpy.random.Generator`.

    Returns:
        str.
    """
    found = expressions(problem.numbers)
    wrong = [
        _said(value, text)
        for value, texts in found.items()
        if value != problem.target and (problem.numbers, value) not in apart
        for text in texts
    ]
    failed = min(draws.integers(most + 1), len(wrong))
    tried = [wrong[place] for place in draws.permutation(len(wrong))[:failed]]
    right = found[problem.target]
    last = _said(problem.target, right[draws.integers(len(right))])
    return SEPARATOR.join([*tried, last])


def _drawn(found, draws):
    """An expression of all, each as likely as the next: `(value, text)`."""
    place = draws.integers(sum(map(len, found.values())))
    every = ((value, text) for value, texts in found.items() for text in texts)
    return next(itertools.islice(every, int(place), None))


def _said(value, text):
    return f"{text}{EQUALS}{value}"
