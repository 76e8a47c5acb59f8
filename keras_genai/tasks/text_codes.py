"""Codes drawn behind texts: two rows of a loop for guidance, the best of several."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from keras_genai.samplers.session import Session
from keras_genai.samplers.tokens import Sample

ROWS = 128  # sequences drawn at once


@dataclasses.dataclass(frozen=True)
class Wish:
    """How pictures are drawn; see `DALLE.generate`."""

    seed: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    guidance: float = 1.0
    candidates: int = 1
    rank_by: Any = None


class Drawer:
    """What draws the codes of a `DALLE`, and what the sampling loop sees of it.

    With guidance every sequence is read twice, once behind its text and once behind
    none, in one batch; the rows of the cache are those with their texts, then those
    without.

    Args:
        model: `DALLE`.
        guided: bool.
    """

    context = None  # it never writes more than the network has places for

    def __init__(self, model, guided):
        self.model = model
        self.guided = guided

    @property
    def vocabulary_size(self):
        """int: what is drawn are codes, which come first among the tokens."""
        return self.model.num_codes

    @property
    def jit_generate(self):
        """bool: whether XLA compiles the loop."""
        return self.model.jit_generate

    def initial_cache(self, batch_size, length, guidance=None):
        """See `LanguageNetwork`; of `guidance`, float `(B,)`, each row has its own."""
        network = self.model.network
        if not self.guided:
            return {"own": network.initial_cache(batch_size, length)}
        own = network.initial_cache(2 * batch_size, length)
        return {"own": own, "guidance": guidance}

    def decode(self, tokens, positions, cache, index):
        """Logits of codes, and the cache. See `LanguageNetwork`."""
        network, count = self.model.network, self.model.num_codes
        if not self.guided:
            logits, own = network.decode(tokens, positions, cache["own"], index)
            return logits[:, :count], {"own": own}
        both = tf.concat([tokens, self._without_text(tokens, positions)], axis=0)
        twice = tf.concat([positions, positions], axis=0)
        logits, own = network.decode(both, twice, cache["own"], index)
        asked, free = tf.split(logits[:, :count], 2)
        guidance = cache["guidance"]
        logits = free + guidance[:, None] * (asked - free)
        return logits, {"own": own, "guidance": guidance}

    def _without_text(self, tokens, positions):
        """Tokens with padding where a text is."""
        is_text = (positions >= 1) & (positions <= self.model.text_length)
        return tf.where(is_text, self.model.padding_start + positions - 1, tokens)

    def draw(self, texts, primes, wish):
        """Pictures.

        Args:
            texts: int32 array `(N, T)`, 0 where nothing is.
            primes: int32 array `(N, R)`, codes that they begin with, or `None`.
            wish: `Wish`.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].
        """
        codes = self.codes(texts, primes, wish)
        if wish.rank_by is None:
            return self.model.decode_tokens(codes)
        several, best = wish.candidates, []
        size = max(1, ROWS // several)
        for first in range(0, len(texts), size):
            own = codes[first * several : (first + size) * several]
            drawn = self.model.decode_tokens(own)
            said = self._said(texts[first : first + size])
            found = np.asarray(wish.rank_by.similarity(drawn, said))  # (N * n, N)
            found = found.reshape(len(said), several, len(said))
            places = np.arange(len(said))
            chosen = found[places, :, places].argmax(axis=1)
            best.append(drawn[places * several + chosen])
        return np.concatenate(best)

    def codes(self, texts, primes, wish):
        """int32 array `(N * candidates, h, w)`, those of a text next to each other."""
        beginnings = np.asarray(self.model.beginning(tf.constant(texts)))
        if primes is not None:
            beginnings = np.concatenate([beginnings, primes], axis=1)
        size = max(1, ROWS // wish.candidates)
        drawn = [
            self._drawn(beginnings[first : first + size], wish, number)
            for number, first in enumerate(range(0, len(texts), size))
        ]
        drawn = np.concatenate(drawn)
        if primes is not None:
            known = np.repeat(primes, wish.candidates, axis=0)
            drawn = np.concatenate([known, drawn], axis=1)
        return drawn.reshape(-1, *self.model.grid_shape)

    def _drawn(self, beginnings, wish, number):
        """The codes behind some beginnings, int32 `(B * candidates, L - R)`."""
        count = len(beginnings)
        session = Session(
            self,
            [*beginnings],
            Sample(wish.temperature, top_k=wish.top_k),
            1 + self.model.text_length + self.model.length,
            (),
            wish.seed + (number << 32),  # other draws than those of the rows before
            (tf.fill([count], wish.guidance),) if self.guided else (),
            wish.candidates,
        )
        session.advance()
        rows = range(count * wish.candidates)
        return np.stack([session.generated(row) for row in rows])

    def _said(self, texts):
        """What a judge is told: str where the tokens are known, else tokens."""
        tokenizer = self.model.text.tokenizer
        if tokenizer is None:
            return texts
        return [tokenizer.decode(row[row > 0]) for row in texts]
