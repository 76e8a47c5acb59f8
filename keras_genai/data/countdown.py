"""Countdown: reach a target with some numbers, each used exactly once.

    Problem((3, 5, 7), 38).prompt    "3 5 7 -> 38: "
    a completion that solves it      "3+5*7", or "3*5*7=105;3+5*7=38"

Of several tries the last one is the answer. What a completion is worth is computed, not
judged: `solved` and `uses_all` are rewards for `PolicyTuning`. An expression has `+`,
`-`, `*` and parentheses, and is read by a parser of these alone.
"""

import collections
import dataclasses
import functools
import itertools
import re

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.data import conversations, tokenizers
from keras_genai.data.arguments import check_count
from keras_genai.data.countdown_tries import answer, equations, traces
from keras_genai.data.loading import Splits

LONGEST = 100  # characters of an expression; a parser of deeper ones would not end
TEXTS = 16  # of tries, of each problem that is seen solved
_ROW = 128  # tokens of texts that share one
_HELD_OUT = 1000  # problems of the test, at most a quarter of all
_TOKEN = re.compile(r"[0-9]+|[-+*()]")
_PROMPT = re.compile(r"([0-9]+(?: [0-9]+)*) -> ([0-9]+): ")
_CHARACTERS = "0123456789 +-*()>:=;"
# How tightly an expression holds together where it is a part of another one.
_SUM, _PRODUCT, _NUMBER = range(3)


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """Numbers, and what is to be made of them.

    Args:
        numbers: tuple of int >= 1, sorted here.
        target: int >= 1.

    Raises:
        TypeError: if one is not an int.
        ValueError: if one is below 1, or if there are no numbers.
    """

    numbers: tuple
    target: int

    def __post_init__(self):
        check_integer("target", self.target, 1)
        for number in self.numbers:
            check_integer("numbers", number, 1)
        if not self.numbers:
            raise ValueError("`numbers` must be at least one int. Received: none")
        object.__setattr__(self, "numbers", tuple(sorted(self.numbers)))

    @classmethod
    def read(cls, prompt):
        """The problem that a prompt asks for.

        Args:
            prompt: str, as `prompt` writes it.

        Raises:
            ValueError: if it is no such text.
        """
        found = _PROMPT.fullmatch(prompt)
        if found is None:
            raise ValueError(
                "`prompt` must be like '3 5 7 -> 38: '. Received: " + repr(prompt[:60])
            )
        return cls(tuple(map(int, found[1].split())), int(found[2]))

    @property
    def prompt(self):
        """str: how it is asked."""
        return f"{' '.join(map(str, self.numbers))} -> {self.target}: "

    def is_legal(self, text):
        """Whether the last try of a text uses every number exactly once."""
        found = evaluate(answer(text))
        return found is not None and found.numbers == self.numbers

    def is_solution(self, text):
        """Whether it does, and has the target as its value, whatever is said of it."""
        return self.is_legal(text) and evaluate(answer(text)).value == self.target

    def solutions(self):
        """tuple of str: the expressions that solve it, each in one way of writing."""
        return _expressions(self.numbers).get(self.target, ())

    def chance(self):
        """float: the share of all legal expressions, each written once, that solve it.

        So often does one solve it that is taken blindly.
        """
        every = sum(map(len, _expressions(self.numbers).values()))
        return len(self.solutions()) / every


@dataclasses.dataclass(frozen=True)
class Value:
    """What an expression comes to.

    Attributes:
        value: int.
        numbers: tuple of int, those in it, sorted.
    """

    value: int
    numbers: tuple


def evaluate(text):
    """The value of an expression of `+`, `-`, `*`, parentheses and whole numbers.

    It is exact, and no code is run.

    Args:
        text: str. Blanks around numbers and signs do not count.

    Returns:
        `Value`, or `None` if it is no such expression, or of more than 100 characters.
    """
    compact = _TOKEN.sub("", text).strip(" ")
    if compact or len(text) > LONGEST:
        return None
    tokens, numbers = collections.deque(_TOKEN.findall(text)), []
    try:
        value = _read_sum(tokens, numbers)
    except _NotAnExpressionError:
        return None
    return None if tokens else Value(value, tuple(sorted(numbers)))


