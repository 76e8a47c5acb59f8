"""The processes that train one model together: who writes, who waits.

Under `MirroredStrategy` one process has several replicas. Under
`MultiWorkerMirroredStrategy` every worker is a process that computes the same weights
from its part of each batch. The first one, the chief, owns the run folder; the others
read its checkpoints and write nothing of the run.

To read or assign a metric is a collective operation there. So all workers restore, save
and validate at the same steps, also those that write nothing.
"""

import contextlib
import functools
import zlib

import tensorflow as tf

from keras_genai.replicas import on_several_workers
from keras_genai.training.errors import TrainingError

RESTART = 75  # exit code, EX_TEMPFAIL of sysexits.h: the same command can go on


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
    found = _gathering(strategy)(tf.constant(number, tf.int64))
    return strategy.experimental_local_results(found)[0].numpy().tolist()


@functools.lru_cache(maxsize=1)  # a process has one such strategy
def _gathering(strategy):
    """A function of an int64 scalar that returns those of all replicas."""
    count = strategy.num_replicas_in_sync

    def on_replica(number):
        context = tf.distribute.get_replica_context()
        place = tf.one_hot(context.replica_id_in_sync_group, count, dtype=tf.int64)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, number * place)

    def gathered(number):
        return strategy.run(on_replica, args=(number,))

    return tf.function(gathered, autograph=False)


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


def check_alike(strategy, name, text):
    """Refuses to go on when workers made different things of the same.

    Args:
        strategy: `tf.distribute.Strategy`.
        name: str, what they made.
        text: str, what this one made, written down.

    Raises:
        TrainingError: if another one made something else.
    """
    if len({*meet(strategy, zlib.crc32(text.encode()))}) > 1:
        raise TrainingError(
            f"All workers must have the same {name}, as functions of seed and step: "
            "machines alike, and rewards that depend on nothing else. Received: "
            "different ones",
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
