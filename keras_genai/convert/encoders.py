"""Encoders: what their families share, which is all but the names.

A family is an `Encoder`: the schema of its config.json, the style of `BERT` that it is,
and what its tensors are called. `family` makes all heads of it.
"""

import dataclasses
import re
from collections.abc import Callable

from keras_genai.convert import sentence_transformers
from keras_genai.convert.encoder_settings import ACTIVATIONS, activation_name
from keras_genai.convert.mapping import (
    Architecture,
    Family,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.declared import fields
from keras_genai.modalities.number import Number
from keras_genai.networks.bert import BERT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier


@dataclasses.dataclass(frozen=True)
class Guesses:
    """Names in the head that guesses tokens.

    Args:
        transform: str, the dense layer.
        norm: str, its normalisation.
        decoder: str, the matrix, which is the token table if it is tied.
        bias: str or `None`, a name of its own that the matrix' bias has, too.
        unused: regular expressions of tensors, without prefix, that were trained
            beside it and are not read.
    """

    transform: str
    norm: str
    decoder: str
    bias: str | None = None
    unused: tuple = ()


@dataclasses.dataclass(frozen=True)
class Encoder:
    """What a family of encoders says once, for all of its heads.

    Args:
        model_type: str.
        stem: str, how the names of its classes begin.
        prefix: str, see `Family`.
        settings: subclass of `EncoderSettings`.
        style: `style(settings)`, a `BERTStyle`.
        describe: `describe(network)`, the dict of config.json for a `BERT`; it raises
            `ValueError` if this family cannot express it.
        rules: `rules(network)`, for all of a `BERT` but its pooler.
        table: str, the name of the token table.
        guesses: `Guesses`.
        has_segments: bool. Whether it tells kinds of sentences apart.
        pooler: str or `None`, the pooler's name if the body has one.
        classifier: pair of str, or `None`: the two layers of a head that labels texts
            and has a pooler of its own.
        dropouts: dict from the class of a task to the key of its head's dropout.
        tokenizer, rename: see `Family`.
        unused: regular expressions of tensors, without prefix, that no head here reads.
        more: `more(encoder)`, a tuple of further `Architecture`.
    """

    model_type: str
    stem: str
    prefix: str
    settings: type
    style: Callable
    describe: Callable
    rules: Callable
    table: str
    guesses: Guesses
    tokenizer: Callable
    has_segments: bool = True
    pooler: str | None = None
    classifier: tuple | None = None
    dropouts: dict = dataclasses.field(default_factory=dict)
    rename: Callable = lambda name: name
    unused: tuple = ()
    more: Callable = lambda encoder: ()


def family(encoder):
    """The `Family` of an `Encoder`, with all heads."""
    return Family(
        model_type=encoder.model_type,
        settings=encoder.settings,
        architectures=(
            _body(encoder),
            masked(encoder, "ForMaskedLM"),
            _labels_texts(encoder),
            head(
                encoder,
                "ForTokenClassification",
                TokenClassifier,
                arguments=lambda settings: {
                    "target": settings.label,
                    "dropout": settings.token_dropout,
                },
                describe=lambda model: _describe_tagger(encoder, model),
                head=lambda model: linear("classifier", "classifier"),
            ),
            head(
                encoder,
                "ForQuestionAnswering",
                QuestionAnswering,
                head=lambda model: linear("span", "qa_outputs"),
            ),
            *encoder.more(encoder),
            # A sentence embedder is the body, perhaps with dense layers behind it.
            head(
                encoder,
                "Model",
                SentenceEmbedder,
                describe=lambda model: _describe_embedder(encoder, model),
                head=sentence_transformers.head,
            ),
        ),
        prefix=encoder.prefix,
        tokenizer=encoder.tokenizer,
        rename=encoder.rename,
    )


def network_arguments(encoder, settings, has_pooler):
    """The arguments of the `BERT` that a config.json describes."""
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.context,
        "depth": settings.num_hidden_layers,
        "width": settings.hidden_size,
        "num_heads": settings.num_attention_heads,
        "inner_width": settings.intermediate_size,
        "dropout": settings.hidden_dropout_prob,
        "activation": ACTIVATIONS[settings.hidden_act],
        "num_segments": settings.type_vocab_size if encoder.has_segments else None,
        "has_pooler": has_pooler,
        "style": encoder.style(settings),
    }


def head(
    encoder,
    suffix,
    task,
    arguments=lambda settings: {},
    describe=None,
    has_pooler=False,
    unused=(),
    **options,
):
    """The `Architecture` of a head.

    Args:
        encoder: `Encoder`.
        suffix: str, how the name of its class ends.
        task: class of the head.
        arguments: function from the settings to a dict of the head's arguments.
        describe: see `Architecture`; or `None`, for a head that says nothing itself.
        has_pooler: bool. Whether its network has one.
        unused: see `Architecture`, beside what the encoder leaves out.
        **options: see `Architecture`.
    """

    def build(settings, checkpoint, **overrides):
        network = BERT, network_arguments(encoder, settings, has_pooler)
        return made(task, {"network": network}, overrides, **arguments(settings))

    if encoder.pooler is not None and not (has_pooler and encoder.classifier is None):
        name = encoder.pooler.removeprefix(encoder.prefix)
        unused = (*unused, rf"{re.escape(name)}\.(weight|bias)")
    return Architecture(
        encoder.stem + suffix,
        task,
        BERT,
        build,
        lambda model: _rules(encoder, model),
        describe or (lambda model: describe_body(encoder, model)),
        unused=(*unused, *encoder.unused),
        **options,
    )


