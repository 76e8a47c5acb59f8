"""Image sources: functions that return `Splits` of batches of pictures.

All share these arguments, and are found by name with `source("mnist")`:

    batch_size: int, pictures a batch.
    seed: int. Which pictures are in which step, and how they are augmented.
    data_dir: path of prepared or manually placed files, or `None`.
    image_size: int or `(height, width)`, or `None` for the pictures' own size. Larger
        ones are cropped to these proportions and shrunk.
    stand_in: bool. If `True`, a few of scikit-learn's digits, made to look like the
        data: the same shape and number of classes, offline, for tests.
    augment: object of `keras_genai.data.augmentation`, or a list of them, or `None`.
        Changes training pictures only.
    condition: function `condition(images, seed)` that makes from float32
        `(B, H, W, C)` in [0, 1] the picture the model is given, or `None`: a damage of
        `keras_genai.data.damage`, or `Edges` of `keras_genai.data.pairs`.

A batch is a dict: `"images"`, float32 `(B, H, W, C)` in [0, 1]; `"labels"`, int32
`(B,)`, if there are classes; `"condition"`, float32 `(B, H, W, C')` in [0, 1] but for
`damage.Noise(clip=False)`, if asked for. `held_out` and `test` hold the same in memory,
pictures as uint8, and as float32 where they leave [0, 1]. Splits do not depend on
`seed`, and neither do the conditions of held-out pictures.
"""

import functools

from keras_genai.checks import check_one_of
from keras_genai.data import embedded_images, named_images, naming, pictures
from keras_genai.data.image_splits import (
    assemble,
    checked_images,
    checked_labels,
    divide,
)
from keras_genai.files.paths import as_path


def digits(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=None,
    augment=None,
    condition=None,
    stand_in=False,
):
    """Scikit-learn's 1,797 handwritten digits, 8 x 8 grey, ten classes: embedded.

    The split is fixed, classes in proportion: 180 pictures validate, 360 test, and
    1,257 train.

    Args:
        batch_size: see the head of this module; likewise all others.
        seed: int.
        data_dir: unused.
        image_size: int, pair or `None`. To larger sizes they grow by a whole factor
            and are padded.
        augment: object, list or `None`.
        condition: function or `None`.
        stand_in: bool.

    Returns:
        `Splits`.

    Reference: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits
    """
    splits = embedded_images.digits(pictures.as_size(image_size), few=stand_in)
    return assemble("digits", splits, 10, batch_size, seed, augment, condition)


def mnist(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=None,
    augment=None,
    condition=None,
    validation=None,
    everything=False,
    stand_in=False,
):
    """MNIST: 70,000 handwritten digits, 28 x 28 grey, ten classes.

    It is read by TensorFlow Datasets: prepared in `data_dir`, or made now from the
    four original files if these lie there, or downloaded.

    Args:
        batch_size: see the head of this module; likewise all that are not here.
        seed: int.
        data_dir: path or `None`.
        image_size: int, pair or `None`. 32 pads.
        augment: object, list or `None`.
        condition: function or `None`.
        validation: int or `None` (5,000). So many of the last training pictures
            validate; with 0 all train, and the test pictures validate.
        everything: bool. If `True`, the test pictures train, too, as some published
            recipes have it; figures on them then mean nothing.
        stand_in: bool.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if the data is neither on this machine nor downloadable.

    Reference: LeCun et al. 1998, Gradient-based learning applied to document
    recognition
    """
    if stand_in:
        splits, classes = named_images.stand_in((28, 28, 1), image_size)
    else:
        splits, classes = named_images.read(
            "mnist",
            data_dir,
            image_size,
            black=True,
            validation=validation,
            everything=everything,
        )
    return assemble("mnist", splits, classes, batch_size, seed, augment, condition)


