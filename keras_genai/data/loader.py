"""What every loader is: batches of steps, as a `tf.data.Dataset` of its epochs."""

import itertools

import tensorflow as tf

from keras_genai import compat
from keras_genai.data.arguments import check_count


class Loader(tf.data.Dataset):
    """Batches that are a pure function of (seed, step), for Keras and for `train`.

    A loader is itself a `tf.data.Dataset` of one epoch, with a known length: it goes
    to `fit` and `evaluate` as it is, and has `take`, `map` and the others. Each time
    it is iterated, it shows its next epoch, as `fit(loader, epochs=...)` does: epoch
    `e` is steps `e * steps_per_epoch` and on of `dataset`, with the order, windows,
    augmentation and masks of these steps. A loader made anew begins with epoch 0.

    Subclasses have `batch_size`, `steps_per_epoch` and `fetch`, and end their
    constructor with that of this class.

    Args:
        fixed: bool. If `True`, every pass is `evaluation` instead.
        workers: int, threads that fetch.
    """

    batch_size: int
    steps_per_epoch: int

    def __init__(self, fixed: bool = False, workers: int = 2):
        self.fixed = fixed
        self._workers = workers
        self._passes = self.evaluation() if fixed else self._epochs()
        super().__init__(compat.variant_tensor(self._passes))

    def fetch(self, step):
        """The batch of one step, by TensorFlow operations; `step` is int64 `()`."""
        raise NotImplementedError

    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """Batches without end, one epoch after the other.

        Args:
            start: int, the step of the first batch; any step is reached at once.

        Returns:
            `tf.data.Dataset`, the same ones each time it is iterated.
        """
        check_count("start", start, 0)
        return self._batches(tf.data.Dataset.counter(start, dtype="int64"))

    def epoch(self) -> tf.data.Dataset:
        """One pass, beginning with epoch 0, and another epoch each time it is iterated.

        Returns:
            `tf.data.Dataset` of `steps_per_epoch` batches; with `fixed`, `evaluation`.
        """
        return self.evaluation() if self.fixed else self._epochs()

    def evaluation(self) -> tf.data.Dataset:
        """One pass, the same batches each time it is iterated.

        Returns:
            `tf.data.Dataset` of `steps_per_epoch` batches: those of epoch 0.
        """
        return self._batches(tf.data.Dataset.range(self.steps_per_epoch))

    @property
    def element_spec(self):
        return self._passes.element_spec

    def _inputs(self):
        return [self._passes]

    def _epochs(self):
        return self._batches(_steps_of_epochs(self.steps_per_epoch))

    def _batches(self, steps, fetch=None):
        """The batch of each step: the same order on every run, some ready ahead."""
        options = tf.data.Options()
        options.deterministic = True
        fetch = tf.autograph.experimental.do_not_convert(fetch or self.fetch)
        found = steps.map(fetch, num_parallel_calls=self._workers)
        return found.with_options(options).prefetch(2)


class ChangedLoader(Loader):
    """The batches of another loader, each changed.

    Args:
        loader: `Loader`.
        change: function of a batch, by TensorFlow operations, that returns another.
    """

    def __init__(self, loader, change):
        self.loader = loader
        self.change = change
        self.batch_size = loader.batch_size
        self.steps_per_epoch = loader.steps_per_epoch
        self.content = loader.content
        super().__init__(loader.fixed)

    def fetch(self, step):
        return self.change(self.loader.fetch(step))


def _steps_of_epochs(count):
    """Steps of epoch 0 in the first pass over this data set, of epoch 1 in the next."""
    passes = itertools.count()

    # Not a variable: one that is made within a strategy's scope would be mirrored.
    def begin(_):
        return tf.numpy_function(lambda: next(passes), [], tf.int64)

    def steps(epoch):
        return tf.data.Dataset.range(epoch * count, (epoch + 1) * count)

    found = tf.data.Dataset.range(1).map(begin).flat_map(steps)
    return found.apply(tf.data.experimental.assert_cardinality(count))
