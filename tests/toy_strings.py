"""A language of 4 tokens and at most 3 of them, of which everything is known.

Token 0 ends a string: there are 40 whole ones, 27 of which are cut by the length. A
policy is a table of logits, a row for each of 13 prefixes. What is said here in NumPy
and float64 is what tasks must find in float32.
"""

import itertools

import keras
import numpy as np
from keras import ops

from keras_genai.declared import Count
from keras_genai.modalities.text import Text
from keras_genai.networks.language import LanguageNetwork, TokenNetwork
from keras_genai.samplers.rollouts import Rollout
from keras_genai.tasks.language import CausalLM

V, L, END = 4, 3, 0
PREFIXES = [p for n in range(L) for p in itertools.product((1, 2, 3), repeat=n)]
INDEX = {prefix: row for row, prefix in enumerate(PREFIXES)}
STRINGS = [(*prefix, END) for prefix in PREFIXES]
STRINGS += list(itertools.product((1, 2, 3), repeat=L))
N, P = len(STRINGS), len(PREFIXES)
LENGTHS = np.array([len(string) for string in STRINGS])
MASK = np.arange(L)[None] < LENGTHS[:, None]
TOKENS = np.array([(*string, *[0] * (L - len(string))) for string in STRINGS])
PROMPTED = np.pad(TOKENS, [[0, 0], [1, 0]]).astype("int32")  # behind the prompt [0]
STEPS = np.array(
    [[INDEX[s[:t]] if t < len(s) else 0 for t in range(L)] for s in STRINGS]
)
DRAWS = np.random.default_rng(0)
REFERENCE = DRAWS.normal(size=(P, V))
REWARDS = DRAWS.normal(size=N)
OTHER = DRAWS.normal(size=(P, V))  # some policy that is neither
BETA = 0.5


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def token_nats(logits):
    """(N, L): log-probability of each token of each string, 0 at padding."""
    return log_softmax(logits)[STEPS, TOKENS] * MASK


def nats(logits):
    """(N,): log-probability of each string."""
    return token_nats(logits).sum(axis=1)


def score(logits, weights):
    """Sum over tokens of `weights` (N, L) times the slope of its log-probability."""
    weights = weights * MASK
    slope, total = np.zeros((P, V)), np.zeros(P)
    np.add.at(slope, (STEPS, TOKENS), weights)
    np.add.at(total, STEPS, weights)
    return slope - total[:, None] * np.exp(log_softmax(logits))


def objective(logits):
    """Expected reward less `BETA` times the divergence from the reference."""
    found = nats(logits)
    gain = REWARDS - BETA * (found - nats(REFERENCE))
    return float((np.exp(found) * gain).sum())


def beginning_with(prefix):
    """Strings that begin so, by their numbers."""
    size = len(prefix)
    return [row for row, string in enumerate(STRINGS) if string[:size] == prefix]


def best_nats(beta, rewards):
    """(N,): of the best policy, and `beta` log Z, which is its objective."""
    target = nats(REFERENCE) + rewards / beta
    log_z = np.logaddexp.reduce(target)
    return target - log_z, beta * log_z


def optimum(beta=BETA, rewards=REWARDS):
    """The policy with the most reward less `beta` times the divergence."""
    found, _ = best_nats(beta, rewards)
    return np.array(
        [
            [np.logaddexp.reduce(found[beginning_with((*p, v))]) for v in range(V)]
            for p in PREFIXES
        ]
    )


BEST = best_nats(BETA, REWARDS)[1]
OPTIMUM = optimum()
# What is still to come after each prefix, of the best policy.
SOFT_VALUES = BETA * np.array(
    [
        np.logaddexp.reduce((nats(REFERENCE) + REWARDS / BETA)[beginning_with(p)])
        - np.logaddexp.reduce(nats(REFERENCE)[beginning_with(p)])
        for p in PREFIXES
    ]
)


def share_missing(logits):
    """float: how much of what can be won over the reference is missing."""
    return (BEST - objective(logits)) / (BEST - objective(REFERENCE))


class PrefixTable(LanguageNetwork):
    """Logits by all tokens after the first one, the prompt; hidden vectors say which.

    A hidden vector is the row of its prefix in a unit matrix, so that any linear head
    is a table, too.
    """

    jit_generate = False
    context = 1 + L
    width = P

    vocabulary_size: Count = V

    def make(self):
        self.table = self.add_weight((P, V), initializer="zeros", name="table")

    def call(self, tokens, training=False):
        return self.logits(self.hidden(tokens))

    def hidden(self, tokens, mask=None):
        first, second = tokens[:, 1], tokens[:, 2]
        rows = [ops.zeros_like(first), first, _row(first, second)]
        return ops.one_hot(ops.stack(rows, axis=1), P)

    def logits(self, hidden):
        return ops.matmul(hidden, self.table)

    def initial_cache(self, batch_size, length):
        return {"first": ops.zeros((batch_size,), "int32")}

    def decode(self, tokens, positions, cache, index):
        place = ops.max(positions, axis=1)
        last = ops.where(place == 0, tokens[:, 0], tokens[:, -1])
        first = ops.where(place == 1, last, cache["first"])
        row = ops.where(place == 1, first, _row(first, last))
        row = ops.where(place == 0, 0, row)
        return self.logits(ops.one_hot(row, P)), {"first": first}


def _row(first, second):
    return ops.clip(4 + 3 * (first - 1) + second - 1, 0, P - 1)


class WholeStrings(TokenNetwork):
    """Its vector of a whole string is 1 in that string's place and 0 elsewhere."""

    context = 1 + L
    width = N

    vocabulary_size: Count = V

    def hidden(self, tokens, mask=None):
        first, second, third = (tokens[:, place : place + 1] for place in (1, 2, 3))
        codes = [0 * first, first, 4 * first + second + 4]
        codes.append(16 * first + 4 * second + third + 20)
        rows = np.full(20 + 4**L, -1, "int32")
        for row, string in enumerate(STRINGS):
            code = int("".join(map(str, string)), 4)
            rows[code + {1: 0, 2: 4, 3: 20}[len(string)]] = row
        return ops.one_hot(ops.take(rows, ops.concatenate(codes, 1)), self.width)


def policy(logits):
    """A `CausalLM` of a table of logits."""
    model = CausalLM(PrefixTable(), Text(vocabulary_size=V))
    model.network.table.assign(logits)
    return model


def worth(prompts, completions):
    """The reward of each completion."""
    return [REWARDS[STRINGS.index(tuple(map(int, row)))] for row in completions]


def every_string():
    """`Rollout` of all strings, once each, behind the prompt [0]."""
    return Rollout(
        tokens=PROMPTED,
        prompt_lengths=np.ones(N, "int32"),
        lengths=(1 + LENGTHS).astype("int32"),
        ended=np.arange(N) < P,
    )


def every_pair():
    """The strings of all pairs, by their numbers, and the pairs as a batch."""
    one, other = (each.ravel() for each in np.indices((N, N)))
    lengths = np.stack([LENGTHS[one], LENGTHS[other]], axis=1)
    arrays = {
        "tokens": np.stack([PROMPTED[one], PROMPTED[other]], axis=1),
        "prompt_lengths": np.ones(len(one), "int32"),
        "completion_mask": np.arange(L) < lengths[..., None],
    }
    return one, other, arrays


def table(model):
    """float64 array: the logits of a policy."""
    return keras.ops.convert_to_numpy(model.network.table).astype("float64")