def fashion_mnist(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=None,
    augment=None,
    condition=None,
    stand_in=False,
):
    """Fashion-MNIST: 70,000 pieces of clothing, 28 x 28 grey, ten classes.

    Args, returns and raises: as `mnist`.

    Reference: Xiao et al. 2017, https://arxiv.org/abs/1708.07747
    """
    if stand_in:
        splits, classes = named_images.stand_in((28, 28, 1), image_size)
    else:
        splits, classes = named_images.read(
            "fashion_mnist", data_dir, image_size, black=True
        )
    return assemble(
        "fashion_mnist", splits, classes, batch_size, seed, augment, condition
    )


def cifar10(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=None,
    augment=None,
    condition=None,
    stand_in=False,
):
    """CIFAR-10: 60,000 photographs of animals and vehicles, 32 x 32, ten classes.

    Args, returns and raises: as `mnist`.

    Reference: Krizhevsky 2009, Learning multiple layers of features from tiny images
    """
    if stand_in:
        splits, classes = named_images.stand_in((32, 32, 3), image_size)
    else:
        splits, classes = named_images.read("cifar10", data_dir, image_size)
    return assemble("cifar10", splits, classes, batch_size, seed, augment, condition)


def celeb_a(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=64,
    augment=None,
    condition=None,
    limit=None,
    stand_in=False,
):
    """CelebA: 202,599 faces, cropped to squares, colour, no classes.

    Args, returns and raises: as `mnist`; `limit` is the most pictures of each split,
    or `None`.

    Reference: Liu et al. 2015, https://arxiv.org/abs/1411.7766
    """
    if stand_in:
        splits, classes = named_images.stand_in((64, 64, 3), image_size, None)
    else:
        splits, classes = named_images.read(
            "celeb_a", data_dir, image_size, limit=limit
        )
    return assemble("celeb_a", splits, classes, batch_size, seed, augment, condition)


def tfds(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    name,
    image_size=None,
    augment=None,
    condition=None,
    validation=None,
    limit=None,
    stand_in=False,
):
    """An image data set of TensorFlow Datasets; its own splits where it has them.

    Without a validation split the last 5,000 training pictures validate (at most a
    tenth of them). Everything is held in memory: give a `limit` for large sets.

    Args:
        batch_size: see the head of this module; likewise all that are not here.
        seed: int.
        data_dir: path of prepared data, or `None` for the usual place.
        name: str, as in TensorFlow Datasets: `"kmnist"`, `"oxford_flowers102"`. Or
            two, the other one that of the feature, where there are several pictures.
        image_size: int, pair or `None`. Needed if the pictures differ in size.
        augment: object, list or `None`.
        condition: function or `None`.
        validation: int or `None`; see `mnist`.
        limit: int or `None`. Read at most so many pictures of each split.
        stand_in: bool. Ten classes in colour, whatever the data is.

    Returns:
        `Splits`. `num_classes` is that of the data's class label, if it has one.

    Raises:
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
        ValueError: if there is no such data set or feature, or no `image_size`.
    """
    name, feature = (name, None) if isinstance(name, str) else name
    if stand_in:
        splits, classes = named_images.stand_in((32, 32, 3), image_size)
    else:
        splits, classes = named_images.read(
            name,
            data_dir,
            image_size,
            validation=validation,
            feature=feature,
            limit=limit,
        )
    return assemble(name, splits, classes, batch_size, seed, augment, condition)


