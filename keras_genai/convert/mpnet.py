"""MPNet checkpoints: the body and all heads of `keras_genai.tasks`.

Positions are counted as RoBERTa's, and all blocks share a bias on attention, as T5's.

Reference: Song et al. 2020, https://arxiv.org/abs/2004.09297; the tensors as in
transformers' `MPNetModel`
"""

import dataclasses
from typing import ClassVar

from keras_genai.convert import bert, encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import EncoderSettings
from keras_genai.convert.mapping import Count, attention, norm, same
from keras_genai.data import published_pieces
from keras_genai.networks.bert import MPNET

_FIRST = MPNET.pad_token + 1  # whatever config.json calls padding


class MPNetSettings(EncoderSettings):
    """config.json of MPNet. See `MPNetConfig` of transformers."""

    # transformers sorts distances into 32 buckets, however large the table is.
    fixed: ClassVar[dict] = {
        **EncoderSettings.fixed,
        "relative_attention_num_buckets": MPNET.num_buckets,
    }

    vocab_size: Count = 30527

    @property
    def head_dropout(self):
        return self.hidden_dropout_prob

    @property
    def context(self):
        return self.max_position_embeddings - _FIRST


def style(settings):
    """The style that a config.json describes."""
    return dataclasses.replace(MPNET, epsilon=settings.layer_norm_eps)


def describe(network):
    """The config.json of a `BERT`."""
    expected = dataclasses.replace(MPNET, epsilon=network.style.epsilon)
    encoders.check_style(network, expected, segments=False)
    return {
        **encoders.sizes(network),
        "max_position_embeddings": network.context + _FIRST,
        "relative_attention_num_buckets": MPNET.num_buckets,
        "pad_token_id": MPNET.pad_token,
    }


def rules(network):
    """Which weight of a `BERT` is which tensor."""
    bias = "mpnet.encoder.relative_attention_bias.weight"
    found = [
        *bert.embeddings(network, "mpnet.embeddings"),
        *same("position_bias/table", bias),
    ]
    for index in range(network.num_blocks):
        found += _block(f"block_{index}", f"mpnet.encoder.layer.{index}")
    return found


def _block(ours, theirs):
    names = (f"{theirs}.attention.attn.{part}" for part in "qkvo")
    return [
        *attention(f"{ours}/attention", *names),
        *norm(f"{ours}/attention_norm", f"{theirs}.attention.LayerNorm"),
        *bert.feedforward(ours, theirs),
    ]


FAMILY = encoders.family(
    Encoder(
        model_type="mpnet",
        stem="MPNet",
        prefix="mpnet.",
        has_segments=False,
        settings=MPNetSettings,
        style=style,
        describe=describe,
        rules=rules,
        table="mpnet.embeddings.word_embeddings.weight",
        pooler="mpnet.pooler.dense",
        classifier=("classifier.dense", "classifier.out_proj"),
        guesses=Guesses(
            transform="lm_head.dense",
            norm="lm_head.layer_norm",
            decoder="lm_head.decoder",
            bias="lm_head.bias",
        ),
        tokenizer=published_pieces.mpnet_wordpiece,
        rename=bert.rename,
    )
)
