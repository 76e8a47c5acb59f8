"""BERT checkpoints: the body and all heads of `keras_genai.tasks`.

Reference: Devlin et al. 2019, https://arxiv.org/abs/1810.04805; the tensors as in
transformers' `BertModel` and its heads.
"""

from keras_genai.convert import encoders
from keras_genai.convert.encoder_family import Encoder, Guesses
from keras_genai.convert.encoder_settings import EncoderSettings
from keras_genai.convert.mapping import attention, linear, norm, same
from keras_genai.data import published
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERTStyle
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.tagging import TokenClassifier

DROPOUTS = dict.fromkeys((SequenceClassifier, TokenClassifier), "classifier_dropout")
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}  # of norms, before 2019


def style(settings):
    """The style that a config.json describes."""
    return BERTStyle(epsilon=settings.layer_norm_eps)


def describe(network):
    """The config.json of a `BERT`."""
    encoders.check_style(network, BERTStyle(epsilon=network.style.epsilon))
    return {**encoders.sizes(network), "type_vocab_size": network.num_segments}


def rules(prefix):
    """A function of a `BERT`: which weight of it is which tensor."""

    def of(network):
        found = embeddings(network, f"{prefix}embeddings")
        for index in range(network.num_blocks):
            found += block(f"block_{index}", f"{prefix}encoder.layer.{index}")
        return found

    return of


def embeddings(network, names):
    """Rules of the tables and the norm behind them."""
    found = [
        *same("embedding/embeddings", f"{names}.word_embeddings.weight"),
        *same("positions/table", f"{names}.position_embeddings.weight"),
        *norm("embedding_norm", f"{names}.LayerNorm"),
    ]
    if network.num_segments is not None:
        segments = f"{names}.token_type_embeddings.weight"
        found += same("segments/embeddings", segments)
    return found


def block(ours, theirs):
    """Rules of a block."""
    inner = f"{theirs}.attention.self"
    return [
        *attention(
            f"{ours}/attention",
            f"{inner}.query",
            f"{inner}.key",
            f"{inner}.value",
            f"{theirs}.attention.output.dense",
        ),
        *norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm"),
        *feedforward(ours, theirs),
    ]


def feedforward(ours, theirs):
    """Rules of a block's second half."""
    return [
        *linear(f"{ours}/feedforward/expand", f"{theirs}.intermediate.dense"),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.output.dense"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.output.LayerNorm"),
    ]


def rename(name):
    """Checkpoints of 2018 call a norm's weights gamma and beta."""
    stem, _, last = name.rpartition(".")
    if stem.endswith(("LayerNorm", "layer_norm")) and last in _OLD_NAMES:
        return f"{stem}.{_OLD_NAMES[last]}"
    return name


def _more(encoder):
    """Two heads of pre-training, of which one is read."""
    return (
        encoders.masked(encoder, "ForPreTraining"),
        encoders.head(
            encoder,
            "ForNextSentencePrediction",
            SequenceClassifier,
            lambda settings: {
                "target": Label(2, ("is_next", "is_random")),
                "dropout": 0.0,
            },
            lambda model: encoders.describe_classifier(encoder, model),
            has_pooler=True,
            layers=lambda model: linear("classifier", "cls.seq_relationship"),
        ),
    )


FAMILY = encoders.family(
    Encoder(
        model_type="bert",
        stem="Bert",
        prefix="bert.",
        settings=EncoderSettings,
        style=style,
        describe=describe,
        rules=rules("bert."),
        table="bert.embeddings.word_embeddings.weight",
        pooler="bert.pooler.dense",
        guesses=Guesses(
            transform="cls.predictions.transform.dense",
            norm="cls.predictions.transform.LayerNorm",
            decoder="cls.predictions.decoder",
            bias="cls.predictions.bias",
            unused=(r"cls\.seq_relationship\.(weight|bias)",),
        ),
        dropouts=DROPOUTS,
        tokenizer=published.wordpiece,
        rename=rename,
        more=_more,
    )
)
