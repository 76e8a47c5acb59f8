"""BERT checkpoints: the body and all heads of `keras_genai.tasks`.

Reference: Devlin et al. 2019, https://arxiv.org/abs/1810.04805; the tensors as in
transformers' `BertModel` and its heads.
"""

import re
from typing import ClassVar, Literal

import pydantic

from keras_genai.convert import sentence_transformers
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    Settings,
    attention,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.data import published
from keras_genai.declared import fields
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_POOLER = r"pooler\.dense\.(weight|bias)"
_BIAS = "cls.predictions.bias"  # without a part in the numbers if the head is not tied
_NEXT_SENTENCE = r"cls\.seq_relationship\.(weight|bias)"
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}  # of norms, before 2019


class BertSettings(Settings):
    """The settings of a BERT that change its numbers."""

    fixed: ClassVar[dict] = {
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "add_cross_attention": False,
    }

    vocab_size: Count = 30522
    hidden_size: Count = 768
    num_hidden_layers: Depth = 12
    num_attention_heads: Count = 12
    intermediate_size: Count = 3072
    hidden_act: Literal[tuple(_ACTIVATIONS)] = "gelu"
    hidden_dropout_prob: Rate = 0.1
    classifier_dropout: Rate | None = None
    max_position_embeddings: Count = 512
    type_vocab_size: Count = 2
    tie_word_embeddings: bool = True
    problem_type: Literal["regression", "single_label_classification"] | None = None
    id2label: dict[str, str] | None = None
    num_labels: int | None = pydantic.Field(None, ge=1, le=2**16)

    @property
    def depths(self):
        return {"depth": self.num_hidden_layers}

    @pydantic.model_validator(mode="after")
    def _check(self):
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                "`hidden_size` must be a multiple of `num_attention_heads`. "
                f"Received: {self.hidden_size} and {self.num_attention_heads}"
            )
        if self.id2label is not None:
            places = {str(index) for index in range(len(self.id2label))}
            if not 0 < len(places) <= 2**16 or self.id2label.keys() != places:
                raise ValueError("`id2label` must name 0, 1, ... in one piece")
        return self

    @property
    def label(self):
        """`Label`, with names where they have some."""
        if self.id2label is None:
            return Label(self.num_labels or 2)
        names = [self.id2label[str(index)] for index in range(len(self.id2label))]
        return Label(len(names), names)

    @property
    def head_dropout(self):
        own = self.classifier_dropout
        return self.hidden_dropout_prob if own is None else own


def body(settings, has_pooler):
    """The arguments of the `BERT` that a config.json describes."""
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.max_position_embeddings,
        "depth": settings.num_hidden_layers,
        "width": settings.hidden_size,
        "num_heads": settings.num_attention_heads,
        "inner_width": settings.intermediate_size,
        "dropout": settings.hidden_dropout_prob,
        "activation": _ACTIVATIONS[settings.hidden_act],
        "num_segments": settings.type_vocab_size,
        "has_pooler": has_pooler,
    }


def build_body(settings, checkpoint, **overrides):
    """A `BERT` without a head, with a pooler if one is stored."""
    has_pooler = any("pooler.dense" in name for name in checkpoint.names)
    network = (BERT, body(settings, has_pooler))
    return made(FeatureExtractor, {"network": network}, overrides)


def builder(task, has_pooler, arguments):
    """A function that builds a head.

    Args:
        task: class of the head.
        has_pooler: bool. Whether its network has one.
        arguments: function from the settings to a dict of the head's arguments.
    """

    def build(settings, checkpoint, **overrides):
        network = (BERT, body(settings, has_pooler))
        return made(task, {"network": network}, overrides, **arguments(settings))

    return build


def _classified(settings):
    label = settings.label
    if label.num_classes == 1:  # of a single one, there is nothing but a value
        label = Number(label.words[0])
    return {"target": label, "dropout": settings.head_dropout}


def _tagged(settings):
    return {"target": settings.label, "dropout": settings.head_dropout}


def _masked(settings):
    return {"tie_embeddings": settings.tie_word_embeddings}


def _next_sentence(settings):
    return {"target": Label(2, ("is_next", "is_random")), "dropout": 0.0}


def describe(model):
    """The config.json of a task whose network is a `BERT`."""
    network = model.network
    pad = getattr(model.tokenizer, "pad_token", None)
    return {
        "vocab_size": network.vocabulary_size,
        "hidden_size": network.width,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.num_heads,
        "intermediate_size": network.inner_width or 4 * network.width,
        "hidden_act": {v: k for k, v in reversed(_ACTIVATIONS.items())}[
            network.activation
        ],
        "hidden_dropout_prob": network.dropout,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": network.context,
        "type_vocab_size": network.num_segments,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0 if pad is None else pad,
        "tie_word_embeddings": True,
    }


def describe_masked(model):
    """The config.json of a `MaskedLM`."""
    return {**describe(model), "tie_word_embeddings": model.tie_embeddings}


