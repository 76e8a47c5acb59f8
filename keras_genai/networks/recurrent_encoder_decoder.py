"""RecurrentEncoderDecoder: with attention, from before the transformer."""

from typing import Literal

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.embedding import token_logits, token_table
from keras_genai.layers.recurrent import CELLS
from keras_genai.layers.recurrent_stacks import (
    ATTENTIONS,
    AttentiveDecoder,
    BidirectionalStack,
)
from keras_genai.networks.sequence_pair import SequencePairNetwork
from keras_genai.registry import register


@register
class RecurrentEncoderDecoder(SequencePairNetwork):
    """Bidirectional recurrent encoder, and a decoder that looks at it in every step.

    The decoder begins with a layer's worth of the encoder's last states. What it
    saw and read goes through one tanh layer to the output, and both sides share one
    table of token vectors.

    Args:
        vocabulary_size: int, of both sides. A task fills it in from its tokenizer.
        embedding_dim: int. Length of a token's vector, and of the last layer.
        units: int. Width of each direction of the encoder and of the decoder. With
            `"dot"` each direction is half as wide, so that the products exist.
        num_layers: int, of each half.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        attention: `"bahdanau"`; or Luong's `"dot"`, `"general"` or `"concat"`.
        dropout: float. Rate after the embedding, between layers and before the output.
        tie_embeddings: bool. The output matrix is the table of token vectors.

    Call arguments and returns: see `SequencePairNetwork`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `cell` or `attention` is unknown, or
            if `units` is odd with `"dot"`.

    Reference: Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473;
        Luong et al. 2015, https://arxiv.org/abs/1508.04025
    """

    vocabulary_size: Count = LATER
    embedding_dim: Size = 256
    units: Size = 512
    num_layers: Size = 1
    cell: Literal[*CELLS] = "gru"
    attention: Literal[*ATTENTIONS] = "bahdanau"
    dropout: Rate = 0.5
    tie_embeddings: bool = True

    @property
    def width(self):
        """int: length of a hidden vector."""
        return self.embedding_dim

    def check(self):
        if self.attention == "dot" and self.units % 2:
            raise ValueError(
                "`units` must be even with attention='dot'. "
                f"Received: units={self.units}"
            )

    def make(self):
        policy, width = self.dtype_policy, self.embedding_dim
        self.embedding = token_table(
            self.vocabulary_size,
            width,
            keras.initializers.RandomNormal(stddev=width**-0.5),
            policy,
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.encoder, seen = self.make_encoder()
        self.decoder = AttentiveDecoder(
            self.units, attention=self.attention, name="decoder", **self._recurrent()
        )
        self.decoder.build((None, None, width), (None, None, seen))
        # From each of the encoder's last states to one that the decoder begins with.
        count = self.decoder.stack[0].num_states
        self.bridges = [
            self._dense(seen, self.units, "tanh", f"bridge_{layer}_{state}")
            for layer in range(self.num_layers)
            for state in range(count)
        ]
        self.readout = self._dense(
            self.decoder.output_width + width, width, "tanh", "readout"
        )
        self.head = None
        if not self.tie_embeddings:
            self.head = self._dense(width, self.vocabulary_size, None, "head")

    def make_encoder(self):
        """The part that reads.

        Returns:
            `(layer, width)`: what `look` calls, built; and int, the length of the
            vectors that it returns.
        """
        one_way = self.units // 2 if self.attention == "dot" else self.units
        encoder = BidirectionalStack(one_way, name="encoder", **self._recurrent())
        encoder.build((None, None, self.embedding_dim))
        return encoder, 2 * one_way

    def _recurrent(self):
        """What the recurrent layers of both halves share."""
        return dict(
            num_layers=self.num_layers,
            cell=self.cell,
            dropout=self.dropout,
            dtype=self.dtype_policy,
        )

    def _dense(self, inputs, outputs, activation, name):
        layer = keras.layers.Dense(
            outputs, activation=activation, dtype=self.dtype_policy, name=name
        )
        layer.build((None, None, inputs))
        return layer

    def look(self, inputs, inputs_mask):
        """What the encoder makes of what is read.

        Args:
            inputs, inputs_mask: as in a call.

        Returns:
            `(encoded, valid, finals)`: float `(B, S, M)`; bool `(B, S)`, which of these
            are real; and a list of float `(B, M)`, one for each state that the decoder
            begins with.
        """
        valid = ops.cast(inputs_mask, "bool")
        encoded, finals = self.encoder(self._embedded(inputs), valid)
        return encoded, valid, [state for layer in finals for state in layer]

    def encode(self, inputs, inputs_mask):
        encoded, valid, finals = self.look(inputs, inputs_mask)
        states = [
            ops.cast(bridge(state), state.dtype)
            for bridge, state in zip(self.bridges, finals, strict=True)
        ]
        memory = self.decoder.project_memory(self.drop(encoded), valid)
        return {**memory, "states": states}

    def hidden(self, targets, memory):
        x = self._embedded(targets)
        found, _ = self._look_back(x, memory)
        return self._readout(found, x)

    def logits(self, hidden):
        return token_logits(self.drop(hidden), self.embedding, self.head)

    def attention_weights(self, inputs, targets, inputs_mask=None):
        """How much every token of the inputs got of the attention.

        Args:
            inputs: int `(B, S)`.
            targets: int `(B, T)`, what the decoder reads; see `SequencePairNetwork`.
            inputs_mask: bool or int `(B, S)`, true at real tokens, or `None`: all.

        Returns:
            float32 array `(B, T, S)`. Row t is where the network looked when it chose
            what follows token t; it sums to 1, and padding gets nothing.
        """
        inputs, targets = ops.convert_to_tensor(inputs), ops.convert_to_tensor(targets)
        if inputs_mask is None:
            inputs_mask = ops.ones(inputs.shape, "bool")
        memory = self.encode(inputs, ops.convert_to_tensor(inputs_mask))
        _, weights = self._look_back(self._embedded(targets), memory)
        return ops.convert_to_numpy(weights)

    def empty_cache(self, batch_size, length):
        """The decoder's state as it is before an encoder gave it another."""
        states = self.decoder.zero_states(batch_size)
        return {"state": self.decoder.initial_state(states)}

    def initial_cache(self, batch_size, length, inputs, inputs_mask):
        """The decoder's first state and the memory of `inputs`."""
        memory = self.encode(inputs, inputs_mask)
        state = self.decoder.initial_state(memory["states"])
        return {"state": state, "memory": memory}

    def decode(self, tokens, positions, cache, index):
        x = self._embedded(tokens)
        # A single token is always real.
        valid = None if tokens.shape[1] == 1 else positions >= 0
        found, _, state = self.decoder(x, cache["state"], cache["memory"], valid)
        logits = self.logits(self._readout(found, x))
        if tokens.shape[1] != 1:
            last = ops.sum(ops.cast(positions >= 0, "int32"), axis=1) - 1
            logits = ops.take_along_axis(logits, last[:, None, None], axis=1)
        return logits[:, 0], {"state": state, "memory": cache["memory"]}

    def _look_back(self, x, memory):
        """What the decoder found for each vector, and where it looked."""
        state = self.decoder.initial_state(memory["states"])
        found, weights, _ = self.decoder(x, state, memory)
        return found, weights

    def _embedded(self, tokens):
        return self.drop(self.embedding(tokens))

    def _readout(self, found, x):
        return self.readout(ops.concatenate([found, x], axis=-1))
