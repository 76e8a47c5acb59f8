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
    norm,
    same,
)
from keras_genai.data import published
from keras_genai.models.bert import BERT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.encoder import (
    MaskedLM,
    SequenceClassifier,
    TokenClassifier,
)

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
    def labels(self):
        """Tuple of str, or int where they have no names."""
        if self.id2label is None:
            return self.num_labels or 2
        return tuple(self.id2label[str(index)] for index in range(len(self.id2label)))


def body(settings, pooler, overrides):
    """The `BERT` that a config.json describes, and the overrides that are left."""
    config = {
        "vocabulary_size": settings.vocab_size,
        "context": settings.max_position_embeddings,
        "depth": settings.num_hidden_layers,
        "width": settings.hidden_size,
        "num_heads": settings.num_attention_heads,
        "hidden": settings.intermediate_size,
        "dropout": settings.hidden_dropout_prob,
        "activation": _ACTIVATIONS[settings.hidden_act],
        "num_segments": settings.type_vocab_size,
        "pooler": pooler,
    }
    for key in config.keys() & overrides.keys():
        config[key] = overrides.pop(key)
    if "dtype" in overrides:
        config["dtype"] = overrides["dtype"]
    return config


def build_body(settings, checkpoint, **overrides):
    """A `BERT`, with a pooler if one is stored."""
    pooler = any("pooler.dense" in name for name in checkpoint.names)
    config = body(settings, pooler, overrides)
    return BERT(**config, **{k: v for k, v in overrides.items() if k != "dtype"})


def builder(task, pooler, arguments):
    """A function that builds a head.

    Args:
        task: class of the head.
        pooler: bool. Whether its backbone has one.
        arguments: function from the settings to a dict of the head's arguments.
    """

    def build(settings, checkpoint, **overrides):
        head = arguments(settings)
        head.update({key: overrides[key] for key in head.keys() & overrides.keys()})
        backbone = BERT(**body(settings, pooler, overrides))
        return task(backbone, **{**head, **overrides})

    return build


def _labelled(settings):
    dropout = settings.classifier_dropout
    return {
        "labels": settings.labels,
        "dropout": settings.hidden_dropout_prob if dropout is None else dropout,
    }


def _masked(settings):
    return {"tie_embeddings": settings.tie_word_embeddings}


def describe(model):
    """The config.json of a `BERT` or of a head on one.

    Raises:
        ValueError: if the backbone is another model.
    """
    backbone = getattr(model, "backbone", model)
    if type(backbone) is not BERT:
        raise ValueError(f"`backbone` must be a BERT. Received: {backbone.name}")
    pad = getattr(model.tokenizer, "pad_token", None)
    config = {
        "vocab_size": backbone.vocabulary_size,
        "hidden_size": backbone.width,
        "num_hidden_layers": backbone.depth,
        "num_attention_heads": backbone.num_heads,
        "intermediate_size": backbone.hidden,
        "hidden_act": {v: k for k, v in reversed(_ACTIVATIONS.items())}[
            backbone.activation
        ],
        "hidden_dropout_prob": backbone.dropout_rate,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": backbone.context,
        "type_vocab_size": backbone.num_segments,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0 if pad is None else pad,
        "tie_word_embeddings": getattr(model, "tie_embeddings", True),
    }
    if hasattr(model, "labels"):
        names = {str(index): label for index, label in enumerate(model.labels)}
        config["id2label"] = names
        config["label2id"] = {label: int(index) for index, label in names.items()}
        config["classifier_dropout"] = model.dropout.rate
    return config


def describe_embedder(model):
    """The config.json of a `SentenceEmbedder` that is nothing but a mean.

    Raises:
        ValueError: if it is more: that needs folders in the folder.
    """
    plain = SentenceEmbedder(model.backbone).get_config()
    config = model.get_config()
    ignored = ("backbone", "name", "dtype", "trainable")
    others = [key for key in plain if plain[key] != config[key] and key not in ignored]
    if others:
        raise ValueError(f"{', '.join(others)} must be as they are by themselves")
    return describe(model)


def rules(model):
    """Which weight of the body is which tensor."""
    backbone = getattr(model, "backbone", model)
    names = "bert.embeddings"
    found = [
        *same("embedding/embeddings", f"{names}.word_embeddings.weight"),
        *same("positions/table", f"{names}.position_embeddings.weight"),
        *same("segments/embeddings", f"{names}.token_type_embeddings.weight"),
        *norm("embedding_norm", f"{names}.LayerNorm"),
    ]
    for index in range(backbone.depth):
        found += _block(f"block_{index}", f"bert.encoder.layer.{index}")
    if backbone.has_pooler:
        found += linear("pooler", "bert.pooler.dense")
    return found


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


def _architecture(name, task, pooler, arguments, head, **options):
    build = builder(task, pooler, arguments)
    unused = () if pooler else (_POOLER,)
    unused = (*unused, *options.pop("unused", ()))
    return Architecture(
        name, task, build, rules, describe, head=head, unused=unused, **options
    )


_MASKED = dict(
    head=masked_head,
    aliases=masked_aliases,
    unused=(_NEXT_SENTENCE, re.escape(_BIAS)),
)

FAMILY = Family(
    model_type="bert",
    settings=BertSettings,
    architectures=(
        Architecture("BertModel", BERT, build_body, rules, describe),
        _architecture("BertForMaskedLM", MaskedLM, False, _masked, **_MASKED),
        _architecture("BertForPreTraining", MaskedLM, False, _masked, **_MASKED),
        _architecture(
            "BertForSequenceClassification",
            SequenceClassifier,
            True,
            _labelled,
            _labelled_head,
        ),
        _architecture(
            "BertForNextSentencePrediction",
            SequenceClassifier,
            True,
            lambda settings: {"labels": ("is_next", "is_random"), "dropout": 0.0},
            lambda model: linear("classifier", "cls.seq_relationship"),
        ),
        _architecture(
            "BertForTokenClassification",
            TokenClassifier,
            False,
            _labelled,
            _labelled_head,
        ),
        _architecture(
            "BertForQuestionAnswering",
            QuestionAnswering,
            False,
            lambda settings: {},
            lambda model: linear("span", "qa_outputs"),
        ),
        # A sentence embedder is the body, perhaps with dense layers behind it.
        Architecture(
            "BertModel",
            SentenceEmbedder,
            builder(SentenceEmbedder, False, lambda settings: {}),
            rules,
            describe_embedder,
            head=sentence_transformers.head,
            unused=(_POOLER,),
        ),
    ),
    prefix="bert.",
    tokenizer=published.wordpiece,
    rename=rename,
)