def solved(prompts, completions):
    """A reward: 1 for each completion that solves its problem, else 0.

    Args:
        prompts: list of str, as `Problem.prompt` writes them.
        completions: list of as many str.

    Returns:
        list of float.
    """
    pairs = zip(prompts, completions, strict=True)
    return [float(Problem.read(prompt).is_solution(text)) for prompt, text in pairs]


def uses_all(prompts, completions):
    """A reward: 1 for each last try that uses every number exactly once, else 0.

    Args:
        prompts, completions: see `solved`.

    Returns:
        list of float.
    """
    pairs = zip(prompts, completions, strict=True)
    return [float(Problem.read(prompt).is_legal(text)) for prompt, text in pairs]


@functools.lru_cache(maxsize=4)
def problems(count=3, largest=13, most=100):
    """All problems that can be solved.

    Args:
        count: int, numbers of each, from 2 to 5.
        largest: int. Numbers are from 1 to it.
        most: int. Targets are from 1 to it.

    Returns:
        tuple of `Problem`, sorted.
    """
    check_integer("count", count, 2)
    check_integer("largest", largest, 1)
    check_integer("most", most, 1)
    if count > 5:
        raise ValueError(f"`count` must be from 2 to 5. Received: {count=}")
    every = itertools.combinations_with_replacement(range(1, largest + 1), count)
    return tuple(
        Problem(numbers, target)
        for numbers in every
        for target in sorted(_expressions(numbers))
        if 1 <= target <= most
    )


def countdown(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    examples=1000,
    tries=0,
    true=0,
    count=3,
    largest=13,
    most=100,
    stand_in=False,
):
    """Problems with solutions to learn from, and problems to solve: offline.

    All problems are shuffled once, whatever `seed` is, and cut: 1,000 for the test, at
    most a quarter of all, and half as many for validation; no problem is in two parts.
    The first `examples` of the others come with a solution, a random one of those that
    there are, after up to `tries` that fail. `prompts` has all of the others as rows,
    whose `completion` is empty where no solution is shown. No try or equation that is
    learned from solves a problem of the test or of the validation.

    Args:
        batch_size: int, problems a batch.
        seed: int. Which problems come in which batch.
        data_dir: unused.
        examples: int. How many problems are seen with a solution.
        tries: int. At most so many expressions fail before it, at random. If above 0,
            a problem is seen with 16 such texts, and rows of 128 tokens have several.
        true: int. Equations to learn from, besides.
        count, largest, most: see `problems`.
        stand_in: bool. If `True`, a hundred problems of the numbers to 6, for tests.

    Returns:
        `Splits` with `test`, a dict of `prompts`, str `(N,)`, as `held_out`, too. A
        batch is that of `keras_genai.data.conversations.loader`. The tokenizer has the
        characters of problems, and an end token.
    """
    check_count("examples", examples)
    for name, value in (("tries", tries), ("true", true)):
        check_integer(name, value, 0)
    every = (
        problems(count, 6, most)[:100] if stand_in else problems(count, largest, most)
    )
    train, held_out, test = _cut(every)
    tokenizer = tokenizers.characters(
        _CHARACTERS, pad_token="<pad>", start_token="<s>", end_token="</s>"
    )
    apart = {(each.numbers, each.target) for each in (*held_out, *test)}
    draws = np.random.default_rng(1)
    true = min(true, 20) if stand_in else true
    example = functools.partial(_example, tries=tries, apart=apart, draws=draws)
    known = [example(problem) for problem in train[:examples]]
    more = [
        example(problem)
        for problem in train[:examples]
        for _ in range(TEXTS - 1 if tries else 0)
    ]
    others = [{"prompt": each.prompt, "completion": ""} for each in train[examples:]]
    validation = [example(problem) for problem in held_out]
    rows = [*known, *more, *equations(_expressions, true, apart)]
    loader = functools.partial(
        conversations.loader,
        tokenizer=tokenizer,
        length=_ROW if tries else None,
        packed=tries > 0,
    )
    return Splits(
        loader(rows, batch_size=batch_size, seed=seed),
        loader(validation, batch_size=batch_size, shuffle=False, fixed=True),
        tokenizer,
        held_out=_asked(held_out),
        test=_asked(test),
        name="countdown",
        prompts=(*known, *others),
    )


