"""Small n-gram models, counted from a text with structure."""

import keras
import numpy as np
import pytest

from keras_genai.networks.ngram import NGram
from keras_genai.networks.ngram_smoothing import AddK, KneserNey, MaximumLikelihood
from keras_genai.tasks.counting import CountingLM

VOCABULARY = 7
SMOOTHINGS = [MaximumLikelihood(), AddK(0.3), KneserNey()]
every_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=repr)


def text(length=300, seed=0, vocabulary=VOCABULARY):
    """Tokens with structure: mostly a cycle, now and then a jump."""
    jumps = np.random.default_rng(seed).geometric(0.7, length)
    return np.cumsum(jumps) % (vocabulary - 1)  # the last token never occurs


def make(order, smoothing=SMOOTHINGS[-1], vocabulary_size=VOCABULARY):
    return CountingLM(
        NGram(vocabulary_size=vocabulary_size, order=order, smoothing=smoothing)
    )


def fitted(smoothing=SMOOTHINGS[-1], order=3, tokens=None):
    model = make(order, smoothing)
    model.fit_tokens(text() if tokens is None else tokens)
    return model


def scores_of(model, tokens):
    return model.network.log_probabilities(tokens)


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss)
    return model
