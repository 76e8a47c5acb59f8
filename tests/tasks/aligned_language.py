"""A language of 40 strings in which everything about alignment can be computed.

Four tokens, of which 0 ends a string, at most three of them; 27 strings are cut by
their length. A policy is a table of logits, a row for each of the 13 prefixes. Rows of
a batch begin with token 0, the prompt.
"""

import itertools

import numpy as np
from keras import ops

from keras_genai.declared import Count
from keras_genai.networks.language import LanguageNetwork, TokenNetwork
from keras_genai.tasks.language import CausalLM

VOCABULARY, LONGEST, END = 4, 3, 0
PREFIXES = [
    prefix
    for length in range(LONGEST)
    for prefix in itertools.product((1, 2, 3), repeat=length)
]
STRINGS = [(*prefix, END) for prefix in PREFIXES]
STRINGS += list(itertools.product((1, 2, 3), repeat=LONGEST))
LENGTHS = np.array([len(string) for string in STRINGS], "int32")
TOKENS = np.zeros((len(STRINGS), 1 + LONGEST), "int32")
for _row, _string in zip(TOKENS, STRINGS, strict=True):
    _row[1 : 1 + len(_string)] = _string

DRAWS = np.random.default_rng(0)
REFERENCE = DRAWS.normal(size=(len(PREFIXES), VOCABULARY))
REWARD = DRAWS.normal(size=len(STRINGS))
BETA = 0.5


class Table(LanguageNetwork):
    """Looks the logits up by the whole prefix."""

    context = 1 + LONGEST
    width = len(PREFIXES)

    vocabulary_size: Count = VOCABULARY

    def make(self):
        self.table = self.add_weight((len(PREFIXES), VOCABULARY), name="table")

    def call(self, tokens, training=False):
        return self.logits(self.hidden(tokens))

    def hidden(self, tokens, mask=None):
        first, second = ops.split(ops.pad(tokens, [[0, 0], [0, 3]])[:, 1:3], 2, axis=1)
        second = 4 + 3 * (first - 1) + second - 1
        rows = ops.concatenate([ops.zeros_like(first), first, second], axis=1)
        rows = ops.clip(rows[:, : tokens.shape[1]], 0, self.width - 1)
        return ops.one_hot(rows, self.width)

    def logits(self, hidden):
        return ops.matmul(hidden, self.table)


class Strings(TokenNetwork):
    """Its vector of a whole string is 1 in that string's place and 0 elsewhere."""

    context = 1 + LONGEST
    width = len(STRINGS)

    vocabulary_size: Count = VOCABULARY

    def hidden(self, tokens, mask=None):
        first, second, third = (tokens[:, place : place + 1] for place in (1, 2, 3))
        codes = [0 * first, first, 4 * first + second + 4]
        codes.append(16 * first + 4 * second + third + 20)
        rows = np.full(20 + 4**LONGEST, -1, "int32")
        for row, string in enumerate(STRINGS):
            code = int("".join(map(str, string)), 4)
            rows[code + {1: 0, 2: 4, 3: 20}[len(string)]] = row
        return ops.one_hot(ops.take(rows, ops.concatenate(codes, 1)), self.width)


def policy(table=REFERENCE):
    """A `CausalLM` of a table of logits `(13, 4)`."""
    model = CausalLM(Table())
    model.network.table.assign(table)
    return model


def log_probabilities(table):
    """float64 `(40,)`: of every string, computed apart from the library."""
    table = np.asarray(table, "float64")
    table = table - np.log(np.exp(table).sum(axis=1, keepdims=True))
    return np.array(
        [
            sum(
                table[PREFIXES.index(string[:place]), token]
                for place, token in enumerate(string)
            )
            for string in STRINGS
        ]
    )


def optimum(beta=BETA, reward=REWARD):
    """The table of the policy with the most reward less `beta` times the KL."""
    target = log_probabilities(REFERENCE) + reward / beta
    table = np.zeros(REFERENCE.shape)
    for row, prefix in enumerate(PREFIXES):
        for token in range(VOCABULARY):
            head = (*prefix, token)
            inside = [
                index
                for index, string in enumerate(STRINGS)
                if string[: len(head)] == head
            ]
            table[row, token] = np.logaddexp.reduce(target[inside])
    return table


def log_partition(beta=BETA):
    """float: log Z, so that the largest objective is `beta * log Z`."""
    return float(np.logaddexp.reduce(log_probabilities(REFERENCE) + REWARD / beta))
