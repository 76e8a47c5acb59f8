"""Encoders: what their families share, which is all but the names.

`family` makes all heads of an `Encoder`, see `keras_genai.convert.encoder_family`.
"""

import dataclasses
import re

from keras_genai.convert import labels, sentence_transformers
from keras_genai.convert.encoder_settings import activation_name
from keras_genai.convert.mapping import (
    Architecture,
    Family,
    layer_norm,
    linear,
    made,
    same,
    within,
)
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier


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
                    "transform": encoder.transform is not None,
                },
                describe=lambda model: _describe_tagger(encoder, model),
                layers=lambda model: [
                    *_transform(encoder, model),
                    *linear("classifier", "classifier"),
                ],
            ),
            _answers(encoder),
            *encoder.more(encoder),
            # A sentence embedder is the body, perhaps with dense layers behind it.
            head(
                encoder,
                "Model",
                SentenceEmbedder,
                describe=lambda model: _describe_embedder(encoder, model),
                layers=sentence_transformers.head,
            ),
        ),
        prefix=encoder.prefix,
        tokenizer=encoder.tokenizer,
        rename=encoder.rename,
    )


def head(
    encoder,
    suffix,
    task,
    arguments=lambda settings: {},
    describe=None,
    has_pooler=False,
    unused=(),
    layers=lambda model: [],
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
        layers: `layers(model)`, rules of the head, of its pooler only if that is a part
            of it in all files.
        **options: see `Architecture`.
    """

    def build(settings, checkpoint, **overrides):
        network = encoder.network, encoder.arguments(encoder, settings, has_pooler)
        return made(task, {"network": network}, overrides, **arguments(settings))

    if encoder.pooler is not None and not (has_pooler and encoder.classifier is None):
        name = encoder.pooler.removeprefix(encoder.prefix)
        unused = (*unused, rf"{re.escape(name)}\.(weight|bias)")
    return Architecture(
        encoder.stem + suffix,
        task,
        encoder.network,
        build,
        lambda model: within(model.network, encoder.rules(model.network)),
        describe or (lambda model: describe_body(encoder, model)),
        head=lambda model: [*_pooler(encoder, model), *layers(model)],
        unused=(*unused, *encoder.unused),
        **options,
    )


def _body(encoder):
    """A `BERT` without a head, with a pooler if one is stored."""

    def build(settings, checkpoint, **overrides):
        name = f"{encoder.pooler}.weight"
        stored = {name, name.removeprefix(encoder.prefix)}
        has_pooler = encoder.pooler is not None and bool(stored & checkpoint.names)
        network = encoder.network, encoder.arguments(encoder, settings, has_pooler)
        return made(FeatureExtractor, {"network": network}, overrides)

    return dataclasses.replace(
        head(encoder, "Model", FeatureExtractor), build=build, unused=encoder.unused
    )


def _pooler(encoder, model):
    """Rules of the body's pooler, which is there where a head has read it."""
    if not model.network.has_pooler or _own_pooler(encoder, model):
        return []
    return within(model.network, linear("pooler", encoder.pooler))


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
        said = {"tie_word_embeddings": model.tie_embeddings}
        if names.bias_key is not None:
            said[names.bias_key] = model.use_bias
        elif not model.use_bias:
            raise ValueError("`use_bias` must be True. Received: False")
        return {**describe_body(encoder, model), **said}

    def rules(model):
        found = [
            *linear("transform", names.transform, model.transform.use_bias),
            *layer_norm("transform_norm", names.norm, model.transform_norm.center),
        ]
        bias = f"{names.decoder}.bias"
        if model.tie_embeddings:
            bias = names.bias or bias
        else:
            found += linear("decoder", names.decoder, bias=False)
        return found + (same("bias", bias) if model.use_bias else [])

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
        lambda settings: {
            "tie_embeddings": settings.tie_word_embeddings,
            "use_bias": settings.guess_bias,
        },
        describe,
        layers=rules,
        aliases=aliases,
        unused=(*double, *names.unused),
    )


def _labels_texts(encoder):
    """The head that says a label of a text, or a value."""

    def arguments(settings):
        return {"target": settings.label_or_number, "dropout": settings.head_dropout}

    def rules(model):
        if encoder.classifier is None:
            return linear("classifier", "classifier")
        dense, output = encoder.classifier
        pooler = linear("pooler", dense, model.network.pooler.use_bias)
        if encoder.transform is not None:
            center = model.network.pooler_norm.center
            pooler += layer_norm("pooler_norm", encoder.transform[1], center)
        return [*within(model.network, pooler), *linear("classifier", output)]

    return head(
        encoder,
        "ForSequenceClassification",
        SequenceClassifier,
        arguments,
        lambda model: describe_classifier(encoder, model),
        has_pooler=True,
        layers=rules,
    )


def _answers(encoder):
    """The head that finds answers."""
    has_transform = encoder.transform is not None

    def arguments(settings):
        if not has_transform:
            return {}
        return {"transform": True, "dropout": settings.head_dropout}

    def describe(model):
        _check_transform(encoder, model)
        key = encoder.dropouts.get(QuestionAnswering)
        own = {} if key is None else {key: model.dropout}
        return {**describe_body(encoder, model), **own}

    return head(
        encoder,
        "ForQuestionAnswering",
        QuestionAnswering,
        arguments,
        describe,
        layers=lambda model: [
            *_transform(encoder, model),
            *linear("span", encoder.span),
        ],
    )


def _transform(encoder, model):
    """Rules of what stands before the last layer of a head that reads tokens."""
    if encoder.transform is None:
        return []
    dense, normed = encoder.transform
    return [
        *linear("transform", dense, model.dense.use_bias),
        *layer_norm("transform_norm", normed, model.dense_norm.center),
    ]


def _check_transform(encoder, model):
    """Raises unless there is one where the family has one."""
    wanted = encoder.transform is not None
    if model.transform != wanted:
        raise ValueError(f"`transform` must be {wanted}. Received: {model.transform}")


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
    described = {**describe_body(encoder, model), **labels.describe_labels(model)}
    key = encoder.dropouts.get(type(model))
    return described if key is None else {**described, key: model.dropout}


def _describe_tagger(encoder, model):
    """The config.json of a `TokenClassifier` with as many layers as the family has."""
    _check_transform(encoder, model)
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
    """The config.json of a `SentenceEmbedder` that is nothing but a mean."""
    sentence_transformers.check_plain(model)
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
