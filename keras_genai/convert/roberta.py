"""RoBERTa, XLM-RoBERTa and CamemBERT checkpoints: the body and all heads of tasks.

Their positions begin after the number of the padding token, and a head that labels
texts has a pooler of its own.

Reference: Liu et al. 2019, https://arxiv.org/abs/1907.11692; Conneau et al. 2020,
https://arxiv.org/abs/1911.02116; Martin et al. 2020, https://arxiv.org/abs/1911.03894;
the tensors as in transformers' `RobertaModel`, `XLMRobertaModel` and `CamembertModel`
"""

import dataclasses

from keras_genai.convert import bert, encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import EncoderSettings
from keras_genai.convert.mapping import Count, Token
from keras_genai.data import published_pieces
from keras_genai.networks.bert import ROBERTA


class RobertaSettings(EncoderSettings):
    """config.json of RoBERTa. See `RobertaConfig` of transformers."""

    vocab_size: Count = 50265
    pad_token_id: Token = 1

    @property
    def context(self):
        return self.max_position_embeddings - self.pad_token_id - 1


class XLMRobertaSettings(RobertaSettings):
    """config.json of XLM-RoBERTa and CamemBERT. See `XLMRobertaConfig`."""

    vocab_size: Count = 30522


def style(settings):
    """The style that a config.json describes."""
    return dataclasses.replace(
        ROBERTA, pad_token=settings.pad_token_id, epsilon=settings.layer_norm_eps
    )


def describe(network):
    """The config.json of a `BERT`."""
    pad = network.style.pad_token
    if pad is None:
        raise ValueError("`pad_token` of `style` must be an int. Received: None")
    expected = dataclasses.replace(
        ROBERTA, pad_token=pad, epsilon=network.style.epsilon
    )
    encoders.check_style(network, expected)
    return {
        **encoders.sizes(network),
        "max_position_embeddings": network.context + pad + 1,
        "type_vocab_size": network.num_segments,
        "pad_token_id": pad,
    }


_ROBERTA = Encoder(
    model_type="roberta",
    stem="Roberta",
    prefix="roberta.",
    settings=RobertaSettings,
    style=style,
    describe=describe,
    rules=bert.rules("roberta."),
    table="roberta.embeddings.word_embeddings.weight",
    pooler="roberta.pooler.dense",
    classifier=("classifier.dense", "classifier.out_proj"),
    guesses=Guesses(
        transform="lm_head.dense",
        norm="lm_head.layer_norm",
        decoder="lm_head.decoder",
        bias="lm_head.bias",
    ),
    dropouts=bert.DROPOUTS,
    tokenizer=published_pieces.roberta_bpe,
    rename=bert.rename,
)
FAMILY = encoders.family(_ROBERTA)
FAMILY_XLM = encoders.family(
    dataclasses.replace(
        _ROBERTA,
        model_type="xlm-roberta",
        stem="XLMRoberta",
        settings=XLMRobertaSettings,
        tokenizer=published_pieces.roberta_unigram,
    )
)
FAMILY_CAMEMBERT = encoders.family(
    dataclasses.replace(
        _ROBERTA,
        model_type="camembert",
        stem="Camembert",
        settings=XLMRobertaSettings,
        tokenizer=published_pieces.camembert_unigram,
    )
)
