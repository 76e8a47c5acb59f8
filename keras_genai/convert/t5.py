"""T5, T5 v1.1 and Flan-T5 folders of transformers."""

from typing import ClassVar, Literal

import pydantic

from keras_genai.convert.encoder_decoder import FIXED, HARMLESS
from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.convert.known_settings import KnownSettings
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    attention,
    joined,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.data import published
from keras_genai.networks.t5 import T5, T5Style
from keras_genai.tasks.seq2seq import Seq2SeqLM

# `feed_forward_proj`, as our activation and whether it is gated. "gated-gelu" has
# meant the tanh form since the first such checkpoint.
PROJECTIONS = {
    "relu": ("relu", False),
    "gelu": ("gelu", False),
    "gelu_new": ("gelu_tanh", False),
    "silu": ("silu", False),
    "gated-relu": ("relu", True),
    "gated-gelu": ("gelu_tanh", True),
    "gated-gelu_new": ("gelu_tanh", True),
    "gated-silu": ("silu", True),
}


class T5Settings(KnownSettings):
    """config.json of T5. See `T5Config` of transformers."""

    fixed: ClassVar[dict] = FIXED
    harmless: ClassVar[set] = HARMLESS
    # How training begins, and a length that no class reads.
    idle: ClassVar[set] = {"initializer_factor", "n_positions"}

    vocab_size: Count = 32128
    d_model: Count = 512
    d_kv: Count = 64
    d_ff: Count = 2048
    num_layers: Depth = 6
    num_decoder_layers: Depth | None = None
    num_heads: Count = 8
    relative_attention_num_buckets: int = pydantic.Field(32, ge=4, le=2**16)
    relative_attention_max_distance: int = pydantic.Field(128, ge=3, le=2**20)
    dropout_rate: Rate = 0.1
    layer_norm_epsilon: float = pydantic.Field(1e-6, gt=0, lt=1)
    feed_forward_proj: Literal[*PROJECTIONS] = "relu"
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None
    # What `feed_forward_proj` says, once more.
    dense_act_fn: str | None = None
    is_gated_act: bool | None = None

    @pydantic.model_validator(mode="after")
    def _check_projection(self):
        kind, _, activation = self.feed_forward_proj.rpartition("-")
        if self.feed_forward_proj == "gated-gelu":
            activation = "gelu_new"
        wanted = {"dense_act_fn": activation, "is_gated_act": kind == "gated"}
        for key, value in wanted.items():
            if getattr(self, key) not in (None, value):
                raise ValueError(
                    f"`{key}` must be {value!r}, as `feed_forward_proj` says. "
                    f"Received: {getattr(self, key)!r:.40}"
                )
        return self

    @property
    def depths(self):
        return {
            "encoder_depth": self.num_layers,
            "decoder_depth": self.num_decoder_layers or self.num_layers,
        }


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    activation, gated = PROJECTIONS[settings.feed_forward_proj]
    scaled = settings.scale_decoder_outputs
    if scaled is None:  # only files of transformers 5 say so
        scaled = settings.tie_word_embeddings
    style = T5Style(
        activation,
        gated,
        # The original's files may hold the table twice, and then do tie it.
        tie_embeddings=scaled or "lm_head.weight" not in checkpoint.names,
        scale_logits=scaled,
        num_buckets=settings.relative_attention_num_buckets,
        max_distance=settings.relative_attention_max_distance,
        epsilon=settings.layer_norm_epsilon,
    )
    network = {
        "vocabulary_size": settings.vocab_size,
        **settings.depths,
        "width": settings.d_model,
        "num_heads": settings.num_heads,
        "head_dim": settings.d_kv,
        "inner_width": settings.d_ff,
        "dropout": settings.dropout_rate,
        "style": style,
    }
    generation = read_generation(
        checkpoint.config,
        checkpoint.generation,
        {"eos_token_id": 1},
        settings.vocab_size,
    )
    return made(Seq2SeqLM, {"network": (T5, network)}, overrides, generation=generation)


