"""The transformer block that GPT, BERT, T5 and EncoderDecoder share."""

import keras
from keras import ops

from keras_genai.checks import check_flags, check_heads, check_rates
from keras_genai.layers.attention import (
    Attention,
    build_once,
    deserialized,
    serialized,
)
from keras_genai.layers.caches import AsItIs, remember
from keras_genai.layers.feedforward import FeedForward
from keras_genai.layers.padding import at_real_tokens
from keras_genai.layers.recompute import recomputed
from keras_genai.registry import register


@register
class Block(keras.layers.Layer):
    """Self-attention, then cross-attention if given, then a feed-forward network.

    Args:
        attention: `Attention` for the sequence itself.
        feedforward: `FeedForward` or `GatedFeedForward`.
        norm: callable `norm(name=...)` that makes one normalisation layer, or `None`
            where there is to be none.
        cross_attention: `Attention` to another sequence, or `None`.
        pre_norm: bool. Normalise what enters a part (GPT-2), or the sum of its
            input and output (BERT).
        dropout: float. Rate on the output of every part.
        output_norms: bool. Whether what comes out of a part is normalised, too, before
            it is added (Gemma 2).

    Attributes:
        recompute: bool. If `True`, what is inside is not kept for the gradient, but
            computed again; see `keras_genai.layers.recompute`.
        skips_padding: bool. If `True`, the feed-forward network leaves out what is
            not `real`; see `keras_genai.layers.padding`.

    Call arguments:
        inputs: float `(B, T, width)`.
        attention_mask, bias, rotation, distances: see `Attention`.
        cache: pair of float `(B, G, L, head_dim)`, or `None`: then the block sees
            `inputs` only.
        index: int scalar. Slot of the cache where `inputs` begin. Or a `Ring` or
            `Prefix` of `keras_genai.layers.caches`.
        memory: what `cross_attention.project_memory` returned, for each row or for
            each group of neighbouring rows, such as the beams of one text.
        memory_mask: bool, broadcast to `(B, H, T, K)`.
        real: bool `(B, T)`, `False` at padding, or `None`.

    Returns:
        float `(B, T, width)`, and the pair of keys and values that was attended
        to: the updated cache.
    """

    recompute = False
    skips_padding = False

    def __init__(
        self,
        attention,
        feedforward,
        norm,
        cross_attention=None,
        pre_norm=True,
        dropout=0.0,
        output_norms=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_flags(pre_norm=pre_norm, output_norms=output_norms)
        check_rates(dropout=dropout)
        self.attention = attention
        self.cross_attention = cross_attention
        self.feedforward = feedforward
        self.pre_norm = pre_norm
        self.attention_norm = norm(name="attention_norm")
        self.cross_norm = norm(name="cross_norm") if cross_attention else None
        self.feedforward_norm = norm(name="feedforward_norm")
        self.output_norms = output_norms
        self.attention_output_norm = self.feedforward_output_norm = None
        if output_norms:
            self.attention_output_norm = norm(name="attention_output_norm")
            self.feedforward_output_norm = norm(name="feedforward_output_norm")
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape, memory_shape=None):
        """Makes the weights; `memory_shape` is that of the other sequence, if any."""
        build_once(self.attention_norm, inputs_shape)
        build_once(self.attention, inputs_shape)
        if self.cross_attention:
            build_once(self.cross_norm, inputs_shape)
            build_once(self.cross_attention, inputs_shape, memory_shape)
        build_once(self.feedforward_norm, inputs_shape)
        build_once(self.feedforward, inputs_shape)
        build_once(self.attention_output_norm, inputs_shape)
        build_once(self.feedforward_output_norm, inputs_shape)
        build_once(self.dropout, inputs_shape)

    def __call__(self, inputs, **kwargs):
        if self.recompute and kwargs.get("cache") is None:
            return recomputed(self, super().__call__, inputs, **kwargs)
        if kwargs.get("cache") is not None:  # its dtype is its own
            kwargs["cache"] = AsItIs(kwargs["cache"])
        return super().__call__(inputs, **kwargs)

    def call(  # noqa: PLR0913 - what attention has, of two sequences
        self,
        inputs,
        attention_mask=None,
        bias=None,
        rotation=None,
        cache=None,
        index=0,
        memory=None,
        memory_mask=None,
        real=None,
        distances=None,
        training=None,  # for the layers inside, to which Keras hands it on
    ):
        kept = None

        def look_back(x):
            nonlocal kept
            seen = kept = self.attention.project_memory(x, rotation)
            if cache is not None:
                pairs = (
                    remember(old, new, index)
                    for old, new in zip(cache.value, kept, strict=True)
                )
                seen, kept = zip(*pairs, strict=True)
            return self.attention(x, seen, bias, attention_mask, rotation, distances)

        if isinstance(memory_mask, tuple | list):  # Keras' own, of a pair without masks
            memory_mask = None

        def look_across(x):
            rows, groups = x.shape[0], memory[0].shape[0]
            if groups is None or rows in (groups, None):
                return self.cross_attention(x, memory, attention_mask=memory_mask)
            # The rows of a group ask as one longer sequence: its memory is read once.
            folded = ops.reshape(x, (groups, -1, x.shape[-1]))
            folded = self.cross_attention(folded, memory, attention_mask=memory_mask)
            return ops.reshape(folded, (rows, -1, x.shape[-1]))

        def think(x):
            if not self.skips_padding:
                return self.feedforward(x)
            return at_real_tokens(self.feedforward, x, real)

        x = self._add(
            inputs, look_back, self.attention_norm, self.attention_output_norm
        )
        if self.cross_attention:
            x = self._add(x, look_across, self.cross_norm)
        x = self._add(x, think, self.feedforward_norm, self.feedforward_output_norm)
        return x, kept

    def _add(self, x, part, norm, output_norm=None):
        """A residual connection around `part`, normalised before, after or both."""

        def normalize(x, norm=norm):
            return x if norm is None else ops.cast(norm(x), self.compute_dtype)

        if self.pre_norm:
            return x + self.dropout(normalize(part(normalize(x)), output_norm))
        return normalize(x + self.dropout(normalize(part(x), output_norm)))

    def get_config(self):
        parts = {name: serialized(getattr(self, name)) for name in PARTS}
        return {
            **super().get_config(),
            **{name: part for name, part in parts.items() if part is not None},
            "pre_norm": self.pre_norm,
            "dropout": self.dropout.rate,
            "output_norms": self.output_norms,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        parts = {
            name: deserialized(config.pop(name)) for name in PARTS if name in config
        }
        norms = {name: parts.pop(name) for name in NORMS if name in parts}
        return cls(**parts, norm=lambda name: norms.get(name), **config)


NORMS = (
    *("attention_norm", "cross_norm", "feedforward_norm"),
    *("attention_output_norm", "feedforward_output_norm"),
)
PARTS = ("attention", "feedforward", "cross_attention", *NORMS)


def make_block(
    width,
    num_heads,
    hidden,
    activation,
    norm,
    initializer,
    looks_across=False,
    pre_norm=True,
    dropout=0.0,
    **config,
):
    """The `Block` of most transformers: heads share out the width; all has biases.

    Args:
        width: int. Length of a token's vector.
        num_heads: int. Divides `width`.
        hidden: int. Width inside the feed-forward network.
        activation: of the feed-forward network, a name or a function.
        initializer: function that returns a new initializer, called for each matrix:
            one object draws the same numbers every time.
        looks_across: bool. Whether the block attends to another sequence, too.
        norm, pre_norm, dropout, **config: as for `Block`.

    Raises:
        ValueError: if `width` is not a multiple of `num_heads`.
    """
    check_heads(width, num_heads)

    def part(kind, *arguments, name):
        return kind(
            *arguments,
            initializer=initializer(),
            output_initializer=initializer(),
            dtype=config.get("dtype"),
            name=name,
        )

    heads = num_heads, width // num_heads
    return Block(
        part(Attention, *heads, name="attention"),
        part(FeedForward, hidden, activation, name="feedforward"),
        norm,
        part(Attention, *heads, name="cross_attention") if looks_across else None,
        pre_norm,
        dropout,
        **config,
    )
