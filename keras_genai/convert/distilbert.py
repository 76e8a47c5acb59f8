"""DistilBERT checkpoints: the body and all heads of `keras_genai.tasks`.

It is a BERT of fewer layers without kinds of sentences; a head that labels texts has a
pooler of its own, with ReLU.

Reference: Sanh et al. 2019, https://arxiv.org/abs/1910.01108; the tensors as in
transformers' `DistilBertModel`
"""

from typing import ClassVar, Literal

import pydantic

from keras_genai.convert import bert, encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import ACTIVATIONS, EncoderSettings
from keras_genai.convert.mapping import Count, Depth, Rate, attention, linear, norm
from keras_genai.data import published
from keras_genai.networks.bert import DISTILBERT
from keras_genai.tasks.classification import SequenceClassifier


def _called(name, usual):
    return pydantic.Field(usual, validation_alias=name)


class DistilBertSettings(EncoderSettings):
    """config.json of DistilBERT, by BERT's names. See `DistilBertConfig`."""

    # Its sines are stored as any other table; dropout is none where it is not here.
    idle: ClassVar[set] = {
        *("sinusoidal_pos_embds", "attention_dropout", "qa_dropout", "tie_weights_"),
        *("output_past", "n_special", "vocab_type"),
    }

    hidden_size: Count = _called("dim", 768)
    num_hidden_layers: Depth = _called("n_layers", 6)
    num_attention_heads: Count = _called("n_heads", 12)
    intermediate_size: Count = _called("hidden_dim", 3072)
    hidden_act: Literal[*ACTIVATIONS] = _called("activation", "gelu")
    hidden_dropout_prob: Rate = _called("dropout", 0.1)
    classifier_dropout: Rate | None = _called("seq_classif_dropout", 0.2)

    @property
    def token_dropout(self):
        return self.hidden_dropout_prob


def describe(network):
    """The config.json of a `BERT`."""
    encoders.check_style(network, DISTILBERT, segments=False)
    found = encoders.sizes(network)
    return {
        "vocab_size": found["vocab_size"],
        "max_position_embeddings": found["max_position_embeddings"],
        "dim": found["hidden_size"],
        "n_layers": found["num_hidden_layers"],
        "n_heads": found["num_attention_heads"],
        "hidden_dim": found["intermediate_size"],
        "activation": found["hidden_act"],
        "dropout": found["hidden_dropout_prob"],
        "attention_dropout": 0.0,
        "sinusoidal_pos_embds": False,
    }


def rules(network):
    """Which weight of a `BERT` is which tensor."""
    found = bert.embeddings(network, "distilbert.embeddings")
    for index in range(network.num_blocks):
        found += _block(f"block_{index}", f"distilbert.transformer.layer.{index}")
    return found


def _block(ours, theirs):
    names = (f"{theirs}.attention.{part}_lin" for part in ("q", "k", "v", "out"))
    return [
        *attention(f"{ours}/attention", *names),
        *norm(f"{ours}/attention_norm", f"{theirs}.sa_layer_norm"),
        *linear(f"{ours}/feedforward/expand", f"{theirs}.ffn.lin1"),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.ffn.lin2"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.output_layer_norm"),
    ]


FAMILY = encoders.family(
    Encoder(
        model_type="distilbert",
        stem="DistilBert",
        prefix="distilbert.",
        has_segments=False,
        settings=DistilBertSettings,
        style=lambda settings: DISTILBERT,
        describe=describe,
        rules=rules,
        table="distilbert.embeddings.word_embeddings.weight",
        classifier=("pre_classifier", "classifier"),
        guesses=Guesses(
            transform="vocab_transform",
            norm="vocab_layer_norm",
            decoder="vocab_projector",
        ),
        dropouts={SequenceClassifier: "seq_classif_dropout"},
        tokenizer=published.wordpiece,
        rename=bert.rename,
    )
)
