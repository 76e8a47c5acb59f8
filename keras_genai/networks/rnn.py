"""RNN: recurrent layers over tokens, whose state is all they know of the past."""

from typing import Literal

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.recurrent import CELLS
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register


@register
class RNN(LanguageNetwork):
    """Recurrent layers, one after the other, over tokens.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        embedding_dim: int. Length of a token's vector.
        units: int. Width of every recurrent layer.
        num_layers: int.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate after the embedding and after every recurrent layer.
        tie_embeddings: bool. The output matrix is the token table; needs
            `embedding_dim == units`.

    Call arguments, returns: see `LanguageNetwork`; a row is one text.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `cell` is unknown, or if
            `tie_embeddings` cannot be met.

    Reference: Mikolov et al. 2010, Recurrent neural network based language model;
        Zaremba et al. 2014, https://arxiv.org/abs/1409.2329 (where dropout goes)
    """

    context = None

    vocabulary_size: Count = LATER
    embedding_dim: Size
    units: Size
    num_layers: Size
    cell: Literal["simple", "lstm", "gru"] = "lstm"
    dropout: Rate = 0.0
    tie_embeddings: bool = False

    def check(self):
        if self.tie_embeddings and self.embedding_dim != self.units:
            raise ValueError(
                "`embedding_dim` must equal `units` when `tie_embeddings` is set. "
                f"Received: embedding_dim={self.embedding_dim}, units={self.units}"
            )

    @property
    def width(self):
        """int: length of a hidden vector."""
        return self.units

    def make(self):
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=policy, name="embedding"
        )
        self.embedding.build((None, None))
        self.stack = []
        self.dropouts = [self._make_dropout("dropout")]
        width = self.embedding_dim
        for index in range(self.num_layers):
            layer = CELLS[self.cell](self.units, dtype=policy, name=f"layer_{index}")
            layer.build((None, None, width))
            self.stack.append(layer)
            self.dropouts.append(self._make_dropout(f"dropout_{index}"))
            width = self.units
        if not self.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size, dtype=policy, name="head"
            )
            self.head.build((None, None, width))

    def _make_dropout(self, name):
        return keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def hidden(self, tokens, mask=None):
        """The vectors of all tokens, from a state of zeros, before the head.

        Args:
            tokens: int `(B, T)`.
            mask: bool or int `(B, T)`, true at real tokens, or `None`. At the others
                the state, and so the vector, stays as it is.

        Returns:
            float `(B, T, units)` of the compute dtype.
        """
        valid = None if mask is None else ops.cast(mask, "bool")
        return self._run(tokens, self.initial_cache(ops.shape(tokens)[0]), valid)[0]

    def logits(self, hidden):
        """float32 logits `(..., vocabulary_size)` of what `hidden` returned."""
        if self.tie_embeddings:
            table = ops.cast(self.embedding.embeddings, hidden.dtype)  # (V, D)
            return ops.cast(ops.matmul(hidden, ops.transpose(table)), "float32")
        return ops.cast(self.head(hidden), "float32")

    def initial_cache(self, batch_size, length=None):
        """The state before the first token: one list of `(B, U)` a layer.

        Args:
            batch_size: int.
            length: ignored; the state does not grow with the sequence.
        """
        return [layer.initial_state(batch_size) for layer in self.stack]

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the state after it. See `LanguageNetwork`."""
        x, cache = self._run(tokens, cache, valid=positions >= 0)
        # Padding carries the state, so the last column is the last real token's.
        return self.logits(x[:, -1]), cache

    def stream_logits(self, tokens, cache):
        """Logits of a long text piece by piece, the state carried in between.

        Args:
            tokens: int `(B, T)`, the next piece, without padding.
            cache: what `initial_cache` or the call before returned.

        Returns:
            `(logits, cache)`: float32 `(B, T, vocabulary_size)`, and the next cache.
        """
        x, cache = self._run(tokens, cache)
        return self.logits(x), cache

    def _run(self, tokens, cache, valid=None):
        # A table much shorter than the batch is projected instead of the batch.
        chooser = tokens if self._is_short_table(tokens) else None
        if chooser is None:
            x = self.dropouts[0](self.embedding(tokens))  # (B, T, D)
        else:
            x = ops.convert_to_tensor(self.embedding.embeddings)  # (V, D)
        states = []
        for layer, dropout, state in zip(
            self.stack, self.dropouts[1:], cache, strict=True
        ):
            x, state = layer(x, initial_state=state, valid=valid, tokens=chooser)
            x, chooser = dropout(x), None
            states.append(state)
        return x, states

    def _is_short_table(self, tokens):
        if self.dropout or None in tokens.shape:
            return False
        rows = tokens.shape[0] * tokens.shape[1]
        return 4 * self.vocabulary_size <= min(rows, 4 * self.embedding_dim)
