"""ModernBERT checkpoints: the body and all heads of `keras_genai.tasks`.

Reference: Warner et al. 2024, https://arxiv.org/abs/2412.13663; the tensors as in
transformers' `ModernBertModel`
"""

from typing import Any, ClassVar, Literal

import pydantic

from keras_genai.convert import encoders
from keras_genai.convert.decoders import (
    FULL,
    SLIDING,
    Above,
    check_layer_types,
    layer_types,
    local_blocks,
)
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import (
    ACTIVATIONS,
    EncoderSettings,
    Epsilon,
    activation_name,
)
from keras_genai.convert.mapping import (
    Count,
    Depth,
    Rate,
    fused,
    layer_norm,
    linear,
    same,
)
from keras_genai.convert.rotary import read_rotary, write_rotary
from keras_genai.networks.modern_bert import ModernBERT, ModernBERTStyle
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.tagging import TokenClassifier

_LABELLING = (SequenceClassifier, TokenClassifier, QuestionAnswering)


class ModernBertSettings(EncoderSettings):
    """config.json of ModernBERT. See `ModernBertConfig` of transformers."""

    # How it is computed and trained; dropout that there is none of here.
    idle: ClassVar[set] = {
        *("attention_dropout", "mlp_dropout", "initializer_cutoff_factor"),
        *("deterministic_flash_attn", "reference_compile", "repad_logits_with_grad"),
        *("sparse_prediction", "sparse_pred_ignore_index", "layer_norm_eps"),
    }
    turns_part: ClassVar[bool] = False
    partial_rotary_factor: ClassVar[None] = None
    original_max_position_embeddings: ClassVar[None] = None

    vocab_size: Count = 50368
    intermediate_size: Count = 1152
    num_hidden_layers: Depth = 22
    hidden_act: Literal[*ACTIVATIONS] = pydantic.Field(
        "gelu", validation_alias="hidden_activation"
    )
    hidden_dropout_prob: Rate = pydantic.Field(
        0.0, validation_alias="embedding_dropout"
    )
    max_position_embeddings: Count = 8192
    layer_norm_eps: Epsilon = pydantic.Field(1e-5, validation_alias="norm_eps")
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    decoder_bias: bool = True
    classifier_bias: bool = False
    classifier_activation: Literal[*ACTIVATIONS] = "gelu"
    classifier_pooling: Literal["cls", "mean"] = "cls"
    classifier_dropout: Rate | None = 0.0
    local_attention: int = pydantic.Field(128, ge=2, le=2**22)
    layer_types: list[str] | None = None
    global_attn_every_n_layers: Count = 3
    global_rope_theta: Above = 160_000.0
    local_rope_theta: Above | None = 10_000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    @property
    def guess_bias(self):
        return self.decoder_bias

    @property
    def kinds(self):
        """list of str: the kind of every block."""
        period = self.global_attn_every_n_layers
        return self.layer_types or [
            SLIDING if n % period else FULL for n in range(self.num_hidden_layers)
        ]

    def rotary(self, kind):
        """`Rotary` of the blocks of a kind."""
        theta = self.global_rope_theta
        if kind == SLIDING and self.local_rope_theta is not None:
            theta = self.local_rope_theta
        stated = (self.rope_parameters or {}).get(kind) or {}
        return read_rotary(
            {"rope_theta": theta, **stated, **(self.rope_scaling or {})}, self
        )

    @pydantic.model_validator(mode="after")
    def _check_blocks(self):
        check_layer_types(self.layer_types, self.num_hidden_layers)
        style(self)  # which refuses what it cannot hold
        return self


def style(settings):
    """The style that a config.json describes."""
    return ModernBERTStyle(
        window=settings.local_attention // 2,
        local_blocks=local_blocks(settings.kinds),
        rotary=settings.rotary(FULL),
        local_rotary=settings.rotary(SLIDING),
        attention_bias=settings.attention_bias,
        feedforward_bias=settings.mlp_bias,
        norm_bias=settings.norm_bias,
        head_bias=settings.classifier_bias,
        head_activation=ACTIVATIONS[settings.classifier_activation],
        pooling=settings.classifier_pooling,
        epsilon=settings.layer_norm_eps,
    )


