"""A run on two replicas: resumed to the bit, and parameter servers refused.

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
    whole, parts, alone = json.loads(answer.stdout.splitlines()[-1])
    assert whole == parts
    np.testing.assert_allclose(whole, alone, rtol=1e-6)


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
    folder = pathlib.Path(folder)
    losses(folder / "parts", 8, mirrored)
    found = [
        losses(folder / "whole", 12, mirrored),
        losses(folder / "parts", 12, mirrored),
        losses(folder / "alone", 12, tf.distribute.get_strategy()),
    ]
    print(json.dumps(found))


def losses(folder, steps, strategy):
    training.deterministic(0)
    with strategy.scope():
        layers = [keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((6,)), *layers])
        model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    loader = DataLoader((x, x.sum(1, keepdims=True)), 8)
    return [r["loss"] for r in go(folder, model, Splits(loader), steps).history]
