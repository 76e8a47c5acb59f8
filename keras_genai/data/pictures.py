"""Pictures as arrays: decoding, cropping, resizing, and the user's own folders."""

import warnings

import numpy as np
import tensorflow as tf

from keras_genai.checks import LARGEST_SIZE
from keras_genai.files.paths import as_path
from keras_genai.files.pictures import EXTENSIONS, read_picture
from keras_genai.files.walking import files_below

# What often lies beside pictures and is none: captions, labels, notes.
_BESIDE = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".xml", ".yaml", ".yml")
_CHUNK = 2048  # pictures resized at once


def as_size(image_size):
    """`(height, width)` of an int or a pair of ints; `None` stays `None`.

    Raises:
        ValueError: if it is anything else.
    """
    if image_size is None:
        return None
    size = (image_size, image_size) if np.isscalar(image_size) else tuple(image_size)
    good = len(size) == 2 and all(
        isinstance(side, int | np.integer)
        and not isinstance(side, bool)
        and 1 <= side <= LARGEST_SIZE
        for side in size
    )
    if not good:
        raise ValueError(
            "`image_size` must be an int >= 1, or (height, width), at most "
            f"{LARGEST_SIZE}. Received: {image_size=}"
        )
    return tuple(int(side) for side in size)


def resize(pictures, size):
    """Crops the centre to the wanted proportions, then resizes.

    Shrinking averages over the area of each new pixel, so that nothing aliases;
    enlarging is bicubic.

    Args:
        pictures: uint8 `(H, W, C)` or `(N, H, W, C)`.
        size: `(height, width)`.

    Returns:
        uint8 tensor `(height, width, C)` or `(N, height, width, C)`.
    """
    pictures = tf.convert_to_tensor(pictures)
    height, width = size
    shape = tf.shape(pictures)
    old_height, old_width = shape[-3], shape[-2]
    # The largest part of the picture that has the proportions of `size`.
    high = tf.clip_by_value(old_width * height // width, 1, old_height)
    wide = tf.clip_by_value(old_height * width // height, 1, old_width)
    top, left = (old_height - high) // 2, (old_width - wide) // 2
    pictures = pictures[..., top : top + high, left : left + wide, :]
    resized = tf.cond(
        (high >= height) & (wide >= width),
        lambda: tf.image.resize(pictures, size, method="area"),
        lambda: tf.image.resize(
            tf.cast(pictures, "float32"), size, method="bicubic", antialias=True
        ),
    )
    return to_bytes(resized / 255.0)


def enlarge_and_pad(pictures, size):
    """Enlarges by the largest whole factor that fits, then pads with black.

    For digits and the like, which stand on black: 28 becomes 32 without blurring.

    Args:
        pictures: uint8 `(N, H, W, C)`, no side larger than `size`.
        size: `(height, width)`.

    Returns:
        uint8 tensor `(N, height, width, C)`.
    """
    high, wide = pictures.shape[1:3]
    factor = min(size[0] // high, size[1] // wide)
    if factor > 1:
        pictures = resize(pictures, (high * factor, wide * factor))
    top, left = (size[0] - high * factor) // 2, (size[1] - wide * factor) // 2
    return tf.image.pad_to_bounding_box(pictures, top, left, *size)


def fit(pictures, size, black=False):
    """Pictures in memory at another size.

    Args:
        pictures: uint8 `(N, H, W, C)`.
        size: `(height, width)` or `None`, which changes nothing.
        black: bool. If `True`, the background is black, and larger sizes are reached
            by `enlarge_and_pad`.

    Returns:
        uint8 array `(N, height, width, C)`.
    """
    old = pictures.shape[1:3]
    if size is None or old == size:
        return pictures
    pads = black and size[0] >= old[0] and size[1] >= old[1]
    change = enlarge_and_pad if pads else resize
    chunks = [
        change(pictures[first : first + _CHUNK], size).numpy()
        for first in range(0, len(pictures), _CHUNK)
    ]
    return np.concatenate(chunks)


def to_float(pictures):
    """float32 in [0, 1] from uint8; floats keep their values."""
    pictures = tf.convert_to_tensor(pictures)
    scale = 255.0 if pictures.dtype == tf.uint8 else 1.0
    return tf.cast(pictures, "float32") / scale


def to_bytes(pictures):
    """uint8 from float in [0, 1]; values outside are clipped."""
    pictures = tf.clip_by_value(tf.cast(pictures, "float32"), 0.0, 1.0)
    return tf.cast(tf.round(pictures * 255.0), "uint8")


def set_channels(picture, channels):
    """Greyscale or RGB from greyscale, RGB, or either with an alpha channel.

    What is transparent becomes white.

    Args:
        picture: uint8 `(..., C)` with C from 1 to 4.
        channels: 1 or 3.

    Returns:
        uint8 `(..., channels)`.
    """
    count = picture.shape[-1]
    if count in (2, 4):
        colour, alpha = to_float(picture[..., :-1]), to_float(picture[..., -1:])
        picture = to_bytes(colour * alpha + 1.0 - alpha)
        count -= 1
    if count == channels:
        return tf.convert_to_tensor(picture)
    if channels == 1:
        return tf.image.rgb_to_grayscale(picture)
    return tf.repeat(picture, 3, axis=-1)


def read_folder(path, size, channels=None):
    """The pictures of a folder and of those in it, in the order of their paths.

    What Pillow reads is read, see `decoding`; what is transparent becomes white.
    Hidden files are left out. A warning counts and names files that cannot be read
    or that are no pictures, and classes that are lost. If all pictures lie in
    subfolders, and these are at least two, each subfolder is a class.

    Args:
        path: path of the folder.
        size: `(height, width)`. Each picture is cropped and resized to it.
        channels: 1, 3 or `None`: 1 if all pictures are grey, else 3.

    Returns:
        `(images, labels, classes)`: uint8 `(N, H, W, channels)`, int32 `(N,)`, and the
        list of the classes' names; the last two are `None` without classes.

    Raises:
        FileNotFoundError: if there is no such folder, or no picture in it.
        ValueError: if none of the pictures can be read.
    """
    root = as_path(path)
    paths = files_below(root)
    found = picture_files(root)
    others = [each for each in paths if each.suffix.lower() not in EXTENSIONS]
    if not found:
        raise FileNotFoundError(
            f"`path` must be a folder with {', '.join(EXTENSIONS)} files. "
            f"Received: {str(path)!r}, {_listed(others)}"
        )
    kept, images, skipped = [], [], []
    for each in found:
        try:
            images.append(read_one(each, size))
            kept.append(each)
        except OSError as error:
            skipped.append(f"{each} ({error})")
    if not images:
        raise ValueError(
            "`path` must have pictures that can be read. Received: "
            f"{str(path)!r}, {len(skipped)} unreadable: {_listed(skipped)}"
        )
    labels, classes = _classes(root, kept)
    _tell(root, kept, paths, skipped, others, classes)
    if channels is None:
        channels = 1 if all(image.shape[-1] < 3 for image in images) else 3
    stacked = np.stack([set_channels(image, channels).numpy() for image in images])
    return stacked, labels, classes


def picture_files(root):
    """The paths of a folder's pictures, and of those in its folders, in order."""
    return [path for path in files_below(root) if path.suffix.lower() in EXTENSIONS]


def _tell(root, kept, paths, skipped, others, classes):
    """One warning of everything that was left out."""
    said = []
    if skipped:
        said.append(f"skipped {len(skipped)} pictures that cannot be read: ")
        said[-1] += _listed(skipped)
    others = [each for each in others if each.suffix.lower() not in _BESIDE]
    if others:
        said.append(f"left out {len(others)} files that are no pictures known here: ")
        said[-1] += _listed(others)
    folders = [
        {each.relative_to(root).parts[0] for each in group}
        for group in (
            [each for each in paths if each.parent != root],
            [each for each in kept if each.parent != root],
        )
    ]
    lost = folders[0] - folders[1]
    if lost:
        said.append(f"no picture is left of the folders: {_listed(sorted(lost))}")
    beside = sum(each.parent == root for each in kept)
    if classes is None and beside and len(folders[1]) > 1:
        said.append(
            f"{beside} pictures lie beside the folders, which are therefore no classes"
        )
    if said:
        warnings.warn("; ".join(said), stacklevel=4)


def _listed(things):
    names = [str(each) for each in things]
    more = ", ..." if len(names) > 10 else ""
    return (", ".join(names[:10]) or "no files") + more


def read_one(path, size):
    """A picture of a file, cropped and resized, on white.

    Args:
        path: path of the file.
        size: `(height, width)`.

    Returns:
        uint8 tensor `(height, width, C)`, C 1 or 3.

    Raises:
        OSError: see `read_picture`.
    """
    picture = read_picture(path)
    if picture.shape[-1] in (2, 4):  # hidden colours must not bleed into the edges
        picture = set_channels(picture, picture.shape[-1] - 1)
    return resize(picture, size)


def _classes(root, paths):
    """Labels and names of the classes, `None` twice if the folder has none."""
    parts = [path.relative_to(root).parts for path in paths]
    names = sorted({first for first, *_ in parts})
    if len(names) < 2 or any(len(each) == 1 for each in parts):
        return None, None
    numbers = {name: index for index, name in enumerate(names)}
    return np.array([numbers[first] for first, *_ in parts], "int32"), names
