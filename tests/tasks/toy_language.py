"""Two causal language models small enough to check by hand."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_genai.declared import Count, Size
from keras_genai.networks.language import LanguageNetwork
from keras_genai.tasks.language import CausalLM


class PairTable(LanguageNetwork):
    """Looks the logits up by the last two tokens; its cache is the last one."""

    jit_generate = False
    context = None

    vocabulary_size: Count
    chances: Any

    def make(self):
        self.table = self.add_weight(self.chances.shape, name="table")
        self.table.assign(self.chances)

    def initial_cache(self, batch_size, length):
        return {"last": tf.zeros((batch_size,), tf.int32)}

    def decode(self, tokens, positions, cache, index):
        count = tf.reduce_sum(tf.cast(positions >= 0, tf.int32), axis=1)
        last = tf.gather(tokens, count - 1, batch_dims=1)
        before = tf.gather(tokens, tf.maximum(count - 2, 0), batch_dims=1)
        before = tf.where(count > 1, before, cache["last"])
        pair = tf.stack([before, last], axis=-1)
        return tf.gather_nd(tf.convert_to_tensor(self.table), pair), {"last": last}


class Trigram(CausalLM):
    """A `CausalLM` of a table `(V, V, V)` of logits."""

    def __init__(self, table):
        super().__init__(PairTable(vocabulary_size=len(table), chances=table))

    @property
    def table(self):
        return self.network.table


class OneHead(LanguageNetwork):
    """One attention head over slots and learned positions, no residual.

    Attributes:
        traces: list of int. The T of every time `decode` was traced.
    """

    jit_generate = False

    vocabulary_size: Count
    context: Count | None
    width: Size
    seed: int

    def make(self):
        self.traces = []
        rng = np.random.default_rng(self.seed)

        def weight(*shape, name):
            variable = self.add_weight(shape, name=name)
            variable.assign(rng.normal(size=shape) * 2)
            return variable

        self.embedding = weight(self.vocabulary_size, self.width, name="embedding")
        self.places = weight(self.context or 300, self.width, name="places")
        self.head = weight(self.width, self.vocabulary_size, name="head")

    def initial_cache(self, batch_size, length):
        width = self.embedding.shape[1]
        places = tf.fill((batch_size, length), -1)
        return places, tf.zeros((batch_size, length, width))

    def decode(self, tokens, positions, cache, index):
        self.traces.append(tokens.shape[1])
        places = tf.maximum(positions, 0)
        x = tf.gather(tf.convert_to_tensor(self.embedding), tokens)
        x += tf.gather(tf.convert_to_tensor(self.places), places)
        slots, values = cache
        slots = tf.tensor_scatter_nd_update(*_at(slots, index, positions))
        values = tf.tensor_scatter_nd_update(*_at(values, index, x))
        seen = (slots[:, None] >= 0) & (slots[:, None] <= positions[:, :, None])
        scores = tf.where(seen, tf.einsum("btc,bsc->bts", x, values) / 3, -1e30)
        x = tf.nn.softmax(scores) @ values + x  # (B, T, width)
        last = tf.reduce_sum(tf.cast(positions >= 0, tf.int32), axis=1) - 1
        x = tf.gather(x, last, batch_dims=1)
        return tf.tanh(x) @ self.head, (slots, values)


class Attending(CausalLM):
    """A `CausalLM` of `OneHead`."""

    def __init__(self, vocabulary_size=11, context=None, width=8, seed=0):
        super().__init__(
            OneHead(
                vocabulary_size=vocabulary_size, context=context, width=width, seed=seed
            )
        )

    @property
    def traces(self):
        return self.network.traces

    def next_token(self, tokens):
        """The most likely token after `tokens`, read from an empty cache."""
        tokens = np.asarray(tokens, "int32")[None]
        places = np.arange(tokens.shape[1], dtype="int32")[None]
        cache = self.initial_cache(1, tokens.shape[1])
        return int(np.argmax(self.decode(tokens, places, cache, 0)[0]))


def _at(buffer, index, update):
    """Arguments of a scatter of `update` `(B, T, ...)` at slots `index` onwards."""
    batch, length = update.shape[:2]
    rows, columns = tf.meshgrid(
        tf.range(batch), index + tf.range(length), indexing="ij"
    )
    return buffer, tf.stack([rows, columns], axis=-1), update


class Letters:
    """A tokenizer of given pieces, each a str or bytes."""

    def __init__(self, *pieces, start_token=None, end_token=None):
        self.pieces = [p.encode() if isinstance(p, str) else p for p in pieces]
        self.start_token, self.end_token = start_token, end_token
        self.vocabulary_size = len(pieces)

    def encode(self, text):
        ids = []
        for character in text:
            if character.encode() not in self.pieces:
                raise ValueError(f"`text` has unknown {character!r}")
            ids.append(self.pieces.index(character.encode()))
        return np.array(ids, "int32")

    def decode(self, ids):
        return b"".join(self.pieces[i] for i in ids).decode(errors="replace")


def random_trigram(seed, size=9, scale=1.5):
    table = np.random.default_rng(seed).normal(size=(size,) * 3) * scale
    table = table.astype("float32")
    table[:, :, 0] += 0.5 * (seed % 3) - 0.5
    return Trigram(table)


def chain(*pieces, end_token=None):
    """A model that says its pieces in their order, again and again."""
    size = len(pieces)
    table = np.full((size,) * 3, -30.0, "float32")
    for token in range(size):
        table[:, token, (token + 1) % size] = 0.0
    model = Trigram(table)
    model.tokenizer = Letters(*pieces, end_token=end_token)
    return model
