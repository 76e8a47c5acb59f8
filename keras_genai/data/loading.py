"""The loader of any map-style data set or arrays, and what a data source returns.

A *loader* is any object with `batch_size`, `steps_per_epoch`,
`dataset(start=0)`, an infinite `tf.data.Dataset` that begins at step `start`, and
`epoch()`, a finite one of a single pass. A batch is a pure function of
(seed, step), so that a resumed run sees what the uninterrupted one would have seen.
The loaders here are `Loader`s: each is also a `tf.data.Dataset` by itself, for `fit`.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_instance, check_seed
from keras_genai.data.arguments import check_count
from keras_genai.data.batching import Plan, default_boundaries, stack
from keras_genai.data.loader import Loader
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.data.windows import Stream, Windows
from keras_genai.modalities.base import Modality
from keras_genai.modalities.text import Text

__all__ = ["DataLoader", "Dataset", "Loader", "Splits", "Stream", "Windows"]

# TensorFlow's 4 leave most of a small data set where it was, with keys such as ours.
_ROUNDS = 10


@dataclasses.dataclass(frozen=True)
class Splits:
    """What a data source returns.

    Args:
        train: loader of the training data.
        validation: loader of the validation data, or `None`.
        tokenizer: `Tokenizer` of the text, or `None`.
        held_out: the whole validation data in memory, or `None`: int32 `(N,)` of a
            text, a dict of arrays with the keys of a batch for pictures.
        test: likewise, the test data.
        name: str, what the data is called in logs and results.
        kinds: tuple of `Modality`, what a batch has, the one to be made first. Texts of
            the tokenizer are among them without being named.
        prompts: tuple of str, or of dict with `prompt` and what else rewards ask for:
            what a policy is to answer while it learns from rewards.
        texts: dict of `train` and `test`, each a dict of arrays: the same samples as
            people have them, for what is compared with a model and reads no tokens, or
            the recordings that they are made of; or `None`. A run is not known by it,
            because it is known by the tokens.
    """

    train: Any
    validation: Any = None
    tokenizer: Tokenizer | None = None
    held_out: np.ndarray | dict | None = None
    test: np.ndarray | dict | None = None
    name: str = ""
    kinds: tuple[Modality, ...] = ()
    prompts: tuple = ()
    texts: dict | None = None

    def __post_init__(self):
        if self.tokenizer is not None and self.kind("tokens") is None:
            object.__setattr__(self, "kinds", (*self.kinds, Text(self.tokenizer)))

    def kind(self, key):
        """The `Modality` of this key, or `None` if there is none."""
        return next((kind for kind in self.kinds if kind.key == key), None)

    @property
    def sizes(self):
        """dict of the arguments of networks that the data decides."""
        found = {key: size for kind in self.kinds for key, size in kind.sizes.items()}
        return {key: size for key, size in found.items() if size is not None}


@runtime_checkable
class Dataset(Protocol):
    """Map-style data: what a list is, and a PyTorch or Grain data set, too.

    One that also has `__getitems__(indices)`, as the data sources of TensorFlow
    Datasets do, is asked for whole batches.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Buckets:
    """Batches of samples of similar length, padded to one length for each bucket.

    Args:
        by: function from a sample to its length, or int array of all lengths.
        boundaries: ints, the padded length of each bucket, or `None` for up to eight
            that split the data evenly.
        max_tokens: int or `None`. A batch holds as many samples as have that many
            tokens together, padding included.
    """

    by: Callable[[Any], int] | Sequence[int] | np.ndarray
    boundaries: Sequence[int] | np.ndarray | None = None
    max_tokens: int | None = None


