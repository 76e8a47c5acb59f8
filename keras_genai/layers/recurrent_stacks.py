"""The two halves of a recurrent encoder-decoder: one reads, the other looks back."""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_one_of, check_rates, check_sizes
from keras_genai.layers.attention import MemoryProjection, build_once
from keras_genai.layers.recurrent import CELLS, check_cell
from keras_genai.layers.recurrent_attention import (
    SCORES,
    BahdanauAttention,
    LuongAttention,
)
from keras_genai.layers.scan import scan
from keras_genai.registry import register

ATTENTIONS = ("bahdanau", *SCORES)


@register
class BidirectionalStack(keras.layers.Layer):
    """Recurrent layers that read a sequence from both ends.

    Padding moves no state, so that a text is read backward from its own last token,
    whatever it is padded to.

    Args:
        units: int. Width U of each direction.
        num_layers: int.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate between layers.

    Call arguments:
        inputs: float `(B, S, D)`.
        valid: bool `(B, S)`, true at real tokens, which come before all padding.

    Returns:
        `(outputs, states)`: float `(B, S, 2 * U)`, forward first, without meaning at
        padding; and for each layer the list of its final states, float32
        `(B, 2 * U)`.

    Reference: Schuster and Paliwal 1997, Bidirectional recurrent neural networks
    """

    def __init__(self, units, num_layers=1, cell="gru", dropout=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        check_sizes(units=units, num_layers=num_layers)
        check_rates(dropout=dropout)
        check_cell(cell)
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )
        self.layers_ahead, self.layers_back = (
            [
                CELLS[cell](units, dtype=self.dtype_policy, name=f"{way}_{index}")
                for index in range(num_layers)
            ]
            for way in ("forward", "backward")
        )

    def build(self, inputs_shape, valid_shape=None):
        width = inputs_shape[-1]
        for pair in zip(self.layers_ahead, self.layers_back, strict=True):
            for layer in pair:
                layer.build((None, None, width))
            width = 2 * self.units

    def call(self, inputs, valid):
        x, states = inputs, []
        # From its end, a padded text begins with padding, which moves no state.
        turned = ops.flip(valid, axis=1)
        for index in range(self.num_layers):
            if index:
                x = self.dropout(x)
            ahead, final = self.layers_ahead[index](x, valid=valid)
            back, first = self.layers_back[index](ops.flip(x, axis=1), valid=turned)
            x = ops.concatenate([ahead, ops.flip(back, axis=1)], axis=-1)
            states.append(
                [
                    ops.concatenate(pair, axis=-1)
                    for pair in zip(final, first, strict=True)
                ]
            )
        return x, states

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "dropout": self.dropout_rate,
        }


