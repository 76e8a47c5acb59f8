"""ELECTRA checkpoints: the body and all heads of `keras_genai.tasks`.

Reference: Clark et al. 2020, https://arxiv.org/abs/2003.10555; the tensors as in
transformers' `ElectraModel`
"""

import dataclasses
from typing import ClassVar

from keras_genai.convert import bert, encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import EncoderSettings
from keras_genai.convert.mapping import Count, linear
from keras_genai.data import published
from keras_genai.modalities.number import Number
from keras_genai.networks.bert import ELECTRA
from keras_genai.tasks.tagging import TokenClassifier

_DISCRIMINATOR = "discriminator_predictions"


class ElectraSettings(EncoderSettings):
    """config.json of ELECTRA. See `ElectraConfig` of transformers."""

    # What only a head for multiple choice reads.
    idle: ClassVar[set] = {
        *("summary_type", "summary_use_proj", "summary_activation"),
        *("summary_last_dropout", "summary_first_dropout", "summary_proj_to_labels"),
    }

    embedding_size: Count = 128
    hidden_size: Count = 256
    num_attention_heads: Count = 4
    intermediate_size: Count = 1024


def style(settings):
    """The style that a config.json describes."""
    width = settings.embedding_size
    return dataclasses.replace(
        ELECTRA,
        embedding_width=None if width == settings.hidden_size else width,
        epsilon=settings.layer_norm_eps,
    )


def describe(network):
    """The config.json of a `BERT`."""
    width = network.style.embedding_width
    expected = dataclasses.replace(
        ELECTRA, embedding_width=width, epsilon=network.style.epsilon
    )
    encoders.check_style(network, expected)
    if width == network.width:
        raise ValueError(
            "`embedding_width` of `style` must be None, or another than the width. "
            f"Received: {width}"
        )
    return {
        **encoders.sizes(network),
        "embedding_size": width or network.width,
        "type_vocab_size": network.num_segments,
    }


def rules(network):
    """Which weight of a `BERT` is which tensor."""
    found = bert.rules("electra.")(network)
    if network.style.embedding_width is not None:
        found += linear("projection", "electra.embeddings_project")
    return found


def _describe_discriminator(encoder, model):
    """The config.json of a `TokenClassifier` of two layers with one output."""
    if not model.transform or model.num_outputs != 1:
        raise ValueError(
            "`transform` must be True and `target` a Number. "
            f"Received: {model.transform}, {model.target}"
        )
    return encoders.describe_body(encoder, model)


def _discriminator(encoder):
    """The head that tells which tokens were replaced."""
    return (
        encoders.head(
            encoder,
            "ForPreTraining",
            TokenClassifier,
            lambda settings: {
                "target": Number("replaced"),
                "dropout": 0.0,
                "transform": True,
            },
            lambda model: _describe_discriminator(encoder, model),
            layers=lambda model: [
                *linear("transform", f"{_DISCRIMINATOR}.dense"),
                *linear("classifier", f"{_DISCRIMINATOR}.dense_prediction"),
            ],
        ),
    )


FAMILY = encoders.family(
    Encoder(
        model_type="electra",
        stem="Electra",
        prefix="electra.",
        settings=ElectraSettings,
        style=style,
        describe=describe,
        rules=rules,
        table="electra.embeddings.word_embeddings.weight",
        classifier=("classifier.dense", "classifier.out_proj"),
        guesses=Guesses(
            transform="generator_predictions.dense",
            norm="generator_predictions.LayerNorm",
            decoder="generator_lm_head",
        ),
        dropouts=bert.DROPOUTS,
        tokenizer=published.wordpiece,
        rename=bert.rename,
        more=_discriminator,
    )
)
