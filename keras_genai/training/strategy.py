"""The strategy under which a run trains, by name: on one device or on several."""

import contextlib
import json
import os
import re

import tensorflow as tf

from keras_genai.training.errors import TrainingError

CLUSTER = "TF_CONFIG"  # environment variable: who the workers are, and which is this
_MOST_REPLICAS = 64
_NAMES = "`strategy` must be 'mirrored', 'mirrored:N' of N replicas, or 'multiworker'"


def named(name):
    """The strategy of a name; to be made before TensorFlow computes anything.

    Args:
        name: str or `None`. `"mirrored"` is one replica a GPU, or one on the CPU;
            `"mirrored:2"` is two, on GPUs, or, where there are none, on halves of the
            CPU; `"multiworker"` is one worker of those that `TF_CONFIG` names.

    Returns:
        `tf.distribute.Strategy`; the default one for `None`.

    Raises:
        ValueError: if there is no such strategy, or too few GPUs.
        TrainingError: if `TF_CONFIG` is missing, or says nothing that can be followed.
    """
    if name is None:
        return tf.distribute.get_strategy()
    if name == "multiworker":
        check_cluster(os.environ.get(CLUSTER))
        return tf.distribute.MultiWorkerMirroredStrategy()
    found = re.fullmatch("mirrored(?::([1-9][0-9]?))?", name)
    if found is None or int(found[1] or 1) > _MOST_REPLICAS:
        raise ValueError(f"{_NAMES}. Received: {name}")
    if found[1] is None:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.MirroredStrategy(_devices(int(found[1])))


def check_cluster(text):
    """Refuses what `MultiWorkerMirroredStrategy` would wait for, or trip over.

    Args:
        text: str or `None`, the value of `TF_CONFIG`: JSON such as
            `{"cluster": {"worker": ["a:1234", "b:1234"]},
            "task": {"type": "worker", "index": 0}}`.

    Raises:
        TrainingError: if a part is missing or wrong.
    """
    if not text:
        raise TrainingError(
            f"`strategy` multiworker needs {CLUSTER} in the environment: JSON of all "
            "workers' addresses and of which one this is. Received: none",
            exit_code=2,
        )
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        found = json.loads(text)
        addresses, task = found["cluster"], found["task"]
        kind, index = task["type"], task["index"]
        others = {*addresses} - {"chief", "worker"}
        own = addresses[kind]
        ours = kind in ("chief", "worker") and not others
        numbered = isinstance(index, int) and 0 <= index < len(own)
        if ours and numbered and all(_is_address(one) for one in own):
            return
    raise TrainingError(
        f"{CLUSTER} must be JSON of a `cluster` of `worker`s (and a `chief`), lists "
        "of HOST:PORT, and of the `task` with `type` and `index` that this process is "
        f"in it. Received: {text[:200]}",
        exit_code=2,
    )


def _devices(count):
    """list of str: names of so many devices for replicas."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < count:
        raise ValueError(
            f"{_NAMES}; there are {len(gpus)} GPUs. Received: mirrored:{count}"
        )
    if gpus:
        return [f"GPU:{index}" for index in range(count)]
    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, parts)
    return [f"CPU:{index}" for index in range(count)]


def _is_address(text):
    return re.fullmatch(r"[^\s/]+:[0-9]{1,5}", text) is not None