class DataLoader(Loader):
    """Batches of a map-style data set, as a `tf.data.Dataset`.

    Arrays are gathered batch by batch inside the `tf.data` graph. Any other data set
    is read in Python, and `collate` turns the list of samples into arrays: here texts
    become tokens, tokens become padded arrays. The data set itself stays as it was.

    Args:
        dataset: `Dataset`; or an array, or a tuple or dict of arrays with equal first
            axes.
        batch_size: int, samples a batch; with a bucket's `max_tokens`, the most, or
            `None`.
        shuffle: bool. If `True`, every epoch is another permutation.
        collate: function from a list of samples to a tuple, dict or single one of
            arrays with the batch first; see `batching.padded`. With `buckets` it is
            called as `collate(samples, length)`. `None` stacks samples of one shape,
            which the batches then have, too.
        buckets: `Buckets` or `None`. With it, a batch has samples of similar length.
        seed: int. Batches depend on it and on the step, on nothing else.
        drop_remainder: bool or `None`. If `True`, samples too few for a batch are left
            out, so that shapes stay; `None` is the value of `shuffle`.
        workers: int, threads that read and collate. Above 1, `dataset` and `collate`
            must allow that.
        transform: function `transform(batch, seed)` from a batch to what the loader
            yields, or `None`. It is part of the `tf.data` graph and draws only by
            stateless operations from `seed`, int64 `(2,)`: `[seed, step]`.
        fixed: bool. If `True`, every pass is the first epoch again, in order and in
            what `transform` draws, as for validation.

    Attributes:
        content: the data set, arrays as tensors: what a run is known by.

    Raises:
        ValueError: if the data set is empty or smaller than a batch that may not be
            incomplete, if an argument does not fit another, or if `collate` returns
            anything but arrays.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        shuffle: bool = True,
        collate: Callable[..., Any] | None = None,
        buckets: Buckets | None = None,
        seed: int = 0,
        drop_remainder: bool | None = None,
        workers: int = 2,
        transform: Callable[..., Any] | None = None,
        fixed: bool = False,
    ):
        if buckets is not None:
            check_instance("buckets", buckets, Buckets)
        max_tokens = None if buckets is None else buckets.max_tokens
        _check_arguments(batch_size, max_tokens, seed, workers, collate, transform)
        by_array = _is_arrays(dataset)
        count = _count(dataset, by_array)
        lengths = edges = None
        if buckets is not None:
            lengths = _lengths(dataset, buckets.by, count)
            edges = _boundaries(buckets.boundaries, lengths)
            _check_sizes(edges, max_tokens)
        self.plan = Plan(
            count=count,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=shuffle if drop_remainder is None else drop_remainder,
            lengths=lengths,
            boundaries=edges,
            max_tokens=max_tokens,
        )
        self.batch_size = max(self.plan.sizes())
        self.steps_per_epoch = self.plan.steps()
        if not self.steps_per_epoch:
            raise ValueError(
                "`batch_size` must be at most the number of samples, unless "
                f"drop_remainder=False. Received: {batch_size=}, {max_tokens=}, "
                f"{count} samples"
            )
        if by_array and collate is None and buckets is None:
            with tf.device("CPU:0"):
                dataset = tf.nest.map_structure(tf.convert_to_tensor, dataset)
            self._fetch = _array_fetch(dataset, self.plan)
            workers = 2
        else:
            samples = _Rows(dataset) if by_array else dataset
            self._fetch = _python_fetch(samples, self.plan, collate)
        self.content = dataset
        self._transform = transform
        self._seed = seed
        super().__init__(fixed, workers)

    def fetch(self, step):
        """The batch of one step: what `collate` returns, after `transform`."""
        batch = self._fetch(step)
        if self._transform is None:
            return batch
        seed = tf.stack([tf.constant(self._seed, "int64"), step])
        return self._transform(batch, seed)


class _Rows:
    """Arrays as a map-style data set."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(tf.nest.flatten(self.arrays)[0])

    def __getitem__(self, index):
        return tf.nest.map_structure(lambda array: array[index], self.arrays)


