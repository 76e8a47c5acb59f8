"""Runs on two replicas: resumed to the bit, and parameter servers refused.

A process that uses TensorFlow already cannot split its CPU in two: this file, run as a
program, trains in parts and in one go, and prints the losses.
"""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_run import go, linear

from keras_genai import training
from keras_genai.data.loading import DataLoader, Splits


@pytest.mark.slow
def test_a_run_on_two_replicas_resumes_to_the_bit(tmp_path):
    here = pathlib.Path(__file__)
    code = f"import sys; sys.path.insert(0, {str(here.parent)!r}); import test_replicas"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; test_replicas.main({str(tmp_path)!r})"],
        capture_output=True,
        text=True,
        cwd=here.parents[2],
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found.keys() == {"perceptron", "accumulating"}
    for whole, parts, alone, handed_on in found.values():
        assert whole == parts
        np.testing.assert_allclose(whole, alone, rtol=1e-6)
        # One device goes on where two replicas were stopped.
        np.testing.assert_allclose(whole, handed_on, rtol=1e-6)


def test_parameter_servers_are_refused(tmp_path):
    kind = tf.distribute.experimental.ParameterServerStrategy
    model = linear()
    model._distribute_strategy = object.__new__(kind)
    with pytest.raises(ValueError, match="knows no parameter servers"):
        go(tmp_path, model)


def main(folder):
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {}
    for make in (perceptron, accumulating):
        place = pathlib.Path(folder) / make.__name__
        one_device = tf.distribute.get_strategy()
        for name in ("parts", "handed on"):
            losses(make, place / name, 8, mirrored)
        found[make.__name__] = [
            losses(make, place / "whole", 12, mirrored),
            losses(make, place / "parts", 12, mirrored),
            losses(make, place / "alone", 12, one_device),
            losses(make, place / "handed on", 12, one_device),
        ]
    print(json.dumps(found))


def losses(make, folder, steps, strategy):
    training.deterministic(0)
    with strategy.scope():
        model, arrays = make()
        model.optimizer.build(model.trainable_variables)
    history = go(folder, model, Splits(DataLoader(arrays, 8)), steps).history
    return [record["loss"] for record in history]


def perceptron():
    layers = [keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    return model, (x, x.sum(1, keepdims=True))


def accumulating():
    """A model that is stopped between two updates."""
    from keras_genai.networks.gpt import GPT
    from keras_genai.tasks.language import CausalLM

    sizes = {"context": 8, "depth": 1, "width": 8, "num_heads": 2}
    model = CausalLM(GPT(vocabulary_size=11, **sizes))
    optimizer = keras.optimizers.Adam(
        0.05, global_clipnorm=0.1, gradient_accumulation_steps=3
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    tokens = np.random.default_rng(0).integers(1, 11, (40, 6)).astype("int32")
    return model, (tokens[:, :-1], tokens[:, 1:])
