"""Test files that are programs, too: of two replicas, each on half of the CPU.

A process that uses TensorFlow already cannot split its CPU in two. So a test file asks
for `findings(__file__)`, which runs it as a program, and ends with
`if __name__ == "__main__": report(compare)`.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]


def findings(file):
    """What a test file's `compare` returned when it was run as a program.

    Args:
        file: path of the test file.

    Returns:
        What JSON can hold.
    """
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [sys.executable, file],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert not run.returncode, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def report(compare):
    """Prints what `compare(strategy)` returns, of two replicas on two CPUs."""
    print(json.dumps(compare(mirrored())))


def mirrored():
    """A strategy of two replicas, before TensorFlow is used for anything else."""
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, two)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def training(make, fit, strategy):
    """How far a model that two replicas train ends from the one that one device does.

    Args:
        make: function that returns a compiled model, the same every time.
        fit: function that trains it and returns Keras' `History`.
        strategy: of two replicas.

    Returns:
        dict of `norm`, of what one device changes; `error`, the largest difference of
        a weight; `spread`, that between the two replicas; and `losses`, both.
    """
    import tensorflow as tf

    alone, loss, _ = _trained(make, fit, tf.distribute.get_strategy())
    together, other_loss, spread = _trained(make, fit, strategy)
    return {
        "norm": float(np.linalg.norm(alone)),
        "error": float(np.abs(alone - together).max()),
        "spread": spread,
        "losses": [loss, other_loss],
    }


def check_training(found, least=1e-4):
    """Fails unless `found`, of `training`, says that both learned the same.

    Args:
        found: dict.
        least: float. What one device changes at least.
    """
    assert found["norm"] > least
    assert found["error"] < 1e-6
    assert found["spread"] == 0
    assert found["losses"][1] == pytest.approx(found["losses"][0], rel=1e-5)


def _trained(make, fit, strategy):
    import keras

    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = make()
    before = [weight.numpy() for weight in model.weights]
    loss = fit(model).history["loss"][0]
    changes = [w.numpy() - old for w, old in zip(model.weights, before, strict=True)]
    copies = [
        np.stack(strategy.experimental_local_results(weight.value))
        for weight in model.weights
    ]
    spread = max(float(np.ptp(each, axis=0).max(initial=0)) for each in copies)
    return np.concatenate([each.ravel() for each in changes]), loss, spread
