"""The processes that train one model together: which strategy, who writes, who waits.

Under `MirroredStrategy` one process has several replicas. Under
`MultiWorkerMirroredStrategy` every worker is a process that computes the same weights
from its part of each batch. The first one, the chief, owns the run folder; the others
read its checkpoints and write nothing of the run.

To read or assign a metric is a collective operation there. So all workers restore, save
and validate at the same steps, also those that write nothing.
"""

import contextlib
import json
import os
import re

import tensorflow as tf

from keras_genai.replicas import on_several_workers
from keras_genai.training.errors import TrainingError

CLUSTER = "TF_CONFIG"  # environment variable: who the workers are, and which is this
RESTART = 75  # exit code, EX_TEMPFAIL of sysexits.h: the same command can go on
_MOST_REPLICAS = 64
_NAMES = "`strategy` must be 'mirrored', 'mirrored:N' of N replicas, or 'multiworker'"


def strategy(name):
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


def strategy_of(model):
    """The strategy under which a model was made."""
    return getattr(model, "distribute_strategy", tf.distribute.get_strategy())


def check(model):
    """Refuses what cannot be trained under the strategy that it was made under.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: if the strategy is one of parameter servers, or if it has several
            workers and the model is none of ours.
    """
    strategy = strategy_of(model)
    if isinstance(strategy, tf.distribute.experimental.ParameterServerStrategy):
        raise ValueError(
            "`model` must be made under the default strategy, `MirroredStrategy` or "
            "`MultiWorkerMirroredStrategy`: Keras 3 knows no parameter servers. "
            f"Received: {type(strategy).__name__}"
        )
    if on_several_workers(strategy) and not hasattr(model, "looked_up"):
        raise ValueError(
            "`model` must be a task of keras_genai: under several workers `fit` of "
            f"Keras' own models fails. Received: {type(model).__name__}"
        )


def is_chief(strategy):
    """bool: whether this process is the one that writes; it is where there is one."""
    if not on_several_workers(strategy):
        return True
    resolver = strategy.cluster_resolver
    first = resolver.task_type == "worker" and resolver.task_id == 0
    chiefs = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "chief" or (first and not chiefs)


def meet(strategy, number=0):
    """Waits for all workers, and tells what each brought.

    Args:
        strategy: `tf.distribute.Strategy`.
        number: int.

    Returns:
        list of int, one a replica, in their order.
    """
    if not on_several_workers(strategy):
        return [number]

    count = strategy.num_replicas_in_sync

    def on_replica():
        context = tf.distribute.get_replica_context()
        place = tf.one_hot(context.replica_id_in_sync_group, count, dtype=tf.int64)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, number * place)

    found = tf.function(lambda: strategy.run(on_replica), autograph=False)()
    return strategy.experimental_local_results(found)[0].numpy().tolist()


def any_of(strategy, number):
    """int: the largest that a worker brought; all wait for each other."""
    return max(meet(strategy, number))


def check_together(strategy, step, folder):
    """Refuses to go on when workers begin at different steps.

    Raises:
        TrainingError: if not all of them read the same checkpoint.
    """
    steps = meet(strategy, step)
    if len({*steps}) > 1:
        raise TrainingError(
            f"All workers must read the checkpoints of one folder, on a file system "
            f"that they share. Received: {folder}, where they begin at the steps "
            f"{', '.join(map(str, steps))}",
            exit_code=2,
        )


def shared(dataset, strategy):
    """A data set of whole batches, of which every worker takes its rows."""
    if not on_several_workers(strategy):
        return dataset
    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy.DATA  # there are no files to share
    options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options)


@contextlib.contextmanager
def lost(strategy):
    """Context that turns the loss of another worker into a `TrainingError`.

    Its exit code is `RESTART`: all workers have to begin again, from the checkpoint.
    """
    kinds = tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError
    try:
        yield
    except kinds as error:
        if not on_several_workers(strategy):
            raise
        raise TrainingError(
            "Another worker is gone. What was saved is intact; the same command, of "
            f"all workers, goes on from there ({str(error)[:200]})",
            exit_code=RESTART,
        ) from error


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
