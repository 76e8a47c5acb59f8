"""What a model computes of a batch, and vectors of texts and pictures, as endpoints."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_genai.export.endpoints import Endpoint, small
from keras_genai.tasks.contrastive import Contrastive
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor

FORWARD = "serving_default"
OUTPUT = "output_0"  # as Keras calls an only output


def forward(model):
    """The `Endpoint` of what `model.exportable()` computes."""
    return of_call(FORWARD, model.exportable(), model)


def vectors(model):
    """list of `Endpoint`: `embed` of encoders, of both kinds in a `Contrastive`."""
    if isinstance(model, SentenceEmbedder | FeatureExtractor):
        return [of_call("embed", model, model)]
    if not isinstance(model, Contrastive):
        return []
    specs = _specs(model)
    key = model.target.key
    pairs = {
        "embed_images": (key, model.image_vectors),
        "embed_texts": ("tokens", model.text_vectors),
    }
    return [
        _of_one(name, argument, specs[argument], function, model)
        for name, (argument, function) in pairs.items()
    ]


def of_call(name, called, model):
    """The `Endpoint` of a `keras.Model` with `input_specs`.

    Args:
        name: str.
        called: `keras.Model`.
        model: `Task` that it is of.
    """
    specs = _specs(called)
    single = not isinstance(called.input_specs(), dict)
    example = {
        key: small(key, each, number, getattr(model, "context", None))
        for number, (key, each) in enumerate(specs.items())
    }

    def function(tensors):
        inputs = next(iter(tensors.values())) if single else tensors
        return _named(called(inputs))

    return Endpoint(name, function, specs, example, functools.partial(live, function))


def _of_one(name, argument, spec, function, model):
    example = {argument: small(argument, spec, 0, getattr(model, "context", None))}

    def called(tensors):
        return _named(function(tensors[argument]))

    return Endpoint(
        name, called, {argument: spec}, example, functools.partial(live, called)
    )


def _specs(called):
    """dict of `tf.TensorSpec` by name; an only tensor is `tokens`."""
    specs = called.input_specs()
    specs = specs if isinstance(specs, dict) else {"tokens": specs}
    return {key: tf.TensorSpec(each.shape, each.dtype) for key, each in specs.items()}


def _named(outputs):
    """dict of outputs by name."""
    if isinstance(outputs, dict):
        return {key: value for key, value in outputs.items() if value is not None}
    return {OUTPUT: outputs}


def live(function, example):
    """dict of arrays: what a function says of arrays, without a file between."""
    tensors = keras.tree.map_structure(tf.constant, example)
    return {key: np.asarray(value) for key, value in function(tensors).items()}