class _NotAnExpressionError(Exception):
    pass


def _read_sum(tokens, numbers):
    """The value of what begins a deque of tokens, which is taken from it."""
    value = _read_product(tokens, numbers)
    while tokens and tokens[0] in "+-":
        sign = 1 if tokens.popleft() == "+" else -1
        value += sign * _read_product(tokens, numbers)
    return value


def _read_product(tokens, numbers):
    value = _read_part(tokens, numbers)
    while tokens and tokens[0] == "*":
        tokens.popleft()
        value *= _read_part(tokens, numbers)
    return value


def _read_part(tokens, numbers):
    first = tokens.popleft() if tokens else ""
    if first.isdigit():
        numbers.append(int(first))
        return numbers[-1]
    if first == "(":
        value = _read_sum(tokens, numbers)
        if tokens and tokens.popleft() == ")":
            return value
    raise _NotAnExpressionError


@functools.lru_cache(maxsize=2**14)
def _expressions(numbers):
    """dict from each value of these sorted numbers to a sorted tuple of its texts."""
    found = collections.defaultdict(set)
    for value, text, _ in _written(numbers):
        found[value].add(text)
    return {value: tuple(sorted(texts)) for value, texts in found.items()}


@functools.lru_cache(maxsize=2**14)
def _written(numbers):
    """frozenset of `(value, text, how tightly it holds together)`."""
    if len(numbers) == 1:
        return frozenset({(numbers[0], str(numbers[0]), _NUMBER)})
    pairs = (
        pair
        for left, right in _partings(numbers)
        for pair in itertools.product(_written(left), _written(right))
    )
    return frozenset(each for left, right in pairs for each in _joined(left, right))


def _partings(numbers):
    """set of `(left, right)`: the ways to part sorted numbers into two, none empty."""
    places = range(len(numbers))
    chosen = (
        each for size in places[1:] for each in itertools.combinations(places, size)
    )
    return {
        (
            tuple(numbers[place] for place in left),
            tuple(numbers[place] for place in places if place not in left),
        )
        for left in chosen
    }


def _joined(left, right):
    """Yields what two expressions come to by each sign, with as few parentheses."""
    (one, _, _), (other, _, _) = left, right
    if left <= right:  # or the same would be said twice
        yield one + other, f"{left[1]}+{right[1]}", _SUM
        yield one * other, f"{_inside(left)}*{_inside(right)}", _PRODUCT
    yield one - other, f"{left[1]}-{_inside(right)}", _SUM


def _inside(part):
    """The text of a part of a product, or of what is taken away."""
    _, text, tightness = part
    return f"({text})" if tightness == _SUM else text


def _cut(every):
    """Problems of training, validation and test, lists."""
    order = np.random.default_rng(0).permutation(len(every))
    every = [every[index] for index in order]
    test = min(_HELD_OUT, len(every) // 4)
    held_out = test // 2
    return every[test + held_out :], every[test : test + held_out], every[:test]


def _example(problem, tries, apart, draws):
    """A row of a problem with one of its solutions, after tries that fail."""
    if tries:
        text = traces(problem, _expressions, tries, apart, draws)
    else:
        ways = problem.solutions()
        text = ways[draws.integers(len(ways))]
    return {"prompt": problem.prompt, "completion": text}


def _asked(problems):
    return {"prompts": np.array([problem.prompt for problem in problems])}
