"""A decoder's body alone, and the heads on it that do not say the next token.

All read the vectors of its last norm, so that its output matrix, where it has one of
its own, is left out.
"""

import dataclasses
from collections.abc import Callable

from keras_genai.convert import sentence_transformers
from keras_genai.convert.labels import describe_labels
from keras_genai.convert.mapping import Architecture, linear, made
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.tagging import TokenClassifier

_OUTPUT = (r"lm_head\.weight",)


@dataclasses.dataclass(frozen=True)
class Body:
    """What a family of decoders says once, for its body and the heads on it.

    Args:
        name: str, the class of the body alone.
        stem: str, how the names of the classes with a head begin.
        network: `network(settings)`, the arguments of the `GPT` that they mean.
        rules: `rules(model)`, see `Architecture`.
        describe: `describe(model)`, see `Architecture`.
        tagger: str, the layer that labels tokens.
        answers: bool. Whether there is a class that answers questions.
        answering_prefix: str, how its tensors begin, if not as all others.
    """

    name: str
    stem: str
    network: Callable
    rules: Callable
    describe: Callable
    tagger: str = "score"
    answers: bool = True
    answering_prefix: str | None = None


def heads(body):
    """A tuple of `Architecture`: all that a family has beside its language model."""
    found = [
        _head(body, body.name, FeatureExtractor),
        _head(
            body,
            f"{body.stem}ForSequenceClassification",
            SequenceClassifier,
            lambda settings: {
                "target": settings.label_or_number,
                "dropout": 0.0,
                "use_bias": False,
            },
            _describe_classifier,
            lambda model: linear("classifier", "score", model.use_bias),
        ),
        _head(
            body,
            f"{body.stem}ForTokenClassification",
            TokenClassifier,
            lambda settings: {
                "target": settings.label,
                "dropout": _tagger_dropout(settings),
            },
            _describe_tagger,
            lambda model: linear("classifier", body.tagger),
        ),
        _head(
            body,
            body.name,
            SentenceEmbedder,
            describe=_describe_embedder,
            layers=sentence_transformers.head,
        ),
    ]
    if body.answers:
        found.append(_answers(body))
    return tuple(found)


def _tagger_dropout(settings):
    """float: dropout of a head that labels tokens; what no file says is 0.1."""
    said = settings.classifier_dropout
    return 0.1 if said is None else said


def _answers(body):
    def written(name):
        if body.answering_prefix is None or not name.startswith("model."):
            return name
        return body.answering_prefix + name.removeprefix("model.")

    return _head(
        body,
        f"{body.stem}ForQuestionAnswering",
        QuestionAnswering,
        layers=lambda model: linear("span", "qa_outputs"),
        written=written,
    )


def _head(
    body,
    name,
    task,
    arguments=lambda settings: {},
    describe=lambda model: {},
    layers=lambda model: [],
    **options,
):
    """The `Architecture` of a head.

    Args:
        body: `Body`.
        name: str, its class.
        task: class of the task.
        arguments: function from the settings to a dict of the task's arguments.
        describe: function from the model to what config.json says of it beside the
            body; it raises `ValueError` if there is no such head.
        layers: `layers(model)`, rules of the head.
        **options: see `Architecture`.
    """

    def build(settings, checkpoint, **overrides):
        network = body.network(settings)
        # Nobody reads an output matrix, so that there shall be none.
        style = dataclasses.replace(network["style"], tie_embeddings=True)
        networks = {"network": (GPT, {**network, "style": style})}
        return made(task, networks, overrides, **arguments(settings))

    def described(model):
        own = describe(model)  # first: whatever the body is, the head is wrong
        return {**body.describe(model), **own}

    return Architecture(
        name,
        task,
        GPT,
        build,
        body.rules,
        described,
        head=layers,
        unused=_OUTPUT,
        **options,
    )


def _describe_classifier(model):
    if model.pooling not in (None, "lasttoken") or model.use_bias:
        raise ValueError(
            "a head that labels texts must read the last token and have no bias, "
            "`pooling=None` and `use_bias=False`. "
            f"Received: pooling={model.pooling!r}, use_bias={model.use_bias}"
        )
    pad = getattr(model.tokenizer, "pad_token", None)
    # By which the last token is found; what batches here are filled up with.
    return {**describe_labels(model), "pad_token_id": pad or 0}


def _describe_tagger(model):
    if model.transform:
        raise ValueError("`transform` must be False. Received: True")
    return {**describe_labels(model), "classifier_dropout": model.dropout}


def _describe_embedder(model):
    sentence_transformers.check_plain(model)
    return {}