def describe_labels(model):
    """The config.json of a head that says labels."""
    names = {str(index): label for index, label in enumerate(model.labels)}
    return {
        **describe(model),
        "id2label": names,
        "label2id": {label: int(index) for index, label in names.items()},
        "classifier_dropout": model.dropout,
    }


def describe_classifier(model):
    """The config.json of a `SequenceClassifier` that reads the pooler.

    Raises:
        ValueError: if it reads anything else.
    """
    if model.pooling is not None or not model.network.has_pooler:
        raise ValueError(
            "`pooling` must be the network's own pooler. Received: "
            f"pooling={model.pooling!r}, has_pooler={model.network.has_pooler}"
        )
    return describe_labels(model)


def describe_embedder(model):
    """The config.json of a `SentenceEmbedder` that is nothing but a mean.

    Raises:
        ValueError: if it is more: that needs folders in the folder.
    """
    usual = fields(SentenceEmbedder)
    own = [key for key in usual if key not in ("network", "given", "pooling")]
    others = [key for key in own if getattr(model, key) != usual[key].default]
    if model.pooling != ("mean",):
        others.append("pooling")
    if others:
        raise ValueError(f"{', '.join(others)} must be as they are by themselves")
    return describe(model)


def rules(model):
    """Which weight of the body is which tensor."""
    network = model.network
    names = "bert.embeddings"
    found = [
        *same("embedding/embeddings", f"{names}.word_embeddings.weight"),
        *same("positions/table", f"{names}.position_embeddings.weight"),
        *same("segments/embeddings", f"{names}.token_type_embeddings.weight"),
        *norm("embedding_norm", f"{names}.LayerNorm"),
    ]
    for index in range(network.depth):
        found += _block(f"block_{index}", f"bert.encoder.layer.{index}")
    if network.has_pooler:
        found += linear("pooler", "bert.pooler.dense")
    return within(network, found)


def _block(ours, theirs):
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
        *linear(f"{ours}/feedforward/expand", f"{theirs}.intermediate.dense"),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.output.dense"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.output.LayerNorm"),
    ]


def masked_head(model):
    """The transform and the bias; the matrix too, if it is not the token table."""
    found = [
        *linear("transform", "cls.predictions.transform.dense"),
        *norm("transform_norm", "cls.predictions.transform.LayerNorm"),
    ]
    if model.tie_embeddings:
        return found + same("bias", _BIAS)
    return [
        *found,
        *linear("decoder", "cls.predictions.decoder", bias=False),
        *same("bias", "cls.predictions.decoder.bias"),
    ]


def masked_aliases(model):
    """A tied head's matrix is the token table, and its bias has two names."""
    if not model.tie_embeddings:
        return {}
    return {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": _BIAS,
    }


def rename(name):
    """Checkpoints of 2018 call a norm's weights gamma and beta."""
    stem, _, last = name.rpartition(".")
    if stem.endswith("LayerNorm") and last in _OLD_NAMES:
        return f"{stem}.{_OLD_NAMES[last]}"
    return name


def _labelled_head(model):
    return linear("classifier", "classifier")


def _architecture(name, task, has_pooler, arguments, describe=describe, **options):
    unused = () if has_pooler else (_POOLER,)
    return Architecture(
        name,
        task,
        BERT,
        builder(task, has_pooler, arguments),
        rules,
        describe,
        unused=(*unused, *options.pop("unused", ())),
        **options,
    )


_MASKED = dict(
    describe=describe_masked,
    head=masked_head,
    aliases=masked_aliases,
    unused=(_NEXT_SENTENCE, re.escape(_BIAS)),
)

FAMILY = Family(
    model_type="bert",
    settings=BertSettings,
    architectures=(
        Architecture("BertModel", FeatureExtractor, BERT, build_body, rules, describe),
        _architecture("BertForMaskedLM", MaskedLM, False, _masked, **_MASKED),
        _architecture("BertForPreTraining", MaskedLM, False, _masked, **_MASKED),
        _architecture(
            "BertForSequenceClassification",
            SequenceClassifier,
            True,
            _classified,
            describe_classifier,
            head=_labelled_head,
        ),
        _architecture(
            "BertForNextSentencePrediction",
            SequenceClassifier,
            True,
            _next_sentence,
            describe_classifier,
            head=lambda model: linear("classifier", "cls.seq_relationship"),
        ),
        _architecture(
            "BertForTokenClassification",
            TokenClassifier,
            False,
            _tagged,
            describe_labels,
            head=_labelled_head,
        ),
        _architecture(
            "BertForQuestionAnswering",
            QuestionAnswering,
            False,
            lambda settings: {},
            head=lambda model: linear("span", "qa_outputs"),
        ),
        # A sentence embedder is the body, perhaps with dense layers behind it.
        _architecture(
            "BertModel",
            SentenceEmbedder,
            False,
            lambda settings: {},
            describe_embedder,
            head=sentence_transformers.head,
        ),
    ),
    prefix="bert.",
    tokenizer=published.wordpiece,
    rename=rename,
)