def _body(encoder):
    """A `BERT` without a head, with a pooler if one is stored."""

    def build(settings, checkpoint, **overrides):
        name = f"{encoder.pooler}.weight"
        stored = {name, name.removeprefix(encoder.prefix)}
        has_pooler = encoder.pooler is not None and bool(stored & checkpoint.names)
        network = BERT, network_arguments(encoder, settings, has_pooler)
        return made(FeatureExtractor, {"network": network}, overrides)

    return dataclasses.replace(
        head(encoder, "Model", FeatureExtractor), build=build, unused=encoder.unused
    )


def _rules(encoder, model):
    """Which weight of the body is which tensor."""
    network = model.network
    found = encoder.rules(network)
    if network.has_pooler and not _own_pooler(encoder, model):
        found += linear("pooler", encoder.pooler)
    return within(network, found)


def _own_pooler(encoder, model):
    """Whether the pooler is a part of the head."""
    return isinstance(model, SequenceClassifier) and encoder.classifier is not None


def masked(encoder, suffix):
    """The `Architecture` of the head that guesses tokens.

    Parts of it may be stored twice.

    Args:
        encoder: `Encoder`.
        suffix: str, how the name of its class ends.
    """
    names = encoder.guesses

    def describe(model):
        tied = {"tie_word_embeddings": model.tie_embeddings}
        return {**describe_body(encoder, model), **tied}

    def rules(model):
        found = [
            *linear("transform", names.transform),
            *norm("transform_norm", names.norm),
        ]
        if model.tie_embeddings:
            return found + same("bias", names.bias or f"{names.decoder}.bias")
        return [
            *found,
            *linear("decoder", names.decoder, bias=False),
            *same("bias", f"{names.decoder}.bias"),
        ]

    def aliases(model):
        if not model.tie_embeddings:
            return {}
        found = {f"{names.decoder}.weight": encoder.table}
        if names.bias is not None:
            found[f"{names.decoder}.bias"] = names.bias
        return found

    # Without a part in the numbers if the matrix is not tied.
    double = () if names.bias is None else (re.escape(names.bias),)
    return head(
        encoder,
        suffix,
        MaskedLM,
        lambda settings: {"tie_embeddings": settings.tie_word_embeddings},
        describe,
        head=rules,
        aliases=aliases,
        unused=(*double, *names.unused),
    )


def _labels_texts(encoder):
    """The head that says a label of a text, or a value."""

    def arguments(settings):
        label = settings.label
        if label.num_classes == 1:  # of a single one, there is nothing but a value
            label = Number(label.words[0])
        return {"target": label, "dropout": settings.head_dropout}

    def rules(model):
        if encoder.classifier is None:
            return linear("classifier", "classifier")
        dense, output = encoder.classifier
        pooler = within(model.network, linear("pooler", dense))
        return [*pooler, *linear("classifier", output)]

    return head(
        encoder,
        "ForSequenceClassification",
        SequenceClassifier,
        arguments,
        lambda model: describe_classifier(encoder, model),
        has_pooler=True,
        head=rules,
    )


def describe_body(encoder, model):
    """The config.json of a task whose network is a `BERT`.

    Raises:
        ValueError: if the family cannot express it.
    """
    network = model.network
    described = encoder.describe(network)
    unplaced = network.has_pooler and encoder.pooler is None
    if unplaced and not _own_pooler(encoder, model):
        raise ValueError("`has_pooler` must be False. Received: True")
    pad = getattr(model.tokenizer, "pad_token", None)
    if pad is not None:
        described.setdefault("pad_token_id", pad)
    return {"tie_word_embeddings": True, "pad_token_id": 0, **described}


def describe_labels(encoder, model):
    """The config.json of a head that says labels."""
    names = {str(index): label for index, label in enumerate(model.labels)}
    described = {
        **describe_body(encoder, model),
        "id2label": names,
        "label2id": {label: int(index) for index, label in names.items()},
    }
    key = encoder.dropouts.get(type(model))
    return described if key is None else {**described, key: model.dropout}


def _describe_tagger(encoder, model):
    """The config.json of a `TokenClassifier` of one layer."""
    if model.transform:
        raise ValueError("`transform` must be False. Received: True")
    return describe_labels(encoder, model)


def describe_classifier(encoder, model):
    """The config.json of a `SequenceClassifier` that reads the pooler.

    Raises:
        ValueError: if it reads anything else.
    """
    if model.pooling is not None or not model.network.has_pooler:
        raise ValueError(
            "`pooling` must be the network's own pooler. Received: "
            f"pooling={model.pooling!r}, has_pooler={model.network.has_pooler}"
        )
    return describe_labels(encoder, model)


def _describe_embedder(encoder, model):
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
    return describe_body(encoder, model)


def sizes(network):
    """The keys of config.json that most families share, of a `BERT`."""
    return {
        "vocab_size": network.vocabulary_size,
        "hidden_size": network.width,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.num_heads,
        "intermediate_size": network.inner_width or 4 * network.width,
        "hidden_act": activation_name(network.activation),
        "hidden_dropout_prob": network.dropout,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": network.context,
        "layer_norm_eps": network.style.epsilon,
    }


def check_style(network, style, segments=True):
    """Raises unless a family can express a `BERT`.

    Args:
        network: `BERT`.
        style: `BERTStyle` that it must have.
        segments: bool. Whether there must be kinds of sentences, or must be none.

    Raises:
        ValueError: if it has another one.
    """
    if network.style != style:
        raise ValueError(f"`style` must be {style}. Received: {network.style}")
    if (network.num_segments is not None) != segments:
        allowed = "an int" if segments else "None"
        raise ValueError(
            f"`num_segments` must be {allowed}. Received: {network.num_segments}"
        )
