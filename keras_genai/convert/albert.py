"""ALBERT checkpoints: the body and all heads of `keras_genai.tasks`.

Tokens have short vectors, and blocks are shared over the depth.

Reference: Lan et al. 2020, https://arxiv.org/abs/1909.11942; the tensors as in
transformers' `AlbertModel`
"""

import dataclasses
from typing import ClassVar, Literal

import pydantic

from keras_genai.convert import bert, encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import ACTIVATIONS, EncoderSettings
from keras_genai.convert.mapping import Count, Depth, Rate, attention, linear, norm
from keras_genai.data import published_pieces
from keras_genai.networks.bert import ALBERT
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.tagging import TokenClassifier

_DROPOUT = "classifier_dropout_prob"
_ORDER = r"sop_classifier\.classifier\.(weight|bias)"  # of two sentences


class AlbertSettings(EncoderSettings):
    """config.json of ALBERT. See `AlbertConfig` of transformers."""

    # The original's files have them, and no class reads them.
    idle: ClassVar[set] = {
        *("down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks"),
        *("layers_to_keep", "line_by_line"),
    }

    vocab_size: Count = 30000
    embedding_size: Count = 128
    hidden_size: Count = 4096
    num_attention_heads: Count = 64
    intermediate_size: Count = 16384
    hidden_act: Literal[*ACTIVATIONS] = "gelu_new"
    hidden_dropout_prob: Rate = 0.0
    num_hidden_groups: Depth = 1
    inner_group_num: Depth = 1
    classifier_dropout: Rate | None = pydantic.Field(0.1, validation_alias=_DROPOUT)


def style(settings):
    """The style that a config.json describes."""
    return dataclasses.replace(
        ALBERT,
        embedding_width=settings.embedding_size,
        num_groups=settings.num_hidden_groups,
        group_size=settings.inner_group_num,
        epsilon=settings.layer_norm_eps,
    )


def describe(network):
    """The config.json of a `BERT`."""
    own = network.style
    expected = dataclasses.replace(
        ALBERT,
        embedding_width=own.embedding_width,
        num_groups=own.num_groups,
        group_size=own.group_size,
        epsilon=own.epsilon,
    )
    encoders.check_style(network, expected)
    if None in (own.embedding_width, own.num_groups):
        raise ValueError(
            "`embedding_width` and `num_groups` of `style` must be ints. "
            f"Received: {own}"
        )
    return {
        **encoders.sizes(network),
        "embedding_size": own.embedding_width,
        "num_hidden_groups": own.num_groups,
        "inner_group_num": own.group_size,
        "type_vocab_size": network.num_segments,
    }


def rules(network):
    """Which weight of a `BERT` is which tensor."""
    found = [
        *bert.embeddings(network, "albert.embeddings"),
        *linear("projection", "albert.encoder.embedding_hidden_mapping_in"),
    ]
    for index in range(network.num_blocks):
        group, place = divmod(index, network.style.group_size)
        group = f"albert.encoder.albert_layer_groups.{group}"
        found += _block(f"block_{index}", f"{group}.albert_layers.{place}")
    return found


def _block(ours, theirs):
    names = (
        f"{theirs}.attention.{part}" for part in ("query", "key", "value", "dense")
    )
    return [
        *attention(f"{ours}/attention", *names),
        *norm(f"{ours}/attention_norm", f"{theirs}.attention.LayerNorm"),
        *linear(f"{ours}/feedforward/expand", f"{theirs}.ffn"),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.ffn_output"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.full_layer_layer_norm"),
    ]


FAMILY = encoders.family(
    Encoder(
        model_type="albert",
        stem="Albert",
        prefix="albert.",
        settings=AlbertSettings,
        style=style,
        describe=describe,
        rules=rules,
        table="albert.embeddings.word_embeddings.weight",
        pooler="albert.pooler",
        guesses=Guesses(
            transform="predictions.dense",
            norm="predictions.LayerNorm",
            decoder="predictions.decoder",
            bias="predictions.bias",
            unused=(_ORDER,),
        ),
        dropouts=dict.fromkeys((SequenceClassifier, TokenClassifier), _DROPOUT),
        tokenizer=published_pieces.albert_unigram,
        rename=bert.rename,
        more=lambda encoder: (encoders.masked(encoder, "ForPreTraining"),),
    )
)
