"""Pictures with captions of one's own, in a folder or in a data set by name."""

import functools
import hashlib
import warnings

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_size
from keras_genai.data import naming, pictures, tokenizers
from keras_genai.data import tfds as catalogue
from keras_genai.data.image_splits import floats, validation_loader
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.files.paths import as_path, folders
from keras_genai.files.plain import read_json
from keras_genai.files.text import read_text
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text

__all__ = ["folder", "icons", "source", "tfds"]

CAPTIONS = "captions.json"
ICONS = "silk_icons"
LENGTHS = (16, 64)  # tokens: room for prompts, and what longer captions are cut to
VOCABULARY = 2_000
_LARGEST_TEXT = 2**16  # bytes of a file with one caption
_FEWEST = 3  # pictures: one to train, one to validate, one to test
_MOST_HELD_OUT = 1_000  # pictures that test, or validate


def folder(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    image_size=32,
    channels=None,
    vocabulary=VOCABULARY,
):
    """The user's own pictures, each with what it shows.

    Captions lie in `captions.json`, a dict from the name of a file to its caption, or
    to a list of several; or each in a text file beside its picture: `cat.txt` beside
    `cat.png`. Pictures without one are left out, which a warning says. The hash of its
    name decides where a picture belongs: a tenth, at most 1,000, tests, and as many
    validate. So what is added later moves few of the others.

    Args:
        batch_size: int.
        seed: int. Which pictures come in which batch, and with which of its captions.
        data_dir: unused.
        path: path of the folder.
        image_size: int or `(height, width)`. Pictures are cropped and resized to it.
        channels: 1, 3 or `None`: 1 if all pictures are grey, else 3.
        vocabulary: int. Tokens at most, of the captions that train, in small letters.

    Returns:
        `Splits` with `test`. Batches are dicts of `"images"`, float32 `(B, H, W, C)` in
        [0, 1], and `"tokens"`, int32 `(B, L)`, 0 where nothing is, L from 16 to 64:
        longer captions are cut, which a warning says. `held_out` and `test` also have
        `"captions"`, str `(N,)`, the first one of each picture.

    Raises:
        FileNotFoundError: if there is no such folder, or no caption in it.
        ValueError: if captions.json is not as said, or less than three pictures have
            captions and can be read.
    """
    if channels not in (None, 1, 3):
        raise ValueError(f"`channels` must be 1, 3 or None. Received: {channels=}")
    check_size("vocabulary", vocabulary)
    size, root = pictures.as_size(image_size or 32), as_path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"`path` must be a folder. Received: {str(path)!r}")
    captions = _captions(root)
    names, images = _opened(root, captions, size, channels)
    parts = _divided(names, images, [captions[name] for name in names])
    return _splits(parts, batch_size, seed, root.resolve().name, vocabulary)


def icons(batch_size, seed=0, data_dir=None, *, image_size=None, vocabulary=VOCABULARY):
    """Silk icons: 1,000 pictures of 16 x 16, whose file names say what they show.

    800 train, 100 validate and 100 test, by the hashes of their names.

    Args:
        batch_size, seed, vocabulary: see `folder`.
        data_dir: path of the folder `silk_icons`, or of one that has it.
        image_size: int, `(height, width)`, or `None` for 16.

    Returns:
        `Splits`, see `folder`.

    Raises:
        FileNotFoundError: if the icons are not there.
        ValueError: if too few can be read.

    Reference: Mark James, https://github.com/legacy-icons/famfamfam-silk, CC BY 2.5
    """
    check_size("vocabulary", vocabulary)
    size = pictures.as_size(image_size or 16)
    root = next(
        (place / "src" for place in folders(data_dir, ICONS) if _has_icons(place)), None
    )
    if root is None:
        raise FileNotFoundError(
            "`data_dir` must have the PNG files of famfamfam-silk in src. "
            f"Received: data_dir={str(data_dir)!r}"
        )
    captions = {path.name: [_in_words(path)] for path in sorted(root.glob("*.png"))}
    names, images = _opened(root, captions, size, 3)
    parts = _divided(names, images, [captions[name] for name in names])
    return _splits(parts, batch_size, seed, ICONS, vocabulary)