def _array_fetch(arrays, plan):
    """Function from a step to a batch of tensors, in TensorFlow only."""
    static = plan.batch_size if plan.drop_remainder else None
    size = min(plan.batch_size, plan.count)

    def fetch(step):
        begin = step % plan.steps() * size
        index = tf.range(begin, tf.minimum(begin + plan.batch_size, plan.count))
        if plan.shuffle:
            key = tf.stack([tf.constant(plan.seed, "int64"), step // plan.steps(), 0])
            index = tf.raw_ops.RandomIndexShuffle(
                index=index,
                seed=tf.cast(key, "uint32"),
                max_index=tf.constant(plan.count - 1, "int64"),
                rounds=_ROUNDS,
            )
        index = tf.ensure_shape(index, (static,))
        return tf.nest.map_structure(lambda array: tf.gather(array, index), arrays)

    return fetch


def _python_fetch(dataset, plan, collate):
    """Function from a step to a batch, with one Python call a batch."""
    # Samples of one shape, so that all batches have it, too.
    stacked = collate is None and plan.lengths is None
    collate = collate or _stack
    epochs = functools.lru_cache(maxsize=2)(plan.batches)

    def read(step):
        epoch, place = divmod(int(step), plan.steps())
        indices, length = epochs(epoch)[place]
        if hasattr(dataset, "__getitems__"):
            samples = dataset.__getitems__(indices.tolist())
        else:
            samples = [dataset[index] for index in indices.tolist()]
        return collate(samples) if length is None else collate(samples, length)

    like = read(0)
    if isinstance(like, list):  # tf.data would stack a list into one tensor
        like = tuple(like)
    first = _checked(like)
    types = [_tensor_type(array) for array in first]
    shapes = [a.shape[1:] if stacked else (None,) * (a.ndim - 1) for a in first]
    kinds = [(array.ndim, kind) for array, kind in zip(first, types, strict=True)]
    static = plan.sizes()[0] if plan.drop_remainder and len(plan.sizes()) == 1 else None

    def flat(step):
        arrays = _checked(read(step))
        if [(a.ndim, _tensor_type(a)) for a in arrays] != kinds:
            raise ValueError(
                "`collate` must return the same dtypes and ranks in every batch. "
                f"Received: {[(str(a.dtype), a.ndim) for a in arrays]} after "
                f"{[(str(a.dtype), a.ndim) for a in first]}"
            )
        if stacked and [a.shape[1:] for a in arrays] != shapes:
            raise ValueError(
                "`collate` is needed, because samples differ in shape: use "
                f"collate=padded(...). Received: {[a.shape[1:] for a in arrays]} "
                f"after {shapes}"
            )
        # TensorFlow itself would encode text as ASCII.
        return [
            np.char.encode(a, "utf-8") if a.dtype.kind == "U" else a for a in arrays
        ]

    def fetch(step):
        arrays = tf.numpy_function(flat, [step], types)
        for array, shape in zip(arrays, shapes, strict=True):
            array.set_shape((static, *shape))
        return tf.nest.pack_sequence_as(like, arrays)

    return fetch


def _tensor_type(array):
    return tf.string if array.dtype.kind in "US" else tf.as_dtype(array.dtype)


def _stack(samples, length=None):
    return stack(samples)


def _checked(batch):
    """The arrays of a collated batch as a flat list."""
    arrays = [np.asarray(leaf) for leaf in tf.nest.flatten(batch)]
    sizes = {array.shape[:1] for array in arrays}
    good = all(array.ndim and array.dtype != object for array in arrays)
    if not arrays or not good or len(sizes) > 1:
        raise ValueError(
            "`collate` must return arrays (batch, ...) of numbers or str, or a tuple "
            "or dict of them, all with the batch first. Received: "
            f"{[f'{array.dtype} {array.shape}' for array in arrays]}"
        )
    return arrays


def _is_arrays(dataset):
    """Whether `dataset` is an array, or a tuple or dict of arrays."""
    leaves = [dataset]
    if isinstance(dataset, tuple | dict):
        leaves = tf.nest.flatten(dataset)
    return bool(leaves) and all(
        tf.is_tensor(leaf) or (isinstance(leaf, np.ndarray) and leaf.dtype != object)
        for leaf in leaves
    )


def _count(dataset, by_array):
    """Number of samples, at least one."""
    if by_array:
        shapes = [tuple(array.shape) for array in tf.nest.flatten(dataset)]
        counts = {shape[:1] for shape in shapes}
        if len(counts) > 1 or () in counts:
            raise ValueError(
                f"`dataset` must be arrays of one length. Received: shapes {shapes}"
            )
        (count,) = counts.pop()
    elif isinstance(dataset, dict) or not isinstance(dataset, Dataset):
        raise ValueError(
            "`dataset` must have `__len__` and `__getitem__`, or be arrays. "
            f"Received: {type(dataset).__name__}"
        )
    else:
        count = len(dataset)
    if not count:
        raise ValueError("`dataset` must have at least one sample. Received: 0")
    return count


def _lengths(dataset, by, count):
    if callable(by):
        rows = _Rows(dataset) if _is_arrays(dataset) else dataset
        by = [by(rows[index]) for index in range(count)]
    lengths = np.asarray(by)
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu" or lengths.min() < 1:
        raise ValueError(
            "`by` must give one int >= 1 for each sample. Received: "
            f"{lengths.dtype} {lengths.shape} for {count} samples, least "
            f"{lengths.min(initial=1)}"
        )
    return lengths


def _boundaries(boundaries, lengths):
    if boundaries is None:
        return default_boundaries(lengths)
    found = np.unique(np.asarray(boundaries))
    if (
        found.dtype.kind not in "iu"
        or not found.size
        or found[0] < 1
        or found[-1] < lengths.max()
    ):
        raise ValueError(
            f"`boundaries` must be ints >= 1 up to the longest sample's length, "
            f"{lengths.max()}. Received: {boundaries}"
        )
    return found


def _check_arguments(batch_size, max_tokens, seed, workers, collate, transform):
    if batch_size is None and max_tokens is None:
        raise ValueError("`batch_size` or `max_tokens` must be given. Received neither")
    counts = {"batch_size": batch_size, "max_tokens": max_tokens, "workers": workers}
    for name, value in counts.items():
        if value is not None:
            check_count(name, value)
    check_seed(seed)
    for name, value in {"collate": collate, "transform": transform}.items():
        if value is not None and not callable(value):
            raise ValueError(f"`{name}` must be a function. Received: {value!r}")


def _check_sizes(boundaries, max_tokens):
    if max_tokens is not None and max_tokens < boundaries[-1]:
        raise ValueError(
            "`max_tokens` must be at least the longest bucket's length, "
            f"{boundaries[-1]}. Received: {max_tokens=}"
        )
