"""One sampler for many rows, each of which asks for something else.

All that a `Greedy` or `Sample` may ask for is a number a row, with one that changes
nothing for those that do not ask: so no request ever compiles anything. What no row
asks for is not computed.
"""

import numpy as np
import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers.penalties import (
    FrequencyPenalty,
    LogitBias,
    PresencePenalty,
    RepetitionPenalty,
)
from keras_genai.samplers.tokens import NO_LIMIT, Greedy, Sample, likeliest

# The rules that a row may have, in this order, as they are when they change nothing.
PENALTIES = (RepetitionPenalty(1.0), FrequencyPenalty(0.0), PresencePenalty(0.0))
KINDS = (RepetitionPenalty, FrequencyPenalty, PresencePenalty, LogitBias)


def neutral(vocabulary_size):
    """The numbers of a row that takes the likeliest token.

    Returns:
        dict of arrays `(1,)`, and `bias`, float32 `(V,)`.
    """
    numbers = {
        "greedy": np.bool_(True),
        "temperature": np.float32(1),
        "top_k": np.int32(vocabulary_size),
        "top_p": np.int32(NO_LIMIT),
        "min_p": np.float32(-np.inf),
        "typical_p": np.int32(NO_LIMIT),
        **_penalties(PENALTIES, vocabulary_size),
    }
    numbers = {name: np.reshape(number, (1,)) for name, number in numbers.items()}
    return {**numbers, "bias": np.zeros(vocabulary_size, "float32")}


def row_numbers(sampler, vocabulary_size):
    """The numbers of a row that does what a sampler does.

    Args:
        sampler: `Greedy` or `Sample`, with at most one of each of `KINDS`, in their
            order, as rules.
        vocabulary_size: int.

    Returns:
        dict, as `neutral`.

    Raises:
        TypeError: if `sampler` is another.
        ValueError: if it has other rules, or tokens outside of the vocabulary.
    """
    if not isinstance(sampler, Greedy | Sample):
        raise TypeError(f"`sampler` must be a Greedy or Sample. Received: {sampler!r}")
    rules = {type(rule): rule for rule in sampler.rules}
    ordered = [kind for kind in KINDS if kind in rules]
    if ordered != [type(rule) for rule in sampler.rules]:
        raise ValueError(
            "`sampler` must have rules of at most one of each of "
            f"{[kind.__name__ for kind in KINDS]}, in this order. Received: {sampler}"
        )
    numbers = neutral(vocabulary_size)
    found = sampler.numbers(vocabulary_size)
    found.pop("rules")
    found["greedy"] = isinstance(sampler, Greedy)
    penalties = [rules[kind] for kind in KINDS[:-1] if kind in rules]
    found |= _penalties(penalties, vocabulary_size)
    for name, number in found.items():
        numbers[name][:] = number
    if LogitBias in rules:
        numbers["bias"] = rules[LogitBias].numbers(vocabulary_size)
    return numbers


def choose(logits, history, seeds, numbers):
    """A token for every row.

    Args:
        logits: float32 `(B, V)`.
        history: `History`.
        seeds: uint32 `(B, 2)`.
        numbers: dict of `(B, 1)`, and `bias`, `(B, V)`, see `neutral`.

    Returns:
        int32 `(B,)`: of each row what its sampler chooses when it is alone.
    """
    logits = _ruled(logits, history, numbers)
    best = likeliest(logits)
    greedy = numbers["greedy"][:, 0]

    def draw():
        kept = _restricted(logits, numbers)
        return draws.categorical(kept, draws.row_uniform(seeds, history.lengths))

    drawn = tf.cond(tf.reduce_all(greedy), lambda: best, draw)
    return tf.where(greedy, best, drawn)


def likely_tokens(logits, chosen, wanted, most):
    """The log-probabilities of chosen tokens, and of the likeliest ones.

    Args:
        logits: float32 `(B, V)`.
        chosen: int32 `(B,)`.
        wanted: int32 `(B,)`. How many of the likeliest are wanted; -1: not even the
            chosen one.
        most: int. The largest of `wanted`.

    Returns:
        `(logprobs, tokens, best)`: float32 `(B,)`, int32 `(B, most)` and float32
        `(B, most)`, the likeliest first. What nobody wants is 0.
    """
    batch = logits.shape[0]
    nothing = (
        tf.zeros((batch,)),
        tf.zeros((batch, most), tf.int32),
        tf.zeros((batch, most)),
    )
    count = tf.reduce_max(wanted)

    def say():
        logprobs = tf.nn.log_softmax(logits)
        own = tf.gather(logprobs, chosen, batch_dims=1)
        places, columns = tf.range(most)[None], tf.range(logits.shape[1])[None]

        def take(number, left, tokens, best):
            token = likeliest(left)
            value = tf.gather(left, token, batch_dims=1)
            here = places == number
            tokens = tf.where(here, token[:, None], tokens)
            best = tf.where(here, value[:, None], best)
            left = tf.where(columns == token[:, None], -float("inf"), left)
            return number + 1, left, tokens, best

        _, _, tokens, best = tf.while_loop(
            lambda number, *_: number < count,
            take,
            (tf.constant(0), logprobs, *nothing[1:]),
        )
        return own, tokens, best

    return tf.cond(count >= 0, say, lambda: nothing)


def _penalties(rules, vocabulary_size):
    """The numbers of penalties by name: one of each rule, and where some begin."""
    found = {}
    for rule in rules:
        name = _NAMES[type(rule)]
        numbers = rule.numbers(vocabulary_size)
        if isinstance(numbers, tuple):
            numbers, found[f"{name}_begin"] = numbers
        found[name] = numbers
    return found


_NAMES = {
    RepetitionPenalty: "repetition",
    FrequencyPenalty: "frequency",
    PresencePenalty: "presence",
}


def _ruled(logits, history, numbers):
    for rule in PENALTIES:
        name = _NAMES[type(rule)]
        number, begin = numbers[name], numbers.get(f"{name}_begin")
        neutral_number = np.float32(rule.penalty)
        number_or_pair = number if begin is None else (number, begin)

        def apply(logits=logits, rule=rule, numbers=number_or_pair):
            return rule.apply(logits, history, numbers)

        logits = _if_any(number != neutral_number, apply, logits)
    bias = numbers["bias"]
    # Not a sum: see `LogitBias`.
    return _if_any(bias != 0, lambda: logits - -bias, logits)


def _restricted(logits, numbers):
    """As `Sample.restrict`, each part of it only if a row asks for it."""
    logits = logits / numbers["temperature"]
    size = logits.shape[-1]
    for name, asked in (
        ("top_k", numbers["top_k"] < size),
        ("top_p", numbers["top_p"] < NO_LIMIT),
        ("min_p", numbers["min_p"] > -np.inf),
        ("typical_p", numbers["typical_p"] < NO_LIMIT),
    ):
        one = {"temperature": np.float32(1), name: numbers[name]}

        def restrict(logits=logits, one=one):
            return Sample().restrict(logits, one)

        logits = _if_any(asked, restrict, logits)
    return logits


def _if_any(asked, change, logits):
    return tf.cond(tf.reduce_any(asked), change, lambda: logits)