def arguments(encoder, settings, has_pooler):
    """The arguments of the `ModernBERT` that a config.json describes."""
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.context,
        "depth": settings.num_hidden_layers,
        "width": settings.hidden_size,
        "num_heads": settings.num_attention_heads,
        "inner_width": settings.intermediate_size,
        "dropout": settings.hidden_dropout_prob,
        "activation": ACTIVATIONS[settings.hidden_act],
        "has_pooler": has_pooler,
        "style": encoder.style(settings),
    }


def describe(network):
    """The config.json of a `ModernBERT`."""
    own = network.style
    if own.head_activation not in ACTIVATIONS.values():
        raise ValueError(
            "`head_activation` must be of an encoder. "
            f"Received: {own.head_activation!r}"
        )
    return {
        "vocab_size": network.vocabulary_size,
        "hidden_size": network.width,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.num_heads,
        "intermediate_size": network.inner_width,
        "hidden_activation": activation_name(network.activation),
        "embedding_dropout": network.dropout,
        "attention_dropout": 0.0,
        "mlp_dropout": 0.0,
        "max_position_embeddings": network.context,
        "norm_eps": own.epsilon,
        "norm_bias": own.norm_bias,
        "attention_bias": own.attention_bias,
        "mlp_bias": own.feedforward_bias,
        "classifier_bias": own.head_bias,
        "classifier_activation": activation_name(own.head_activation),
        "classifier_pooling": own.pooling,
        "local_attention": 2 * own.window,
        "layer_types": layer_types(network),
        "rope_parameters": {
            FULL: write_rotary(own.rotary),
            SLIDING: write_rotary(own.local_rotary),
        },
        # Those of the published vocabulary would be too large for another one.
        **dict.fromkeys(
            ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
        ),
    }


def rules(network):
    """Which weight of a `ModernBERT` is which tensor."""
    center = network.style.norm_bias
    found = [
        *same("embedding/embeddings", "model.embeddings.tok_embeddings.weight"),
        *layer_norm("embedding_norm", "model.embeddings.norm", center),
        *layer_norm("norm", "model.final_norm", center),
    ]
    for index in range(network.depth):
        found += _block(f"block_{index}", f"model.layers.{index}", network)
        if index:  # the first one reads what has just been normalised
            names = f"block_{index}/attention_norm", f"model.layers.{index}.attn_norm"
            found += layer_norm(*names, center)
    return found


def _block(ours, theirs, network):
    own = network.style
    bias, inner = own.attention_bias, own.feedforward_bias
    return [
        *fused(f"{ours}/attention", f"{theirs}.attn.Wqkv", network.width, bias),
        *linear(f"{ours}/attention/output", f"{theirs}.attn.Wo", bias),
        *layer_norm(f"{ours}/feedforward_norm", f"{theirs}.mlp_norm", own.norm_bias),
        *linear(f"{ours}/feedforward/expand", f"{theirs}.mlp.Wi", inner),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.mlp.Wo", inner),
    ]


def _no_vocabulary(folder, options, size):
    """There is nothing but a tokenizer.json."""
    return None


FAMILY = encoders.family(
    Encoder(
        model_type="modernbert",
        stem="ModernBert",
        prefix="model.",
        has_segments=False,
        settings=ModernBertSettings,
        style=style,
        describe=describe,
        rules=rules,
        table="model.embeddings.tok_embeddings.weight",
        classifier=("head.dense", "classifier"),
        transform=("head.dense", "head.norm"),
        span="classifier",
        guesses=Guesses(
            transform="head.dense",
            norm="head.norm",
            decoder="decoder",
            bias_key="decoder_bias",
        ),
        dropouts=dict.fromkeys(_LABELLING, "classifier_dropout"),
        tokenizer=_no_vocabulary,
        network=ModernBERT,
        arguments=arguments,
    )
)
