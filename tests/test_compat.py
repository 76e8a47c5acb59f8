"""What Keras and TensorFlow must still have under the names that we read."""

import ast
import importlib.metadata
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.trainers.epoch_iterator import EpochIterator

from keras_genai import compat


def things():
    """Something of each kind whose private names `compat` reads, used once."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    optimizer = keras.optimizers.AdamW(use_ema=True, gradient_accumulation_steps=2)
    model.compile(optimizer, "mse", metrics=["mae"])
    optimizer.build(model.trainable_variables)
    model.fit(tf.zeros((2, 4)), tf.zeros((2, 2)), verbose=0)
    data = keras.Variable(0.0, name="data")
    feed = EpochIterator(np.zeros((2, 4)), batch_size=1)
    return [
        model,
        model.layers[-1],
        optimizer,
        data,
        feed,
        feed.data_adapter,
        model.outputs[0],
        keras.losses.MeanAbsoluteError(),
        tf.data.Dataset.range(2),
    ]


def private(tree):
    """Private attributes that `compat` reads, by their names or by strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "getattr",
            "hasattr",
        ):
            yield node.args[1].value


def test_every_private_name_is_still_there():
    names = {
        name
        for name in private(ast.parse(inspect.getsource(compat)))
        if isinstance(name, str) and name.startswith("_") and name != "_replace"
    }
    assert len(names) > 15
    there = {name for thing in things() for name in dir(thing)}
    assert not names - there, f"gone from Keras or TensorFlow: {sorted(names - there)}"


@pytest.mark.parametrize("base", compat.OVERRIDDEN, ids=lambda base: base.__name__)
def test_every_overridden_method_is_still_one(base):
    instance = base if base is not keras.Model else keras.Model()
    gone = [name for name in compat.OVERRIDDEN[base] if not hasattr(instance, name)]
    assert not gone, f"{base.__name__} has no {gone} any more"


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_the_versions_that_were_read_are_those_that_are_allowed(package):
    minor = {"keras": compat.KERAS, "tensorflow": compat.TENSORFLOW}[package]
    assert importlib.metadata.version(package).startswith(f"{minor}.")
    bounds = [
        line
        for line in importlib.metadata.requires("keras_genai")
        if line.startswith(package) and "extra" not in line
    ]
    major, number = minor.split(".")
    assert any(f">={minor}" in line for line in bounds)
    assert any(f"<{major}.{int(number) + 1}" in line for line in bounds)