def tfds(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    name,
    image_size=32,
    vocabulary=VOCABULARY,
    limit=None,
):
    """A data set of TensorFlow Datasets that has pictures and texts about them.

    Args:
        batch_size, seed, vocabulary: see `folder`.
        data_dir: path of prepared data, or `None` for the usual place.
        name: str, as in TensorFlow Datasets. Or two, the other one that of the feature
            of texts, where there are several.
        image_size: int or `(height, width)`. Pictures are cropped and resized to it.
        limit: int or `None`. Read at most so many pictures of each split.

    Returns:
        `Splits`, see `folder`; the data set's own splits where it has them.

    Raises:
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
        ValueError: if there is no such data set, picture or text.
    """
    check_size("vocabulary", vocabulary)
    size = pictures.as_size(image_size or 32)
    name, feature = (name, None) if isinstance(name, str) else name
    change = functools.partial(pictures.resize, size=size)
    found = catalogue.read_captioned(name, data_dir, feature, change, limit)
    parts = {role: (part["images"], part["captions"]) for role, part in found.items()}
    train = parts.get("train", next(iter(parts.values())))
    if {"train", "validation", "test"} <= parts.keys():
        chosen = [parts[role] for role in ("train", "validation", "test")]
    else:
        numbers = [str(place) for place in range(len(train[1]))]
        chosen = _divided(numbers, *train)
    return _splits(chosen, batch_size, seed, name, vocabulary)


def source(spec):
    """The source of captioned pictures that a short name asks for.

    Args:
        spec: `"captioned_digits"`, `"emoji"`, `"silk_icons"`, `"tfds:NAME"`,
            `"folder:PATH"`, or the path of a folder.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named folder does not exist.
    """
    from keras_genai.data.captions import captioned_digits
    from keras_genai.data.emoji import emoji

    known = {"captioned_digits": captioned_digits, "emoji": emoji, ICONS: icons}
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


def _captions(root):
    """dict from the name of a picture, relative to the folder, to its captions."""
    if (root / CAPTIONS).exists():
        return _listed(root / CAPTIONS)
    found = {}
    for path in pictures.picture_files(root):
        beside = path.with_suffix(".txt")
        if beside.is_file():
            caption = read_text(beside, _LARGEST_TEXT)
            found[path.relative_to(root).as_posix()] = [caption]
    if not found:
        raise FileNotFoundError(
            f"`path` must have {CAPTIONS}, or texts beside its pictures, as cat.txt "
            f"beside cat.png. Received: {root}"
        )
    return found


def _listed(path):
    found = read_json(path)
    captions = {}
    if isinstance(found, dict):
        for name, value in found.items():
            captions[name] = [value] if isinstance(value, str) else value
    good = captions and all(
        isinstance(several, list)
        and several
        and all(isinstance(each, str) for each in several)
        for several in captions.values()
    )
    if not good:
        raise ValueError(
            f"{path} must be a dict from names of files to captions, each a str or a "
            f"list of str. Received: {str(found)[:60]}"
        )
    return captions


def _opened(root, captions, size, channels):
    """The names of those pictures with captions that can be read, and they."""
    names, images, odd = [], [], []
    present = {
        path.relative_to(root).as_posix(): path for path in pictures.picture_files(root)
    }
    for name in sorted(captions.keys() & present.keys()):
        if not any(_spelled(each) for each in captions[name]):
            odd.append(name)
            continue
        try:
            images.append(pictures.read_one(present[name], size))
            names.append(name)
        except OSError as error:
            odd.append(f"{name} ({error})")
    left_out = {
        "without a caption": sorted(present.keys() - captions.keys()),
        "of captions are not there": sorted(captions.keys() - present.keys()),
        "are unreadable or have an empty caption": odd,
    }
    said = "; ".join(
        f"{len(some)} {what}: {', '.join(some[:5])}{', ...' if some[5:] else ''}"
        for what, some in left_out.items()
        if some
    )
    if len(names) < _FEWEST:
        raise ValueError(
            f"`path` must have at least {_FEWEST} pictures with captions. Received: "
            f"{len(names)} in {root}{'; ' + said if said else ''}"
        )
    if said:
        warnings.warn(f"pictures left out: {said}", stacklevel=3)
    if channels is None:
        channels = 1 if all(image.shape[-1] < 3 for image in images) else 3
    images = [pictures.set_channels(image, channels).numpy() for image in images]
    return names, np.stack(images)


