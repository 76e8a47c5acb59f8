"""TableTask: a SampleTask whose samples are rows of a table."""

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.checks import MOST_NUMBERS, check_integer, check_seed
from keras_genai.data.held import in_batches
from keras_genai.samplers import multinomial
from keras_genai.samplers.session import bucket
from keras_genai.tasks import pictures
from keras_genai.tasks.sample_task import SampleTask
from keras_genai.tasks.table_conditions import read_conditions

MOST_TRIES = 200  # rows drawn for each that is asked for, at most
AT_ONCE = 65_536  # rows


class TableTask(SampleTask):
    """What tasks over tables share: what their networks see, and rows on conditions.

    A subclass has the fields `target`, a `Table`, and `conditional`, and draws rows
    with `draw`. Where the table has a label and `conditional` is `True`, the label is
    told to the network, which then makes the rest of a row.

    Attributes:
        label_place: int, where the label is among the categories of a batch, or `None`
            where the network makes it, if there is one.
        sizes_made: tuple of int, the sizes of the columns of categories that it makes.
    """

    @property
    def label_place(self):
        if not self.conditional or self.target.label is None:
            return None
        names = [column.name for column in self.target.categorical]
        return names.index(self.target.label)

    @property
    def sizes_made(self):
        sizes = self.target.category_sizes
        return tuple(s for place, s in enumerate(sizes) if place != self.label_place)

    @property
    def network_sizes(self):
        classes = None
        if self.label_place is not None:
            classes = self.target.category_sizes[self.label_place]
        found = {"numbers": len(self.target.numeric), "categories": self.sizes_made}
        return found if classes is None else {**found, "num_classes": classes}

    def loader(self, samples, batch_size=32, shuffle=True, seed=0):
        """Batches for `fit` of what a person holds.

        Args:
            samples: rows as `Table.read` takes them: the path of a CSV file, a dict of
                columns, a list of dicts or an array.
            batch_size, shuffle, seed: see `SampleTask.loader`.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if a column is missing, or a value cannot be in it.
        """
        rows = self.target.read(samples, "samples")
        batch = self.target.batch(rows)
        return in_batches(batch, len(rows), batch_size, shuffle, seed)

    def parts(self, inputs):
        """What networks see of a batch.

        Args:
            inputs: dict of tensors, see `Table`.

        Returns:
            `(numbers, categories, labels, known)`: float32 `(B, N)`; float32 `(B, K)`,
            one-hot, without the label if it is told; int32 `(B,)` or `None`; and
            float32 `(B, N)`, 1 where a number is there.
        """
        batch = self.read(inputs)
        some = next(iter(batch.values()))
        numbers = batch.get("numbers")
        if numbers is None:
            numbers = tf.zeros((tf.shape(some)[0], 0))
        categories = batch.get("categories")
        if categories is None:
            categories = tf.zeros((tf.shape(some)[0], 0), "int32")
        known = ops.ones_like(numbers)
        if self.target.flagged:
            known = 1.0 - ops.cast(self._absent(categories), "float32")
        labels, place = None, self.label_place
        if place is not None:
            labels = categories[:, place]
            categories = ops.concatenate(
                [categories[:, :place], categories[:, place + 1 :]], axis=-1
            )
        return (
            numbers,
            multinomial.one_hot(categories, self.sizes_made),
            labels,
            known,
        )

    def _absent(self, categories):
        """int32 `(B, N)`: 1 where a number is missing."""
        first = len(self.target.categorical)
        columns = [ops.zeros_like(categories[:, 0])] * len(self.target.numeric)
        for place, column in enumerate(self.target.flagged):
            columns[column] = categories[:, first + place]
        return ops.stack(columns, axis=-1)

    def draw(self, labels, count, seed, **options):
        """Rows of some classes, as a network sees them.

        Args:
            labels: int32 `(count,)`, or `None`: the network makes the label, too.
            count: int.
            seed: int.
            **options: of `generate`.

        Returns:
            `(numbers, categories)`: float32 `(count, N)`, and int32 `(count, C)`
            without the label if it is told.
        """
        raise NotImplementedError

    def generate(self, count=100, where=None, seed=0, **options):
        """New rows.

        Args:
            count: int.
            where: dict from names of columns to what the rows have there, exactly: a
                word, or `None` for a value that is missing; of numbers a pair, from the
                least to the largest. The class of a model that is told classes is
                drawn from as it is; of anything else rows are drawn until enough of
                them fit, so that they are neither more nor less likely than in all
                rows that fit.
            seed: int.
            **options: see the task.

        Returns:
            structured array `(count,)`, see `Table`.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if one is out of range, a column does not exist, or hardly any
                row fits.
        """
        check_integer("count", count, 1)
        check_seed(seed)
        most = MOST_NUMBERS // self.target.numbers
        if count > most:
            raise ValueError(
                f"`count` must be at most {most:,} of such rows. Received: {count=}"
            )
        conditions = read_conditions(self.target, where)
        told = None
        if self.label_place is not None:
            told = conditions.pop(self.target.label, None)
        pieces, found, tried = [], 0, 0
        while found < count:
            size = self._next_size(count, found, tried)
            rows = self._some(told, size, (seed, len(pieces)), options)
            for condition in conditions.values():
                rows = rows[condition.fits(rows)]
            pieces.append(rows[: count - found])
            found, tried = found + len(pieces[-1]), tried + size
            if found < count and tried >= MOST_TRIES * count + 1_000:
                raise ValueError(
                    f"`where` must be what at least one of {MOST_TRIES} rows has. "
                    f"Received: {where!r:.100}, which {found} of {tried:,} rows have"
                )
        return np.concatenate(pieces)

    def _next_size(self, count, found, tried):
        """How many rows to draw: about as many as it takes, by those that fitted."""
        wanted = count - found
        if tried:
            share = max(found, 0.5) / tried
            wanted = min(1.2 * wanted / share, MOST_TRIES * count + 1_000 - tried)
            wanted = bucket(int(wanted) + 1, 64)  # few sizes, each of which compiles
        return max(1, min(wanted, AT_ONCE))

    def _some(self, told, count, key, options):
        """Rows that fit the class that was told, if one was."""
        numpy_draws = np.random.default_rng(
            [abs(int(part)) for part in (*key, key[0] < 0)]
        )
        seed = int(numpy_draws.integers(2**62))
        labels = None
        if self.label_place is not None:
            column = self.target.column(self.target.label)
            if told is None:
                shares = column.all_shares
                labels = numpy_draws.choice(len(shares), count, p=shares)
            else:
                labels = np.full(count, told.code)
            labels = labels.astype("int32")
        size = pictures.few_sizes(count)
        padded = None if labels is None else pictures.padded_rows(labels, size)
        numbers, categories = self.draw(padded, size, seed, **options)
        batch = {}
        if numbers.shape[1]:
            batch["numbers"] = np.asarray(numbers)[:count]
        categories = np.asarray(categories)[:count]
        if labels is not None:
            place = self.label_place
            categories = np.insert(categories, place, labels, axis=1)
        if categories.shape[1]:
            batch["categories"] = categories
        return self.target.rows_of(batch)