def rules(model):
    """Which weight is which tensor."""
    network = model.network
    found = same("embedding/embeddings", "shared.weight")
    for side in ("encoder", "decoder"):
        first = f"{side}.block.0.layer.0.SelfAttention"
        found += same(
            f"{side}/position_bias/table", f"{first}.relative_attention_bias.weight"
        )
        found += norm(f"{side}/norm", f"{side}.final_layer_norm", bias=False)
    for index in range(network.encoder_depth):
        ours, theirs = f"encoder/block_{index}", f"encoder.block.{index}.layer"
        found += _attention(f"{ours}/attention", f"{theirs}.0.SelfAttention")
        found += norm(f"{ours}/attention_norm", f"{theirs}.0.layer_norm", bias=False)
        found += _feedforward(network, ours, f"{theirs}.1")
    for index in range(network.decoder_depth):
        ours, theirs = f"decoder/block_{index}", f"decoder.block.{index}.layer"
        found += _attention(f"{ours}/attention", f"{theirs}.0.SelfAttention")
        found += norm(f"{ours}/attention_norm", f"{theirs}.0.layer_norm", bias=False)
        found += _attention(f"{ours}/cross_attention", f"{theirs}.1.EncDecAttention")
        found += norm(f"{ours}/cross_norm", f"{theirs}.1.layer_norm", bias=False)
        found += _feedforward(network, ours, f"{theirs}.2")
    return within(network, found)


def head(model):
    """Rules of the output layer."""
    if model.network.style.tie_embeddings:
        return []
    return within(model.network, linear("head", "lm_head", bias=False))


def aliases(model):
    """Tensors that are the token table once more."""
    names = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
    if model.network.style.tie_embeddings:
        names.append("lm_head.weight")
    return dict.fromkeys(names, "shared.weight")


def describe(model):
    """config.json of a model."""
    network, look = model.network, model.network.style
    theirs = {ours: name for name, ours in reversed(PROJECTIONS.items())}
    if (look.activation, look.gated) not in theirs:
        raise ValueError(
            f"`style` must have one of the feed-forwards {sorted(theirs)} in a T5. "
            f"Received: {(look.activation, look.gated)}"
        )
    return {
        "vocab_size": network.vocabulary_size,
        "d_model": network.width,
        "d_kv": network.head_dim,
        "d_ff": network.inner_width,
        "num_layers": network.encoder_depth,
        "num_decoder_layers": network.decoder_depth,
        "num_heads": network.num_heads,
        "relative_attention_num_buckets": look.num_buckets,
        "relative_attention_max_distance": look.max_distance,
        "dropout_rate": network.dropout,
        "layer_norm_epsilon": look.epsilon,
        "feed_forward_proj": theirs[look.activation, look.gated],
        "tie_word_embeddings": look.tie_embeddings,
        "scale_decoder_outputs": look.scale_logits,
        "is_encoder_decoder": True,
        "decoder_start_token_id": model.generation.decoder_start_token,
    }


def _attention(ours, theirs):
    names = (f"{theirs}.{part}" for part in ("q", "k", "v", "o"))
    return attention(ours, *names, bias=False)


def _feedforward(network, ours, theirs):
    inner = f"{theirs}.DenseReluDense"
    gates = ("wi_0", "wi_1") if network.style.gated else ("wi",)
    return [
        *joined(
            f"{ours}/feedforward/expand", tuple(f"{inner}.{g}" for g in gates), False
        ),
        *linear(f"{ours}/feedforward/contract", f"{inner}.wo", bias=False),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.layer_norm", bias=False),
    ]


FAMILY = Family(
    model_type="t5",
    settings=T5Settings,
    architectures=(
        Architecture(
            name="T5ForConditionalGeneration",
            task=Seq2SeqLM,
            network=T5,
            build=build,
            rules=rules,
            describe=describe,
            head=head,
            aliases=aliases,
            generation=lambda model: write_generation(model.generation),
        ),
    ),
    prefix="",
    tokenizer=published.unigram,
)