def _divided(names, images, captions):
    """Training, validation and test, each `(images, captions)`, by hashes of names."""
    hashes = [hashlib.sha256(name.encode("utf-8")).digest() for name in names]
    order = np.array(sorted(range(len(names)), key=hashes.__getitem__))
    if len(order) < _FEWEST:
        raise ValueError(f"Pictures must be at least {_FEWEST}. Received: {len(order)}")
    size = max(1, min(_MOST_HELD_OUT, len(order) // 10))
    places = order[2 * size :], order[size : 2 * size], order[:size]
    return [(images[some], [captions[each] for each in some]) for some in places]


def _splits(parts, batch_size, seed, name, vocabulary):
    """`Splits` of training, validation and test, each `(images, captions)`."""
    parts = [
        (
            images,
            [[w for each in several if (w := _spelled(each))] for several in texts],
        )
        for images, texts in parts
    ]
    train, *others = parts
    texts = [each for several in train[1] for each in several]
    tokenizer = tokenizers.wordpiece(texts, vocabulary, lowercase=True)
    every = [each for _, several in parts for some in several for each in some]
    longest = max(len(row) for row in tokenizer.encode_batch(every))
    if longest > LENGTHS[1]:
        warnings.warn(
            f"captions are cut to {LENGTHS[1]} tokens, of up to {longest}",
            stacklevel=3,
        )
    text = Text(tokenizer, length=min(max(longest, LENGTHS[0]), LENGTHS[1]))
    images = train[0]
    held_out, test = (_held(*part, text) for part in others)
    return Splits(
        DataLoader(
            {"images": images, **_alternatives(train[1], text)},
            batch_size,
            seed=seed,
            transform=_one_caption,
        ),
        validation_loader(
            {key: held_out[key] for key in ("images", "tokens")}, batch_size
        ),
        tokenizer,
        held_out=held_out,
        test=test,
        name=name,
        kinds=(Image(images.shape[1:]), text),
    )


def _held(images, captions, text):
    first = [several[0] for several in captions]
    return {
        "images": images,
        "tokens": _tokens(first, text),
        "captions": np.array(first),
    }


def _alternatives(captions, text):
    """All captions of pictures: `"tokens"` `(N, K, L)`, and how many each has."""
    counts = np.array([len(several) for several in captions], "int32")
    tokens = np.zeros((len(captions), counts.max(), text.length), "int32")
    tokens[np.arange(counts.max()) < counts[:, None]] = _tokens(
        [each for several in captions for each in several], text
    )
    return {"tokens": tokens, "counts": counts}


def _one_caption(batch, seed):
    """A batch with one caption a picture, each as likely."""
    counts = batch["counts"]
    drawn = tf.random.stateless_uniform(tf.shape(counts), seed)
    place = tf.cast(drawn * tf.cast(counts, "float32"), "int32")
    place = tf.minimum(place, counts - 1)
    tokens = tf.gather(batch["tokens"], place, axis=1, batch_dims=1)
    return floats({"images": batch["images"], "tokens": tokens})


def _tokens(captions, text):
    """int32 `(N, L)`, of captions that may be longer."""
    rows = text.tokenizer.encode_batch(captions)
    tokens = np.zeros((len(rows), text.length), "int32")
    for place, row in enumerate(rows):
        row = row[: text.length]
        tokens[place, : len(row)] = row
    return tokens


def _spelled(caption):
    """A caption in one line, without what stands for padding."""
    return " ".join(caption.replace("\0", " ").split())


def _has_icons(place):
    return any((place / "src").glob("*.png"))


def _in_words(path):
    return path.stem.replace("_", " ")
