"""The compiled search finds the best text, and does not sort what it need not."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.samplers import Beam, beam
from keras_genai.samplers.loop import Text

VOCABULARY, LENGTH = 40, 4
TABLE = np.random.default_rng(0).standard_normal((VOCABULARY, VOCABULARY))
START = 3


class Bigrams:
    """A decoder whose next token depends on the last one alone."""

    vocabulary_size = VOCABULARY
    context = None

    def decode(self, tokens, positions, cache, index):
        return tf.gather(tf.constant(TABLE, tf.float32), tokens[:, -1]), cache


def searched(sampler):
    """A function of int32 `(1, 1)`, the first token: the best text after it."""
    numbers = {
        "sampler": sampler.numbers(VOCABULARY),
        "stops": np.zeros(VOCABULARY, bool),
        "max_length": np.int32(LENGTH),
    }
    numbers = tf.nest.map_structure(tf.constant, numbers) | {"source": None}

    def run(first):
        text = Text(
            tf.pad(first, [[0, 0], [0, LENGTH - 1]]),
            tf.constant([1]),
            tf.constant([False]),
        )
        window = (first, tf.zeros_like(first))
        cache = {"nothing": tf.zeros((1, 1))}
        return beam.search(Bigrams(), sampler, window, cache, text, numbers).tokens

    return tf.function(run, jit_compile=True)


@pytest.mark.slow
def test_as_many_beams_as_tokens_find_the_best_of_all_texts():
    scores = TABLE - np.log(np.exp(TABLE).sum(axis=1, keepdims=True))

    def score(text):
        return sum(scores[pair] for pair in itertools.pairwise(text))

    texts = itertools.product([START], *[range(VOCABULARY)] * (LENGTH - 1))
    best = max(texts, key=score)
    found = searched(Beam(VOCABULARY))(tf.constant([[START]]))
    np.testing.assert_array_equal(found[0], best)


@pytest.mark.slow
def test_the_compiled_search_never_sorts_all_candidates():
    search = searched(Beam(4))
    program = search.experimental_get_compiler_ir(tf.constant([[START]]))
    program = program(stage="optimized_hlo")
    assert '"TopK"' in program
    # A sort of every token of every candidate takes longer than the model itself.
    assert " sort(" not in program