def folder(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    image_size=32,
    augment=None,
    condition=None,
    channels=None,
    stand_in=False,
):
    """The user's own pictures: those of a folder and of the folders in it.

    What Pillow reads, of any size, as a viewer shows it. If all lie in subfolders,
    each of these is a class. Files that cannot be read are named in a warning and
    skipped. A tenth validates and a tenth tests, the same ones in every run.

    Args:
        batch_size: see the head of this module; likewise all that are not here.
        seed: int.
        data_dir: unused.
        path: path of the folder.
        image_size: int or pair. Pictures are cropped and resized to it.
        augment: object, list or `None`.
        condition: function or `None`.
        channels: 1, 3 or `None`: 1 if all pictures are grey, else 3.
        stand_in: bool. Ten classes.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if there is no such folder, or no picture in it.
        ValueError: if no picture can be read, or if they are too few.
    """
    size = pictures.as_size(image_size or 32)
    if channels not in (None, 1, 3):
        raise ValueError(f"`channels` must be 1, 3 or None. Received: {channels=}")
    name = as_path(path).resolve().name
    if stand_in:
        splits, classes = named_images.stand_in((*size, channels or 3))
    else:
        images, labels, names = pictures.read_folder(path, size, channels)
        splits = divide(images, labels, len(images) // 10, len(images) // 10)
        classes = None if names is None else len(names)
    return assemble(name, splits, classes, batch_size, seed, augment, condition)


def photographs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    image_size=32,
    augment=None,
    condition=None,
    test=None,
    stand_in=False,
):
    """Crops of scikit-learn's two photographs, in colour, without classes: embedded.

    Of each picture (427 x 640), crops of the left 448 columns train, of the next 96
    validate and of the last 96 test, so that no pixel is in two splits. Training
    crops are 8 pixels apart, the others `image_size // 2`.

    With `test`, the scene of the test is in no picture that trained: the other
    photograph trains with its left 544 columns and validates with the last 96, and
    test crops lie side by side, row by row from the upper left corner.

    Args:
        batch_size: see the head of this module; likewise all others.
        seed: int.
        data_dir: unused.
        image_size: int or pair, at most 96.
        augment: object, list or `None`.
        condition: function or `None`.
        test: `"china"`, `"flower"` or `None`. The photograph that tests; the first, of
            a temple and trees, has more texture.
        stand_in: bool. If `True`, only some of the crops.

    Returns:
        `Splits`.

    Raises:
        ValueError: if `image_size` is above 96, or if there is no such photograph.
    """
    size = pictures.as_size(image_size or 32)
    if max(size) > 96:
        raise ValueError(f"`image_size` must be at most 96. Received: {image_size=}")
    if test is not None:
        check_one_of("test", test, embedded_images.PHOTOGRAPHS)
    splits = embedded_images.photographs(size, few=stand_in, test=test)
    return assemble("photographs", splits, None, batch_size, seed, augment, condition)


def arrays(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    images,
    labels=None,
    image_size=None,
    augment=None,
    condition=None,
    name="arrays",
):
    """Pictures that are in memory. A tenth of them validates and a tenth tests.

    Args:
        batch_size: see the head of this module; likewise all that are not here.
        seed: int.
        data_dir: unused.
        images: uint8 `(N, H, W, C)`, or float in [0, 1]; C is 1 or 3.
        labels: int `(N,)` from 0, or `None`.
        image_size: int, pair or `None`.
        augment: object, list or `None`.
        condition: function or `None`.
        name: str.

    Returns:
        `Splits`.

    Raises:
        ValueError: if rank, range, channels or labels are not as said, or if there
            are no pictures.
    """
    images = checked_images(images)
    labels = None if labels is None else checked_labels(labels, len(images))
    images = pictures.fit(images, pictures.as_size(image_size))
    splits = divide(images, labels, len(images) // 10, len(images) // 10)
    classes = None if labels is None else int(labels.max()) + 1
    return assemble(name, splits, classes, batch_size, seed, augment, condition)


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"digits"`, `"mnist"`, `"fashion_mnist"`, `"cifar10"`, `"celeb_a"`,
            `"photographs"`, `"moving_digits"`, `"tfds:NAME"`, `"folder:PATH"`, or the
            path of a folder.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns
        `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named folder does not exist.
    """
    from keras_genai.data.video import moving_digits  # it is made of our digits

    sources = (
        digits, mnist, fashion_mnist, cifar10, celeb_a, photographs, moving_digits
    )  # fmt: skip
    known = {each.__name__: each for each in sources}
    kind, _, rest = str(spec).partition(":")
    if spec in known:
        return known[spec]
    if kind == "tfds" and rest:
        return functools.partial(tfds, name=rest)
    path = naming.own_files(spec, {"folder": "folder"})
    if path is not None:
        return functools.partial(folder, path=path)
    choices = [*known, "tfds:NAME", "folder:PATH"]
    raise naming.unknown(spec, choices, " or an existing folder")
