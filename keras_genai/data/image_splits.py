"""From arrays of pictures to `Splits`: checks, fixed cuts, and the loaders' batches."""

import numpy as np
import tensorflow as tf

from keras_genai.data import augmentation
from keras_genai.data.damage import bounded
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.data.pictures import to_bytes, to_float
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label

FIXED = 20_200_620  # seed of everything that must be the same in every run
_CHUNK = 256  # held-out pictures whose condition is made at once
_MOST_VALIDATION = 5_000  # pictures, where the data has no validation split


def assemble(
    name, splits, num_classes, batch_size, seed=0, augment=None, condition=None
):
    """`Splits` with loaders of what is in memory.

    Args:
        name: str.
        splits: dict of `"train"`, `"validation"` and, if there is one, `"test"` to a
            dict of arrays: `"images"`, uint8 `(N, H, W, C)`, and, with classes,
            `"labels"`, int `(N,)`.
        num_classes: int, or `None` without labels.
        batch_size: int.
        seed: int.
        augment: object of `keras_genai.data.augmentation`, a list of them, or `None`.
        condition: function `condition(images, seed)`, or `None`.

    Returns:
        `Splits`.

    Raises:
        ValueError: if there are no pictures, or fewer than a batch, or if pictures or
            labels are not as said.
    """
    _check_functions(augment, condition)
    splits = {
        role: _checked(name, arrays, num_classes) for role, arrays in splits.items()
    }
    image_shape = splits["train"]["images"].shape[1:]
    kinds = [Image(image_shape)]
    if num_classes is not None:
        kinds.append(Label(num_classes))
    if condition is not None:
        seed_of_shape = tf.zeros(2, "int64")
        made = condition(tf.zeros((1, *image_shape)), seed_of_shape)
        kinds.append(Image(made.shape[1:], "condition", bounded(condition)))
        for role in splits.keys() - {"train"}:
            images = splits[role]["images"]
            splits[role] = {**splits[role], "condition": fixed(condition, images)}
    return Splits(
        train_loader(name, splits["train"], batch_size, seed, augment, condition),
        validation_loader(splits["validation"], batch_size),
        held_out=splits["validation"],
        test=splits.get("test"),
        name=name,
        kinds=tuple(kinds),
    )


def train_loader(name, arrays, batch_size, seed, augment=None, condition=None):
    """Shuffled, augmented float batches of uint8 arrays; see `assemble`."""

    def transform(batch, seed):
        images = to_float(batch["images"])
        images = augmentation.apply(augment, images, tf.random.fold_in(seed, 0))
        finished = {**batch, "images": images}
        if condition is not None:
            finished["condition"] = condition(images, tf.random.fold_in(seed, 1))
        return finished

    count = len(arrays["images"])
    if batch_size > count:
        raise ValueError(
            "`batch_size` must be at most the number of training pictures. "
            f"Received: {batch_size=}, {count} pictures of {name!r}"
        )
    return DataLoader(arrays, batch_size, seed=seed, transform=transform)


def validation_loader(arrays, batch_size):
    """Float batches in the data's order, all of one shape, a few pictures left out.

    Another shape would cost another compilation. The batches are as many as would
    hold all pictures, and a little smaller than `batch_size` if that leaves out
    fewer.
    """
    count = len(arrays["images"])
    size = count // -(-count // batch_size)
    return DataLoader(
        arrays, size, shuffle=False, drop_remainder=True, transform=floats
    )


def floats(batch, seed=None):
    """A batch whose uint8 pictures are float32 in [0, 1], the rest as it is."""
    return {
        key: to_float(value) if value.dtype == tf.uint8 else value
        for key, value in batch.items()
    }


def fixed(function, images):
    """What a stateless function of (float images, seed) makes of uint8 pictures.

    The same in every run, whatever the run's seed.

    Args:
        function: for instance a damage of `keras_genai.data.damage`.
        images: uint8 `(N, ...)`.

    Returns:
        array `(N, ...)`: uint8, or float32 of a damage that leaves [0, 1].
    """
    kept = to_bytes if bounded(function) else to_float
    made = []
    for number, first in enumerate(range(0, len(images), _CHUNK)):
        seed = tf.constant([FIXED, number], "int64")
        result = function(to_float(images[first : first + _CHUNK]), seed)
        made.append(kept(result).numpy())
    return np.concatenate(made)


