"""Several replicas of a model that learn as one: shares of a loss, noise of their own.

Under a `tf.distribute` strategy every replica sees a part of the batch, and gradients
are summed. On one device nothing here changes a bit.
"""

import functools
import itertools

import keras
import tensorflow as tf

from keras_genai.compat import auto_name, on_several_workers

__all__ = [
    "SeedGenerator",
    "as_rows",
    "count",
    "draw_apart",
    "gather",
    "masked_mean",
    "on_several_workers",
    "one_by_one",
    "own_rows",
    "share",
    "weigh",
    "weighted_mean",
]


def count():
    """int: replicas that learn together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def as_rows(step):
    """A step whose results have an axis of replicas, the first.

    Keras takes the mean of several workers' logs along it, which scalars have not.

    Args:
        step: function of a batch that returns a nest of tensors `(...)`.

    Returns:
        function of a batch that returns the same nest, of tensors `(1, ...)`.
    """

    @functools.wraps(step)
    def with_axis(data):
        return keras.tree.map_structure(lambda one: one[None], step(data))

    return with_axis


def one_by_one(function):
    """Several steps at once, begun one by one: no loop in a graph holds replicas.

    Args:
        function: what Keras makes of a step. It makes a loop in Python for whatever is
            not an iterator of TensorFlow.

    Returns:
        The same function of an iterator.
    """

    def run(iterator):
        first = next(iterator)  # if there is none, the epoch ends
        return function(itertools.chain([first], iterator))

    return run


def share(loss):
    """A replica's share of a loss that is a mean, so that the sum is the mean of all.

    Keras undoes it where it logs what `compute_loss` returned.

    Args:
        loss: float scalar, the mean over this replica's part of the batch.

    Returns:
        float scalar.
    """
    return loss if count() == 1 else loss / count()


def gather(tensor):
    """The rows of all replicas, in the order of the batch.

    Args:
        tensor: `(B, ...)`, the rows of this one.

    Returns:
        `(sum of B, ...)`, the same on every replica.
    """
    context = tf.distribute.get_replica_context()
    if context is None or count() == 1:
        return tensor
    # What is fed into a graph is on no device, where several workers look for one.
    rows = context.all_gather(tf.identity(tensor), axis=0)
    return tf.ensure_shape(rows, (None, *tensor.shape[1:]))


def weighted_mean(values, sample_weight=None):
    """The mean of values of which some examples count more, as Keras' losses take it.

    Args:
        values: float `(B, ...)`.
        sample_weight: float `(B,)`, or `None`: all count 1.

    Returns:
        float scalar: the sum of weighted values over their number.
    """
    return keras.ops.mean(weigh(values, sample_weight))


def masked_mean(values, mask, sample_weight=None):
    """The mean of the values that count, of which some examples count more.

    Of several replicas each has the mean number of those that count below its sum, so
    that the mean of what they return is that of the whole batch.

    Args:
        values: float `(B, ...)`.
        mask: float `(B, ...)`, 1 where a value counts, else 0.
        sample_weight: numbers `(B,)`, or `None`: all count 1.

    Returns:
        float scalar: the sum of weighted values over the number of those that count;
        0 if none does.
    """
    total = keras.ops.sum(weigh(values * mask, sample_weight))
    number = _mean_of_replicas(keras.ops.sum(mask))
    return total / keras.ops.maximum(number, 1.0 / count())


def _mean_of_replicas(number):
    context = tf.distribute.get_replica_context()
    if context is None or count() == 1:
        return number
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, number)


def weigh(values, sample_weight=None):
    """Values times their examples' weights.

    Args:
        values: float `(B, ...)`.
        sample_weight: numbers `(B,)`, or `None`: all count 1.

    Returns:
        float `(B, ...)`.
    """
    if sample_weight is None:
        return values
    rank = len(values.shape)
    weight = keras.ops.cast(sample_weight, values.dtype)
    return values * keras.ops.reshape(weight, (-1,) + (1,) * (rank - 1))


class SeedGenerator(keras.random.SeedGenerator):
    """Keras' generator, but each replica draws numbers of its own.

    With the stock one all replicas draw the same numbers, so that half of a batch, or
    more, adds no noise. The state is the same on all replicas, saves as ever, and
    repeats from the seed.

    Args:
        seed: int or `None`.
        name: str or `None`.
    """

    def __init__(self, seed=None, name=None, **kwargs):
        # The stock name: variables are called as they always were.
        name = name or auto_name("SeedGenerator")
        super().__init__(seed, name, **kwargs)

    def next(self, ordered=True):
        """int64 `(2,)`: the seed of the next draw."""
        return _own_seed(super().next(ordered))


def draw_apart(generator):
    """Lets the generator that a layer of Keras has do what `SeedGenerator` does.

    Args:
        generator: `keras.random.SeedGenerator`. Nothing is done to one that does so.
    """
    if isinstance(generator, SeedGenerator) or "next" in vars(generator):
        return
    stock = generator.next
    generator.next = lambda ordered=True: _own_seed(stock(ordered))


def _own_seed(seed):
    context = tf.distribute.get_replica_context()
    if context is None or count() == 1:
        return seed
    replica = tf.cast(context.replica_id_in_sync_group, "int32")
    return tf.random.experimental.stateless_fold_in(seed, replica)


def own_rows(gathered, own):
    """Of the rows that `gather` put together, those of this replica.

    Args:
        gathered: `(sum of B, ...)`.
        own: `(B, ...)`, what this replica gave.

    Returns:
        `(B, ...)`.
    """
    context = tf.distribute.get_replica_context()
    if context is None or count() == 1:
        return gathered
    size = tf.shape(own)[:1]
    start = tf.reduce_sum(gather(size)[: context.replica_id_in_sync_group])
    return tf.ensure_shape(gathered[start : start + size[0]], own.shape)