@register
class AttentiveDecoder(keras.layers.Layer):
    """Recurrent layers that look at a memory in every step.

    Bahdanau's looks with the last layer's state *before* the step, and the step reads
    the token and what was seen. Luong's looks with the new state, mixes both into one
    vector, and the next step reads it beside its token (input feeding).

    A *memory* is what `project_memory` makes of an encoder's output: a dict of `keys`,
    `values` and `mask`. Several rows next to each other, such as the beams of one
    text, may share a row of it. A *state* is a flat list of tensors, the batch first.

    Args:
        units: int. Width U of every layer.
        num_layers: int.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        attention: `"bahdanau"`; or Luong's `"dot"`, `"general"` or `"concat"`.
        dropout: float. Rate between layers, one mask for all steps.

    Call arguments:
        inputs: float `(B, T, D)`.
        state: see above.
        memory: see above.
        valid: bool `(B, T)` or `None`. Where false the state is carried unchanged.

    Returns:
        `(outputs, weights, state)`: float `(B, T, output_width)`, Bahdanau's state and
        context or Luong's mixed vector; float32 `(B, T, S)`, how much of each row's
        attention every token of the memory got; and the state after the last token.

    Reference: Bahdanau et al. 2015, section 3.1, https://arxiv.org/abs/1409.0473;
        Luong et al. 2015, section 3.3 and eq. 5, https://arxiv.org/abs/1508.04025;
        Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287 (one mask)
    """

    def __init__(
        self,
        units,
        num_layers=1,
        cell="gru",
        attention="bahdanau",
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        check_sizes(units=units, num_layers=num_layers)
        check_rates(dropout=dropout)
        check_cell(cell)
        check_one_of("attention", attention, ATTENTIONS)
        policy = self.dtype_policy
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.attention_name = attention
        self.dropout_rate = dropout
        self.looks_first = attention == "bahdanau"
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.stack = [
            CELLS[cell](units, dtype=policy, name=f"layer_{index}")
            for index in range(num_layers)
        ]
        if self.looks_first:
            self.attention = BahdanauAttention(units, dtype=policy, name="attention")
        else:
            self.attention = LuongAttention(attention, dtype=policy, name="attention")

    def build(self, inputs_shape, memory_shape):
        """Makes the weights; `memory_shape` is that of the encoder's output."""
        if isinstance(memory_shape, dict):
            memory_shape = memory_shape["values"]
        memory_width = memory_shape[-1]
        self.output_width = self.units
        if self.looks_first:
            self.output_width += memory_width
        else:
            self.mix = self.add_weight(
                (memory_width + self.units, self.units), "glorot_uniform", name="mix"
            )
        feed_width = memory_width if self.looks_first else self.units
        width = inputs_shape[-1] + feed_width
        for layer in self.stack:
            layer.build((None, None, width))
            width = self.units
        self.build_memory(memory_shape)

    def build_memory(self, memory_shape):
        """Makes the weights of `project_memory`, once."""
        build_once(self.attention, (None, None, self.units), memory_shape)

    def project_memory(self, encoded, inputs_mask):
        """The memory of encoder output.

        Args:
            encoded: float `(B, S, M)`.
            inputs_mask: bool or int `(B, S)`, true at real tokens.
        """
        if isinstance(encoded, keras.KerasTensor):
            return MemoryProjection(self)(encoded, inputs_mask)
        self.build_memory(encoded.shape)
        return {
            "keys": self.attention.project_memory(encoded),
            "values": ops.cast(encoded, self.compute_dtype),
            "mask": ops.cast(inputs_mask, "bool"),
        }

    def initial_state(self, states):
        """The state of given layer states, before anything was looked at.

        Args:
            states: flat list of float `(B, U)`, those of the first layer first.
        """
        if self.looks_first:
            return states
        return [*states, ops.zeros_like(states[0], dtype=self.compute_dtype)]

    def zero_states(self, batch_size):
        """Flat list of float32 zeros `(batch_size, U)`, one for each layer's state."""
        return [
            state for cell in self.stack for state in cell.initial_state(batch_size)
        ]

    def call(self, inputs, state, memory, valid=None):
        inputs = ops.cast(inputs, self.compute_dtype)
        length = inputs.shape[1] or ops.shape(inputs)[1]
        matrices, biases = self._weights(inputs.shape[-1])
        # All that does not depend on the step before is done before the loop.
        projected = ops.matmul(ops.transpose(inputs, (1, 0, 2)), matrices.pop("token"))
        projected = projected + biases.pop("input_0")  # (T, B, G * U)
        constants = {**biases, "keys": memory["keys"], "values": memory["values"]}
        masks = self._dropout_masks(ops.shape(inputs)[0])
        if valid is not None:
            valid = ops.transpose(valid)[:, :, None]  # (T, B, 1)

        def step(time, inputs, state, multiply, constants):
            look = functools.partial(self._look, constants, memory["mask"], multiply)
            new, outputs = self._step(inputs, state, look, multiply, constants, masks)
            if valid is not None:
                pairs = zip(new, state, strict=True)
                new = [tf.where(valid[time], *pair) for pair in pairs]
            return new, outputs

        if inputs.shape[1] == 1:  # one step of decoding is no loop
            state, found = step(
                0,
                projected[0],
                state,
                lambda name, rows: ops.matmul(rows, matrices[name]),
                constants,
            )
            outputs, weights = (each[:, None] for each in found)
            return outputs, weights, state
        found, state = scan(step, projected, state, matrices, constants, length)
        outputs, weights = (ops.transpose(each, (1, 0, 2)) for each in found)
        return outputs, weights, state

    def _weights(self, width):
        """Matrices, and everything smaller, by name and in the compute dtype."""

        def cast(weight):
            return ops.cast(ops.convert_to_tensor(weight), self.compute_dtype)

        kernel = cast(self.stack[0].kernel)
        matrices, small = {"token": kernel[:width], "feed": kernel[width:]}, {}
        for index, layer in enumerate(self.stack):
            matrices[f"recurrent_{index}"] = cast(layer.recurrent_kernel)
            if index:
                matrices[f"input_{index}"] = cast(layer.kernel)
            first, second = layer.split_bias(cast(layer.bias))
            small[f"input_{index}"] = first
            if second is not None:
                small[f"recurrent_{index}"] = second
        if self.attention.query_kernel is not None:
            matrices["query"] = cast(self.attention.query_kernel)
        if self.attention.vector is not None:
            small["vector"] = cast(self.attention.vector)
        if not self.looks_first:
            matrices["mix"] = cast(self.mix)
        return matrices, small

    def _step(self, inputs, state, look, multiply, constants, masks):
        """One token: the new state, and `[output, weights]`."""
        count = self.stack[0].num_states
        if self.looks_first:
            feed, weights = look(state[-count])
        else:
            *state, feed = state
        new, x = [], feed
        for index, layer in enumerate(self.stack):
            before = state[index * count : (index + 1) * count]
            if index:
                projected = multiply(f"input_{index}", x * masks[index - 1])
                projected = projected + constants[f"input_{index}"]
            else:
                projected = inputs + multiply("feed", x)
            hidden = ops.cast(before[0], self.compute_dtype)
            recurrent = multiply(f"recurrent_{index}", hidden)
            if f"recurrent_{index}" in constants:
                recurrent = recurrent + constants[f"recurrent_{index}"]
            wide = (ops.cast(each, before[0].dtype) for each in (projected, recurrent))
            after, _ = layer.step(*wide, before)
            new.extend(after)
            x = ops.cast(after[0], self.compute_dtype)
        if self.looks_first:
            return new, [ops.concatenate([x, feed], axis=-1), weights]
        context, weights = look(x)
        mixed = multiply("mix", ops.concatenate([context, x], axis=-1))
        output = ops.tanh(mixed)
        return [*new, output], [output, weights]

    def _look(self, constants, mask, multiply, query):
        """What each row `(R, U)` sees, `(R, M)`, and its weights `(R, S)`."""
        query = ops.cast(query, self.compute_dtype)
        if self.attention.query_kernel is not None:
            query = multiply("query", query)
        keys, values = constants["keys"], constants["values"]
        rows, groups = query.shape[0], keys.shape[0]
        if groups is None or rows in (groups, None):
            query = query[:, None]
        else:  # the rows of a group share one row of the memory
            query = ops.reshape(query, (groups, -1, query.shape[-1]))
        found = self.attention.look(
            query, keys, values, mask, constants.get("vector")
        )  # (G, R / G, ...)
        return [
            ops.reshape(each, (-1 if rows is None else rows, each.shape[-1] or width))
            for each, width in zip(found, (None, ops.shape(keys)[1]), strict=True)
        ]

    def _dropout_masks(self, rows):
        """What each layer but the last is multiplied with, in every step."""
        ones = ops.ones((rows, self.units), self.compute_dtype)
        return [self.dropout(ones) for _ in self.stack[:-1]]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "attention": self.attention_name,
            "dropout": self.dropout_rate,
        }
