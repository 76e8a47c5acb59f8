"""RecurrentSeq2Seq: an encoder-decoder with attention, from before the transformer."""

import keras
from keras import ops

from keras_genai import registry
from keras_genai.checks import (
    check_flags,
    check_instance,
    check_one_of,
    check_rates,
    check_sizes,
)
from keras_genai.layers.embedding import TokenEmbedding, token_logits
from keras_genai.layers.recurrent import check_cell
from keras_genai.layers.recurrent_stacks import (
    ATTENTIONS,
    AttentiveDecoder,
    BidirectionalStack,
)
from keras_genai.registry import register
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM

GENERATION = GenerationSettings(max_length=100)


@register
class RecurrentSeq2Seq(Seq2SeqLM):
    """Bidirectional recurrent encoder, and a decoder that looks at it in every step.

    The decoder begins with a layer's worth of the encoder's last states. What it
    saw and read goes through one tanh layer to the output, and both sides share one
    table of token vectors.

    Args:
        vocabulary_size: int, of both sides.
        embedding_dim: int. Length of a token's vector, and of the last layer.
        units: int. Width of each direction of the encoder and of the decoder. With
            `"dot"` each direction is half as wide, so that the products exist.
        num_layers: int, of each half.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        attention: `"bahdanau"`; or Luong's `"dot"`, `"general"` or `"concat"`.
        dropout: float. Rate after the embedding, between layers and before the output.
        tie_embeddings: bool. The output matrix is the table of token vectors.
        generation: `GenerationSettings`.

    Call arguments and returns: see `Seq2SeqLM`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `cell` or `attention` is unknown, or
            if `units` is odd with `"dot"`.

    Reference: Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473;
        Luong et al. 2015, https://arxiv.org/abs/1508.04025
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim=256,
        units=512,
        num_layers=1,
        cell="gru",
        attention="bahdanau",
        dropout=0.5,
        tie_embeddings=True,
        generation=GENERATION,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
            units=units,
            num_layers=num_layers,
        )
        check_rates(dropout=dropout)
        check_flags(tie_embeddings=tie_embeddings)
        check_instance("generation", generation, GenerationSettings)
        check_cell(cell)
        check_one_of("attention", attention, ATTENTIONS)
        if attention == "dot" and units % 2:
            raise ValueError(
                f"`units` must be even with attention='dot'. Received: {units=}"
            )
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.attention = attention
        self.dropout_rate = dropout
        self.tie_embeddings = tie_embeddings
        self.generation = generation
        self._make_layers()
        self.built = True

    def _make_layers(self):
        policy, width = self.dtype_policy, self.embedding_dim
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            width,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        one_way = self.units // 2 if self.attention == "dot" else self.units
        shared = dict(
            num_layers=self.num_layers,
            cell=self.cell,
            dropout=self.dropout_rate,
            dtype=policy,
        )
        self.encoder = BidirectionalStack(one_way, name="encoder", **shared)
        self.encoder.build((None, None, width))
        self.decoder = AttentiveDecoder(
            self.units, attention=self.attention, name="decoder", **shared
        )
        self.decoder.build((None, None, width), (None, None, 2 * one_way))
        # From each of the encoder's last states to one that the decoder begins with.
        count = self.decoder.stack[0].num_states
        self.bridges = [
            self._dense(2 * one_way, self.units, "tanh", f"bridge_{layer}_{state}")
            for layer in range(self.num_layers)
            for state in range(count)
        ]
        self.readout = self._dense(
            self.decoder.output_width + width, width, "tanh", "readout"
        )
        self.head = None
        if not self.tie_embeddings:
            self.head = self._dense(width, self.vocabulary_size, None, "head")

    def _dense(self, inputs, outputs, activation, name):
        layer = keras.layers.Dense(
            outputs, activation=activation, dtype=self.dtype_policy, name=name
        )
        layer.build((None, None, inputs))
        return layer

    def encode(self, inputs, inputs_mask):
        """What the decoder looks at, and what it begins with. See `Seq2SeqLM`."""
        valid = ops.cast(inputs_mask, "bool")
        encoded, finals = self.encoder(self._embedded(inputs), valid)
        finals = [state for layer in finals for state in layer]
        states = [
            ops.cast(bridge(state), state.dtype)
            for bridge, state in zip(self.bridges, finals, strict=True)
        ]
        memory = self.decoder.project_memory(self.dropout(encoded), valid)
        return {**memory, "states": states}

    def read(self, targets, memory):
        """Logits after every token. See `Seq2SeqLM`."""
        return self._read(targets, memory)[0]

    def attention_weights(self, inputs, targets, inputs_mask=None):
        """How much every token of the inputs got of the attention.

        Args:
            inputs: int `(B, S)`.
            targets: int `(B, T)`, what the decoder reads; see `Seq2SeqLM`.
            inputs_mask: bool or int `(B, S)`, true at real tokens, or `None`: all.

        Returns:
            float32 array `(B, T, S)`. Row t is where the model looked when it chose
            what follows token t; it sums to 1, and padding gets nothing.
        """
        inputs, targets = ops.convert_to_tensor(inputs), ops.convert_to_tensor(targets)
        if inputs_mask is None:
            inputs_mask = ops.ones(inputs.shape, "bool")
        memory = self.encode(inputs, ops.convert_to_tensor(inputs_mask))
        return ops.convert_to_numpy(self._read(targets, memory)[1])

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
        """Logits of the next token, and the state after `tokens`. See `Seq2SeqLM`."""
        x = self._embedded(tokens)
        # A single token is always real.
        valid = None if tokens.shape[1] == 1 else positions >= 0
        found, _, state = self.decoder(x, cache["state"], cache["memory"], valid)
        logits = self._logits(found, x)
        if tokens.shape[1] != 1:
            last = ops.sum(ops.cast(positions >= 0, "int32"), axis=1) - 1
            logits = ops.take_along_axis(logits, last[:, None, None], axis=1)
        return logits[:, 0], {"state": state, "memory": cache["memory"]}

    def _read(self, targets, memory):
        x = self._embedded(targets)
        state = self.decoder.initial_state(memory["states"])
        found, weights, _ = self.decoder(x, state, memory)
        return self._logits(found, x), weights

    def _embedded(self, tokens):
        return self.dropout(self.embedding(tokens))

    def _logits(self, found, x):
        x = self.readout(ops.concatenate([found, x], axis=-1))
        return token_logits(self.dropout(x), self.embedding, self.head)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "attention": self.attention,
            "dropout": self.dropout_rate,
            "tie_embeddings": self.tie_embeddings,
            "generation": registry.to_plain(self.generation),
        }
