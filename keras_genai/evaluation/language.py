"""Scores of language models on a whole text, the same for every family."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from keras_genai.progress import watched

# Enough rows to keep the cores busy, few enough that logits stay small.
ROWS = 32


@dataclasses.dataclass(frozen=True)
class TextScore:
    """How surprised a model was by a text.

    Attributes:
        nats: float. Sum of `-log p` over all tokens, in nats.
        tokens: int.
        characters: int, or `None` if unknown.
    """

    nats: float
    tokens: int
    characters: int | None = None

    @property
    def nats_per_token(self):
        return self.nats / self.tokens

    @property
    def bits_per_token(self):
        return self.nats_per_token / math.log(2)

    @property
    def perplexity(self):
        """Per token; infinite where a token was held impossible."""
        return float(np.exp(min(self.nats_per_token, 700.0)))

    @property
    def nats_per_character(self):
        return self.nats / self.characters if self.characters else None

    @property
    def bits_per_character(self):
        return self.nats_per_character and self.nats_per_character / math.log(2)

    def as_dict(self):
        """Every figure by name, without those that are unknown."""
        figures = {
            "nats_per_token": self.nats_per_token,
            "bits_per_token": self.bits_per_token,
            "perplexity_per_token": self.perplexity,
            "nats_per_character": self.nats_per_character,
            "bits_per_character": self.bits_per_character,
            "tokens": self.tokens,
            "characters": self.characters,
        }
        return {name: value for name, value in figures.items() if value is not None}


def score_text(model, tokens, stride=None):
    """Scores a whole text, every token given as much before it as the model allows.

    A counting model and a recurrent model read the text in one go. A model with a
    `context` reads overlapping windows, `stride` tokens apart, and only the last
    `stride` predictions of each count: so each token is given at least
    `context - stride` tokens before it. The first token, which nothing precedes, is
    charged `log V` unless the model has a probability for it: all models are
    scored on the same `N` tokens.

    Args:
        model: `CausalLM`.
        tokens: int `(N,)`, the text.
        stride: int or `None` (`context // 4`). Smaller is slower and fairer.

    Returns:
        `TextScore`.
    """
    tokens = np.asarray(tokens, "int32")
    if hasattr(model.network, "log_probabilities"):
        nats = -float(np.sum(model.network.log_probabilities(tokens)))
    elif hasattr(model.network, "stream_logits"):
        nats = math.log(model.vocabulary_size) + _score_stream(model, tokens)
    else:
        step = stride or max(1, model.context // 4)
        nats = math.log(model.vocabulary_size) + _score_windows(model, tokens, step)
    return TextScore(nats, len(tokens), _count_characters(model, tokens))


def score_windows(model, dataset):
    """Mean loss over windows whose context grows from nothing: nanoGPT's estimate.

    Args:
        model: `CausalLM`.
        dataset: `tf.data.Dataset` of `(tokens, targets)`, int `(B, T)`.

    Returns:
        float, nats per token.
    """
    total, count = 0.0, 0
    losses = _window_losses(model)
    for tokens, targets in dataset:
        values = losses(tokens, targets)
        total += float(tf.reduce_sum(tf.cast(values, "float64")))
        count += int(tf.size(values))
    return total / count


def _window_losses(model):
    @tf.function(jit_compile=model.jit_generate, reduce_retracing=True)
    def losses(tokens, targets):
        logits = model(tokens, training=False)
        return keras.losses.sparse_categorical_crossentropy(
            targets, logits, from_logits=True
        )

    return losses


def _score_windows(model, tokens, stride):
    """Nats of `tokens[1:]`; the first window counts whole, the others at the end."""
    length = min(model.context, len(tokens) - 1)
    stride = min(stride, length)
    ends = [*range(length, len(tokens) - 1, stride), len(tokens) - 1]
    starts = np.array(ends) - length
    fresh = np.diff(np.array([0, *ends]))  # targets that no earlier window counted
    places = starts[:, None] + np.arange(length)
    weights = np.arange(length) >= length - fresh[:, None]  # (windows, length)
    losses, total = _window_losses(model), 0.0
    for first in watched(range(0, len(starts), ROWS), "batch"):
        rows = slice(first, first + ROWS)
        values = losses(
            tf.constant(tokens[places[rows]]), tf.constant(tokens[places[rows] + 1])
        )
        total += float(np.sum(np.asarray(values, "float64") * weights[rows]))
    return total


def _score_stream(model, tokens, lanes=16, length=256):
    """Nats of `tokens[1:]` with the state carried along.

    A long text is read in `lanes` parallel pieces. So that no piece starts from
    nothing, each first reads the `length` tokens before it, which do not count.
    """

    @tf.function(jit_compile=True)
    def step(inputs, targets, cache):
        logits, cache = model.network.stream_logits(inputs, cache)
        losses = keras.losses.sparse_categorical_crossentropy(
            targets, logits, from_logits=True
        )
        return losses, cache

    count = len(tokens) - 1
    if count < lanes * length:
        lanes = 1
    piece = -(-count // lanes)
    pieces = np.arange(lanes)[:, None] * piece  # (lanes, 1), first counted target
    cache, total = model.initial_cache(lanes, length), 0.0
    for first in watched(range(-length, piece, length), "batch"):
        offsets = first + np.arange(length)
        places = pieces + offsets  # (lanes, length)
        counted = (offsets >= 0) & (offsets < piece) & (places < count)
        inside = np.clip(places, 0, count - 1)
        losses, new = step(
            tf.constant(tokens[inside]), tf.constant(tokens[inside + 1]), cache
        )
        started = tf.constant(places[:, -1:] >= 0)  # the first piece has no past
        cache = tf.nest.map_structure(
            lambda new, old, started=started: tf.where(started, new, old), new, cache
        )
        total += float(np.sum(np.asarray(losses, "float64") * counted))
    return total


def _count_characters(model, tokens):
    if model.tokenizer is None:
        return None
    return len(model.tokenizer.decode(tokens))
