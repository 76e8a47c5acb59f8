"""Padding, collate functions, and the plan of an epoch: pure NumPy, no tf.data."""

import dataclasses
import functools

import numpy as np

from keras_genai.padding import pad_sequence


def padded(rules):
    """A collate function that pads each field by a rule of its own.

    Args:
        rules: tuple or dict with the structure of a sample. Each entry is the
            number that fills the padding of that field, or `None` for fields that
            are only stacked, such as labels.

    Returns:
        Function of `(samples, length=None)`: a list of samples to a tuple or dict
        of arrays, each padded to `length` or to its own longest sequence.
    """

    def collate(samples, length=None):
        def field(key):
            values = [sample[key] for sample in samples]
            if rules[key] is None:
                return stack(values)
            return pad_sequence(values, rules[key], length)

        if isinstance(rules, dict):
            return {key: field(key) for key in rules}
        return tuple(field(key) for key in range(len(rules)))

    return collate


def language_batch(tokenizer, max_length=None):
    """A collate function from texts to next-token batches, with a language model.

    It frames each text with the start and end tokens that `tokenizer` has, and
    gives padding the weight zero.

    Args:
        tokenizer: `Tokenizer`. Without a `pad_token`, zeros are the padding.
        max_length: int or `None`. Texts are cut after so many tokens.

    Returns:
        Function of `(samples, length=None)`: a list of str (or of int arrays) to
        `(tokens, targets, sample_weight)`, `(B, T)` each, int32, int32, float32.
    """
    before, after = (
        np.array([] if token is None else [token], dtype="int32")
        for token in (tokenizer.start_token, tokenizer.end_token)
    )
    pad = tokenizer.pad_token or 0

    def collate(samples, length=None):
        if samples and isinstance(samples[0], str):
            samples = tokenizer.encode_batch(samples)
        framed = [np.concatenate([before, row, after]) for row in samples]
        framed = [row[: max_length and max_length + 1] for row in framed]
        whole = pad_sequence(framed, pad, None if length is None else length + 1)
        whole = whole.astype("int32")
        count = np.array([len(row) - 1 for row in framed])[:, None]
        weight = (np.arange(whole.shape[1] - 1) < count).astype("float32")
        return whole[:, :-1], whole[:, 1:], weight

    return collate


def stack(values):
    """The default collate: samples of equal shape, nested or not, to one batch.

    Args:
        values: non-empty list of numbers, str, arrays or lists of numbers, or of
            tuples or dicts of these.

    Returns:
        An array, or a tuple or dict of arrays, with a new first axis.

    Raises:
        ValueError: if shapes or keys differ.
    """
    first = values[0]
    if isinstance(first, dict):
        odd = [value for value in values if value.keys() != first.keys()]
        if odd:
            raise ValueError(
                "`collate` is needed, because samples differ in their keys. "
                f"Received: {list(first)} and {list(odd[0])}"
            )
        return {key: stack([value[key] for value in values]) for key in first}
    if isinstance(first, tuple):
        return tuple(stack(list(part)) for part in zip(*values, strict=True))
    arrays = [np.asarray(value) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            "`collate` is needed, because samples differ in shape: use "
            f"collate=padded(...). Received: shapes {sorted(shapes)[:4]}"
        )
    return np.stack(arrays)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which samples make which batch, as a pure function of (seed, epoch).

    Without `lengths`, batches are slices of the epoch's permutation. With them, the
    samples are sorted into buckets, longest first, and cut: a batch that its bucket
    cannot fill takes shorter samples along, so that only short ones are left over.

    Args:
        count: int, the number of samples.
        batch_size: int or `None`, samples a batch.
        shuffle: bool. If `False`, every epoch is in the data's order (of batches,
            with `lengths`: longest first).
        seed: int.
        drop_remainder: bool. If `True`, samples too few for a batch are left out,
            other ones in every epoch.
        lengths: int array `(count,)` or `None`.
        boundaries: sorted ints or `None`, the padded length of each bucket.
        max_tokens: int or `None`. A batch has at most so many tokens, padding
            included.
    """

    count: int
    batch_size: int | None
    shuffle: bool
    seed: int
    drop_remainder: bool
    lengths: np.ndarray | None = None
    boundaries: np.ndarray | None = None
    max_tokens: int | None = None

    def size(self, length):
        """Samples of one batch whose padded length is `length`."""
        if self.max_tokens is None:
            return self.batch_size
        fitting = self.max_tokens // int(length)
        return fitting if self.batch_size is None else min(self.batch_size, fitting)

    def sizes(self):
        """List of int, the possible batch sizes."""
        if self.lengths is None:
            return [self.batch_size]
        return [self.size(length) for length in self.boundaries]

    def steps(self):
        """Int, the batches of an epoch: the same in all of them."""
        return len(self._cuts[0])

    def batches(self, epoch):
        """The epoch's batches.

        Args:
            epoch: int.

        Returns:
            List of `(indices, length)`: int64 `(B,)` and the padded length, `None`
            without buckets.
        """
        draws = np.random.default_rng([self.seed % 2**64, epoch])
        order = np.arange(self.count)
        if self.shuffle:
            order = draws.permutation(self.count)
        begins, ends, buckets = self._cuts
        if self.lengths is not None:
            bucket = np.searchsorted(self.boundaries, self.lengths)
            order = order[np.argsort(-bucket[order], kind="stable")]
        found = [
            (order[begin:end], None if b is None else int(self.boundaries[b]))
            for begin, end, b in zip(begins, ends, buckets, strict=True)
        ]
        if self.shuffle and self.lengths is not None:
            found = [found[place] for place in draws.permutation(len(found))]
        return found

    @functools.cached_property
    def _cuts(self):
        """Where the sorted samples are cut: lists of begins, ends and buckets."""
        if self.lengths is None:
            begins = np.arange(0, self.count, self.batch_size)
            ends = np.minimum(begins + self.batch_size, self.count)
            buckets = [None] * len(begins)
        else:
            begins, ends, buckets = self._bucket_cuts()
        full = len(begins)
        if self.drop_remainder and full:
            wanted = self.batch_size if self.lengths is None else None
            wanted = wanted or self.size(self.boundaries[buckets[-1]])
            full -= bool(ends[-1] - begins[-1] < wanted)
        return begins[:full], ends[:full], buckets[:full]

    def _bucket_cuts(self):
        bucket = np.searchsorted(self.boundaries, self.lengths)
        # Samples are sorted from the longest bucket down: bucket b ends at last[b].
        amounts = np.bincount(bucket, minlength=len(self.boundaries))
        last = np.cumsum(amounts[::-1])[::-1]
        begins, ends, buckets, place = [], [], [], 0
        for index in reversed(range(len(self.boundaries))):
            size = self.size(self.boundaries[index])
            while place < last[index]:
                begins.append(place)
                place = min(place + size, self.count)
                ends.append(place)
                buckets.append(index)
        return begins, ends, buckets


def default_boundaries(lengths, most=8):
    """Bucket lengths that split `lengths` evenly, rounded up to multiples of 8.

    Args:
        lengths: int array `(N,)`.
        most: int, the largest number of buckets.

    Returns:
        Sorted int array; its last entry is at least the longest length.
    """
    at = np.quantile(lengths, np.arange(1, most + 1) / most, method="higher")
    return np.unique(-(-np.asarray(at, "int64") // 8) * 8)