def divide(images, labels, validation, test):
    """Cuts pictures into training, validation and test, classes in proportion.

    The cut is the same in every run.

    Args:
        images: uint8 `(N, H, W, C)`.
        labels: int `(N,)` or `None`.
        validation: int, pictures that validate; at least one does.
        test: int, pictures that test; with 0 there is no test split.

    Returns:
        dict for `assemble`.

    Raises:
        ValueError: if nothing would be left to train on.
    """
    count = len(images)
    validation = max(1, validation)
    if count <= validation + test:
        raise ValueError(
            f"Pictures must be more than {validation + test}, of which {validation} "
            f"validate and {test} test. Received: {count}"
        )
    order = _spread(np.zeros(count, int) if labels is None else labels)
    cuts = {
        "test": order[:test],
        "validation": order[test : test + validation],
        "train": order[test + validation :],
    }
    arrays = {"images": images} | ({} if labels is None else {"labels": labels})
    return {
        role: {key: array[index] for key, array in arrays.items()}
        for role, index in cuts.items()
        if len(index)
    }


def training_first(found, validation=None):
    """The splits of `assemble` from those of a data set that may have other ones.

    Args:
        found: dict of split name to dict of arrays.
        validation: int or `None`. See `keras_genai.data.images.mnist`.

    Returns:
        dict for `assemble`.

    Raises:
        ValueError: if so many pictures cannot be kept for validation.
    """
    train = found["train"] if "train" in found else next(iter(found.values()))
    splits = {"train": train}
    if "test" in found and found["test"] is not train:
        splits["test"] = found["test"]
    if "validation" in found and validation is None:
        return {**splits, "validation": found["validation"]}
    if validation == 0 and "test" in splits:
        return {**splits, "validation": splits["test"]}
    count = len(train["images"])
    if validation is None:
        validation = max(1, min(_MOST_VALIDATION, count // 10))
    if not 0 < validation < count:
        raise ValueError(
            f"`validation` must be between 1 and {count - 1} pictures, or 0 if there "
            f"are test pictures. Received: {validation=}"
        )
    for role, part in (
        ("train", slice(None, -validation)),
        ("validation", slice(-validation, None)),
    ):
        splits[role] = {key: array[part] for key, array in train.items()}
    return splits


def _spread(labels):
    """A fixed random order in which every stretch has all classes in proportion."""
    order = np.random.default_rng(0).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return order[np.argsort(place[order], kind="stable")]


def checked_images(images):
    """uint8 `(N, H, W, C)` from that, or from floats in [0, 1].

    Raises:
        ValueError: if rank, dtype, range or channels are not as said, or if there are
            no pictures.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise ValueError(
            "`images` must be of shape (N, H, W, C) with C 1 or 3, none of them 0. "
            f"Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    if images.dtype.kind != "f" or not (low >= 0 and high <= 1):
        raise ValueError(
            "`images` must be uint8, or float in [0, 1]. "
            f"Received: {images.dtype} from {low} to {high}"
        )
    return np.round(images * 255).astype("uint8")


def checked_labels(labels, count, num_classes=None):
    """int32 `(N,)`.

    Raises:
        ValueError: if labels are not one int of the classes for each picture.
    """
    labels = np.asarray(labels)
    good = labels.shape == (count,) and labels.dtype.kind in "iu"
    if good and num_classes is None:
        num_classes = int(labels.max()) + 1
    if not good or labels.min() < 0 or labels.max() >= num_classes:
        said = "" if num_classes is None else f" below {num_classes}"
        came = f", {labels.min()} to {labels.max()}" if good else ""
        raise ValueError(
            f"`labels` must be one int >= 0{said} for each of {count} pictures. "
            f"Received: {labels.dtype} {labels.shape}{came}"
        )
    return labels.astype("int32")


def _check_functions(augment, condition):
    for each in augment if isinstance(augment, list | tuple) else [augment]:
        if each is not None and not callable(each):
            raise ValueError(
                "`augment` must be objects of `keras_genai.data.augmentation`. "
                f"Received: {augment!r}"
            )
    if condition is not None and not callable(condition):
        raise ValueError(
            f"`condition` must be a function of (images, seed). Received: {condition!r}"
        )


def _checked(name, arrays, num_classes):
    """The arrays of one split, labels only with classes."""
    try:
        images = checked_images(arrays["images"])
        if num_classes is None:
            return {"images": images}
        labels = checked_labels(arrays["labels"], len(images), num_classes)
    except ValueError as error:
        raise ValueError(f"`data` {name!r} does not fit. {error}") from None
    return {"images": images, "labels": labels}
