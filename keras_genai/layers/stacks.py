"""The two halves of an encoder-decoder transformer: stacks of blocks."""

import keras
from keras import ops

from keras_genai.layers.attention import (
    MemoryProjection,
    build_once,
    causal_mask,
    deserialized,
    position_mask,
    serialized,
    write_slots,
)
from keras_genai.layers.transformer import make_block
from keras_genai.registry import register


def memory_mask(inputs_mask):
    """bool `(B, 1, 1, S)` for `attend`, of a bool or int `(B, S)` of real tokens."""
    return ops.cast(inputs_mask, "bool")[:, None, None, :]


class Stack(keras.layers.Layer):
    """What `EncoderStack` and `DecoderStack` share; see those."""

    def __init__(self, blocks, norm=None, position_bias=None, **kwargs):
        super().__init__(**kwargs)
        self.blocks = list(blocks)
        self.norm = norm
        self.position_bias = position_bias

    def build_parts(self, inputs_shape, memory_shape=None):
        """Makes the weights of all that is inside."""
        for block in self.blocks:
            build_once(block, inputs_shape, memory_shape)
        build_once(self.norm, inputs_shape)
        build_once(self.position_bias)

    def get_config(self):
        return {
            **super().get_config(),
            "blocks": [serialized(block) for block in self.blocks],
            "norm": serialized(self.norm),
            "position_bias": serialized(self.position_bias),
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            name: deserialized(config[name])
            for name in ("blocks", "norm", "position_bias")
        }
        return cls(**{**config, **parts})


@register
class EncoderStack(Stack):
    """Blocks in which every real token sees every other.

    Args:
        blocks: list of `Block`.
        norm: layer that normalises the last block's output, or `None`.
        position_bias: `RelativePositionBias` shared by the blocks, or `None`.

    Call arguments:
        inputs: float `(B, S, width)`.
        attention_mask: bool `(B, 1, 1, S)`, `True` at real tokens.

    Returns:
        float `(B, S, width)`.
    """

    def build(self, inputs_shape):
        self.build_parts(inputs_shape)

    def call(self, inputs, attention_mask=None):
        x, bias = inputs, None
        if self.position_bias is not None:
            positions = ops.arange(ops.shape(inputs)[1])
            bias = self.position_bias(positions, positions)
        real = None if attention_mask is None else attention_mask[:, 0, 0]  # (B, S)
        for block in self.blocks:
            x, _ = block(x, attention_mask=attention_mask, bias=bias, real=real)
        return _normalized(x, self.norm, self.compute_dtype)


@register
class DecoderStack(Stack):
    """Blocks in which a token sees those before it, and a memory.

    A *memory* is what `project_memory` makes of an encoder's output: a dict of
    `blocks`, a pair of keys and values for each block, and `mask`.

    Args:
        blocks: list of `Block` with cross-attention.
        norm: layer that normalises the last block's output, or `None`.
        position_bias: causal `RelativePositionBias` shared by the blocks, or `None`.

    Call arguments:
        inputs: float `(B, T, width)`.
        memory: see above.

    Returns:
        float `(B, T, width)`.
    """

    def build(self, inputs_shape, memory_shape=None):
        # A memory that is given is made of a sequence as wide as this, or was made.
        self.build_parts(inputs_shape, (None, None, inputs_shape[-1]))

    def build_memory(self, memory_shape):
        """Makes the weights of `project_memory`, once."""
        for block in self.blocks:
            block.cross_attention.build_memory(memory_shape)

    def project_memory(self, encoded, inputs_mask):
        """The memory of encoder output.

        Args:
            encoded: float `(B, S, width)`.
            inputs_mask: bool or int `(B, S)`, true at real tokens.
        """
        if isinstance(encoded, keras.KerasTensor):
            return MemoryProjection(self)(encoded, inputs_mask)
        pairs = [block.cross_attention.project_memory(encoded) for block in self.blocks]
        return {"blocks": pairs, "mask": memory_mask(inputs_mask)}

    def empty_cache(self, batch_size, length):
        """Cache of `length` free slots, for `step`."""
        shapes = [
            (
                batch_size,
                block.attention.num_memory_heads,
                length,
                block.attention.head_dim,
            )
            for block in self.blocks
        ]
        dtype = self.compute_dtype
        return {
            "positions": ops.full((batch_size, length), -1, dtype="int32"),
            "blocks": [(ops.zeros(s, dtype), ops.zeros(s, dtype)) for s in shapes],
        }

    def call(self, inputs, memory):
        length = inputs.shape[1] or ops.shape(inputs)[1]
        positions = ops.arange(length)
        x, _ = self._run(inputs, memory, causal_mask(length), positions, positions)
        return x

    def step(self, inputs, positions, cache, index):
        """Reads tokens into the cache. See `CausalLM.decode`.

        Args:
            inputs: float `(B, T, width)`.
            positions: int32 `(B, T)`, -1 at padding.
            cache: `empty_cache` and a `memory`, whose batch may divide B.
            index: int32 scalar. The first cache slot to write.

        Returns:
            float `(B, 1, width)` at the last real token of each row, and the cache.
        """
        slots = write_slots(cache["positions"], positions, index, axis=1)
        mask = position_mask(positions, slots)
        x, pairs = self._run(
            inputs, cache["memory"], mask, positions, slots, cache["blocks"], index
        )
        if inputs.shape[1] != 1:
            last = ops.sum(ops.cast(positions >= 0, "int32"), axis=1) - 1
            x = ops.take_along_axis(x, last[:, None, None], axis=1)
        return x, {"positions": slots, "blocks": pairs, "memory": cache["memory"]}

    def _run(self, x, memory, mask, queries, keys, caches=None, index=0):
        bias = None
        if self.position_bias is not None:
            bias = self.position_bias(queries, keys)
        kept = []
        for number, block in enumerate(self.blocks):
            x, pair = block(
                x,
                attention_mask=mask,
                bias=bias,
                cache=None if caches is None else caches[number],
                index=index,
                memory=memory["blocks"][number],
                memory_mask=memory["mask"],
            )
            kept.append(pair)
        return _normalized(x, self.norm, self.compute_dtype), kept


def make_stack(kind, depth, width, name, pre_norm=False, dtype=None, **block):
    """A stack of layer-normalised blocks.

    Args:
        kind: `EncoderStack` or `DecoderStack`.
        depth: int. Number of blocks.
        width: int. Length of a token's vector.
        name: str.
        pre_norm: bool. `True` normalises what enters a part, and the stack's output;
            `False` the output of every part.
        dtype: of the layers; norms are float32.
        **block: what else `make_block` takes.

    Returns:
        A stack without weights, to be built.
    """
    blocks = [
        make_block(
            width,
            norm=layer_norm,
            looks_across=kind is DecoderStack,
            pre_norm=pre_norm,
            dtype=dtype,
            name=f"block_{index}",
            **block,
        )
        for index in range(depth)
    ]
    norm = layer_norm("norm") if pre_norm else None
    return kind(blocks, norm, dtype=dtype, name=name)


def layer_norm(name):
    """Layer normalisation in float32, as in all published encoder-decoders."""
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype="float32", name=name)


def _normalized(x, norm, dtype):
    return x if norm is None else ops.cast(norm(x), dtype)
