"""The choices in which causal transformers differ."""

import dataclasses

import keras
from keras import ops

from keras_genai.checks import (
    check_flags,
    check_given_sizes,
    check_instance,
    check_number,
    check_one_of,
)
from keras_genai.layers.feedforward import (
    FeedForward,
    GatedFeedForward,
    gelu_tanh,
    quick_gelu,
)
from keras_genai.layers.rms import rms_norm
from keras_genai.layers.rotary import Rotary
from keras_genai.registry import register


@keras.saving.register_keras_serializable(package="keras_genai")
def relu_squared(x):
    """The square of ReLU.

    Reference: So et al. 2021, section 3, https://arxiv.org/abs/2109.08668
    """
    return ops.square(ops.relu(x))


# Of a style's `feedforward`: the network and its activation.
FEEDFORWARDS = {
    "gelu": (FeedForward, gelu_tanh),
    "gelu_exact": (FeedForward, "gelu"),
    "quick_gelu": (FeedForward, quick_gelu),
    "relu_squared": (FeedForward, relu_squared),
    "swiglu": (GatedFeedForward, "silu"),
    "geglu": (GatedFeedForward, gelu_tanh),
    "geglu_exact": (GatedFeedForward, "gelu"),
}
PLAIN_ROTARY = Rotary()
NORMS = ("layer", "rms", "offset_rms")


@register
@dataclasses.dataclass(frozen=True)
class Style:
    """The choices in which causal transformers differ. The defaults are GPT-2's.

    Args:
        positions: `"learned"`, `"rotary"` or `"relative"`: a learned vector of every
            distance within the context is compared with queries.
        norm: `"layer"`, `"rms"`, or `"offset_rms"`, whose scale is learned as a
            difference from one.
        feedforward: `"gelu"` (tanh form), `"gelu_exact"`, `"quick_gelu"` (sigmoid form,
            CLIP's), `"relu_squared"`, `"swiglu"`, `"geglu"` (tanh form) or
            `"geglu_exact"`.
        use_bias: bool. Biases in all matrices and LayerNorms.
        normalize_heads: bool. RMS-normalised queries and keys.
        tie_embeddings: bool. The output matrix is the token table.
        num_memory_heads: int or `None`. Key/value heads, if fewer than queries'.
        norm_epsilon: float or `None` (1e-5 of `"layer"`, 1e-6 of the others).
        rotary: `Rotary`, how rotary positions turn.
        query_bias: bool or `None` (`use_bias`). Biases of queries, keys and values.
        output_bias: bool or `None` (`use_bias`). Biases of what attention returns.
        feedforward_bias: bool or `None` (`use_bias`).
        output_norms: bool. What comes out of attention and feed-forward networks is
            normalised, too.
        scale_embeddings: bool. Token vectors are multiplied by the root of `width`.
        attention_scale: float or `None` (`head_dim ** -0.5`).
        attention_cap, logit_cap: float or `None`. What attention logits and the
            network's own are bent to stay below.
        window: int or `None`, in tokens. How far back local blocks look, a token itself
            included.
        local_blocks: tuple of bool, repeated over the depth. Which blocks are local, if
            there is a `window`.
        local_rotary: `Rotary` of local blocks, or `None` (`rotary`).

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Gemma Team 2024, section 2, https://arxiv.org/abs/2408.00118 (caps,
        output norms, local blocks); 2025, section 2, https://arxiv.org/abs/2503.19786
        (their frequencies)
    """

    positions: str = "learned"
    norm: str = "layer"
    feedforward: str = "gelu"
    use_bias: bool = True
    normalize_heads: bool = False
    tie_embeddings: bool = True
    num_memory_heads: int | None = None
    norm_epsilon: float | None = None
    rotary: Rotary = PLAIN_ROTARY
    query_bias: bool | None = None
    output_bias: bool | None = None
    feedforward_bias: bool | None = None
    output_norms: bool = False
    scale_embeddings: bool = False
    attention_scale: float | None = None
    attention_cap: float | None = None
    logit_cap: float | None = None
    window: int | None = None
    local_blocks: tuple = (True,)
    local_rotary: Rotary | None = None

    def __post_init__(self):
        check_one_of("positions", self.positions, ("learned", "rotary", "relative"))
        check_one_of("norm", self.norm, NORMS)
        check_one_of("feedforward", self.feedforward, [*FEEDFORWARDS])
        flags = ("query_bias", "output_bias", "feedforward_bias")
        check_flags(
            use_bias=self.use_bias,
            normalize_heads=self.normalize_heads,
            tie_embeddings=self.tie_embeddings,
            output_norms=self.output_norms,
            scale_embeddings=self.scale_embeddings,
            **{
                key: value for key in flags if (value := getattr(self, key)) is not None
            },
        )
        check_given_sizes(num_memory_heads=self.num_memory_heads, window=self.window)
        for name in ("norm_epsilon", "attention_scale", "attention_cap", "logit_cap"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, "above 0 or None", lambda each: each > 0)
        check_instance("rotary", self.rotary, Rotary)
        if self.local_rotary is not None:
            check_instance("local_rotary", self.local_rotary, Rotary)
        object.__setattr__(self, "local_blocks", tuple(self.local_blocks))  # of a file
        if not self.local_blocks or {type(each) for each in self.local_blocks} != {
            bool
        }:
            raise ValueError(
                "`local_blocks` must be a tuple of at least one bool. "
                f"Received: {self.local_blocks!r}"
            )

    def is_local(self, index):
        """Whether the block of this number looks back no farther than `window`."""
        pattern = self.local_blocks
        return self.window is not None and pattern[index % len(pattern)]

    def make_norm(self, name):
        """A normalisation layer, in float32."""
        if self.norm != "layer":
            return rms_norm(name, self.epsilon, self.norm == "offset_rms")
        return keras.layers.LayerNormalization(
            epsilon=self.epsilon, center=self.use_bias, dtype="float32", name=name
        )

    @property
    def epsilon(self):
        """float: what norms add to a mean square."""
        if self.norm_epsilon is not None:
            return self.norm_epsilon
        return 1e-5 if self.norm == "layer" else 1e-6

    def bias_of(self, part):
        """bool: whether `"query"`, `"output"` or `"feedforward"` has a bias."""
        own = getattr(self, f"{part}_bias")
        return self.use_bias if own is None else own

    def get_config(self):
        # What is at its default is left out, so that files say what they said before
        # there was such a choice.
        fields = dataclasses.fields(self)
        values = {field.name: getattr(self, field.name) for field in fields}
        return {
            field.name: values[field.name]
            for place, field in enumerate(fields)
            if place < FIRST or values[field.name] != field.default
        }


FIRST = 7  # choices that files have always named
GPT2 = Style()
LLAMA = Style(
    positions="rotary",
    norm="rms",
    feedforward="swiglu",
    use_bias=False,
    tie_embeddings=False,
)
# Rotary positions and RMSNorm as in Llama; squared ReLU: So et al. 2021, section 3; and
# normalised queries and keys: Henry et al. 2020, https://arxiv.org/abs/2010.04245
MODERN = Style(
    positions="rotary",
    norm="rms",
    feedforward="relu_squared",
    use_bias=False,
    normalize_heads=True,
)
GEMMA = Style(
    positions="rotary",
    norm="offset_rms",
    feedforward="geglu",
    use_bias=False,
    output_norms=True,
    scale_embeddings=True,
)
