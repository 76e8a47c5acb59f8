"""Texts and pictures of TensorFlow Datasets, by name.

TensorFlow Datasets is imported inside the functions: it takes seconds, and is an extra.
"""

import pathlib
import socket
import urllib.parse
import urllib.request

import numpy as np

from keras_genai.data.arguments import check_limit
from keras_genai.data.extras import require
from keras_genai.files.paths import as_path
from keras_genai.files.text import lines

_VALIDATION = ("validation", "valid", "val", "dev")


def read_texts(name, data_dir=None, feature=None, limit=None):
    """The texts of a data set, prepared on this machine or downloaded now.

    Args:
        name: str, as in TensorFlow Datasets: `"lm1b"`, `"glue/sst2"`.
        data_dir: path of prepared data, or `None` for the usual place. A file of the
            download that lies here by its registered name is taken from here.
        feature: str or `None`. Which text feature, needed where there are several.
        limit: int or `None`. Read at most so many characters of each split.

    Returns:
        Dict from split name (as the data set calls it; `validation` and `test`
        under these names) to str. Examples are joined by newlines.

    Raises:
        ValueError: if there is no such data set or no such text feature.
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
    """
    tfds = _catalogue()

    check_limit(limit)
    builder = _open(name, data_dir)
    feature = _one_feature(builder, name, feature, tfds.features.Text, "text")
    builder = _prepare(builder, name, data_dir)
    texts = {}
    for role, split in _roles(builder):
        examples = tfds.as_numpy(builder.as_dataset(split=split))
        texts[role] = _join((example[feature] for example in examples), limit)
    return texts


def read_images(name, data_dir=None, feature=None, change=None, limit=None):
    """The pictures of a data set, prepared on this machine or downloaded now.

    Args:
        name: str, as in TensorFlow Datasets: `"mnist"`, `"celeb_a"`.
        data_dir: see `read_texts`.
        feature: str or `None`. Which picture feature, needed where there are several.
        change: function of one uint8 `(H, W, C)` tensor that returns another, of the
            same shape for all pictures, or `None` if they have one already.
        limit: int or `None`. Read at most so many pictures of each split.

    Returns:
        `(splits, num_classes)`. The first is a dict from split name, as that of
        `read_texts`, to a dict of arrays: `"images"`, uint8 `(N, H, W, C)`, and
        `"labels"`, int32 `(N,)`, if the data set has one class label, or one that
        is called so. `num_classes` is an int, or `None` without labels.

    Raises:
        ValueError: if there is no such data set or no such feature, or if pictures
            differ in size and `change` is `None`.
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
    """
    tfds = _catalogue()

    check_limit(limit)
    builder = _open(name, data_dir)
    feature = _one_feature(builder, name, feature, tfds.features.Image, "image")
    if change is None and None in builder.info.features[feature].shape:
        raise ValueError(
            f"`image_size` must be given for {name!r}, whose pictures differ in size. "
            "Received: image_size=None"
        )
    found = _features(builder, tfds.features.ClassLabel)
    label = "label" if "label" in found else found[0] if len(found) == 1 else None
    builder = _prepare(builder, name, data_dir)
    keys = {"images": feature} | ({"labels": label} if label else {})

    def pick(example):
        picked = {key: example[value] for key, value in keys.items()}
        if change is not None:
            picked["images"] = change(picked["images"])
        return picked

    splits = {}
    for role, split in _roles(builder):
        examples = builder.as_dataset(split=split).take(-1 if limit is None else limit)
        splits[role] = _stack(examples.map(pick, num_parallel_calls=2))
    return splits, builder.info.features[label].num_classes if label else None


def read_captioned(name, data_dir=None, feature=None, change=None, limit=None):
    """The pictures of a data set and the texts about each.

    Args:
        name, data_dir, change, limit: see `read_images`.
        feature: str or `None`. Which feature of texts, needed where there are several
            and none is called `caption`, `captions` or `text`.

    Returns:
        dict from split name to a dict of `"images"`, uint8 `(N, H, W, C)`, and
        `"captions"`, a list of N lists of str. Pictures without a text are left out.

    Raises:
        ValueError, FileNotFoundError: see `read_images`.
    """
    tfds = _catalogue()

    check_limit(limit)
    builder = _open(name, data_dir)
    picture = _one_feature(builder, name, None, tfds.features.Image, "image")
    places = _places_of_texts(builder)
    usual = next((n for n in ("caption", "captions", "text") if n in places), None)
    if feature is None:
        feature = next(iter(places)) if len(places) == 1 else usual
    if feature not in places:
        raise ValueError(
            f"`feature` must be a feature of texts of {name!r}, one of "
            f"{sorted(places)}. Received: {feature=}"
        )
    builder = _prepare(builder, name, data_dir)

    def pick(example):
        texts = example
        for key in places[feature]:
            texts = texts[key]
        image = example[picture]
        return image if change is None else change(image), texts

    splits = {}
    for role, split in _roles(builder):
        examples = builder.as_dataset(split=split).take(-1 if limit is None else limit)
        found = [
            (image, [text.decode("utf-8", "replace") for text in np.ravel(texts)])
            for image, texts in tfds.as_numpy(examples.map(pick))
        ]
        found = [(image, texts) for image, texts in found if "".join(texts).strip()]
        splits[role] = {
            "images": np.array([image for image, _ in found], "uint8"),
            "captions": [texts for _, texts in found],
        }
    return splits


def _places_of_texts(builder):
    """dict from each feature of texts to the keys that lead to them."""
    tfds = _catalogue()

    places = {}
    for key, feature in builder.info.features.items():
        inner = getattr(feature, "feature", feature)  # of a sequence
        if isinstance(inner, tfds.features.Text):
            places[key] = (key,)
        elif isinstance(inner, tfds.features.FeaturesDict) and isinstance(
            dict(inner.items()).get("text"), tfds.features.Text
        ):
            places[key] = (key, "text")
    return places


def _catalogue():
    return require("tensorflow_datasets", "A data set of TensorFlow Datasets")


def _open(name, data_dir):
    """The builder of a data set."""
    tfds = _catalogue()

    if data_dir is not None:
        data_dir = as_path(data_dir, "data_dir")
    try:
        return tfds.builder(name, data_dir=data_dir)
    except Exception as error:
        raise ValueError(
            "`name` must be a data set of TensorFlow Datasets. "
            f"Received: {name=} ({_first_line(error)})"
        ) from None


def _roles(builder):
    """Pairs of the name that we give a split and its own."""
    for split in builder.info.splits or ("train", "test"):  # unknown if mocked
        yield "validation" if split in _VALIDATION else split, split


def _features(builder, kind):
    features = builder.info.features.items()
    return sorted(key for key, feature in features if isinstance(feature, kind))


def _one_feature(builder, name, feature, kind, usual):
    """The feature of that kind that was asked for, or the obvious one."""
    found = _features(builder, kind)
    if feature is None and (len(found) == 1 or usual in found):
        return found[0] if len(found) == 1 else usual
    if feature not in found:
        raise ValueError(
            f"`feature` must be a {usual} feature of {name!r}, one of {found}. "
            f"Received: {feature=}"
        )
    return feature


def _prepare(builder, name, data_dir):
    """The builder, its data downloaded if need be.

    Every failure becomes one line that says what to do. Nothing is written beside
    files of the download that a person placed: what is made of them goes to the
    usual place.
    """
    tfds = _catalogue()

    if builder.is_prepared() or _mocked(builder):
        return builder
    manual = _manual_folder(builder, name, data_dir)
    try:
        if _all_placed(builder, manual):
            builder = tfds.builder(name)
        else:
            _check_network(builder)
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual, try_download_gcs=False
            )
        )
    except Exception as error:  # AssertionError, ConnectionError, bad checksums, ...
        raise FileNotFoundError(
            f"`data_dir` has no prepared data set {name!r} and it could not be "
            "downloaded. Give the folder of TensorFlow Datasets that has it, or "
            f"connect to the network. Received: data_dir={data_dir!s} "
            f"({_first_line(error)})"
        ) from None
    return builder


def _mocked(builder):
    """Whether `tfds.testing.mock_data` makes up the examples: nothing to download."""
    return "testing" in type(builder).download_and_prepare.__module__.split(".")


def _manual_folder(builder, name, data_dir):
    """The folder where files of the download may lie, or `None`."""
    if data_dir is None:
        return None
    place = as_path(data_dir, "data_dir")
    for folder in (place, place / name):
        if _all_placed(builder, folder):
            return folder
    return place if place.is_dir() else None


def _all_placed(builder, manual):
    names = [pathlib.PurePosixPath(url).name for url in builder.url_infos or ()]
    return bool(manual and names) and all((manual / n).exists() for n in names)


def _check_network(builder):
    """Fails at once where the download would retry for minutes before it fails."""
    if urllib.request.getproxies():
        return
    for host in {urllib.parse.urlsplit(url).netloc for url in builder.url_infos or ()}:
        name, _, port = host.partition(":")
        socket.create_connection((name, int(port or 443)), timeout=10).close()


def _join(examples, limit):
    texts = (text.decode("utf-8", "replace") for text in examples)
    if limit is None:
        return "\n".join(texts)
    kept, total = [], 0
    for text in texts:
        kept.append(text)
        total += len(text) + 1
        if total > limit:
            break
    return "\n".join(kept)[:limit]


def _stack(examples):
    """All examples of a `tf.data.Dataset` of pictures, as arrays."""
    batches = list(examples.batch(1024).as_numpy_iterator())
    if not batches:
        return {"images": np.zeros((0, 1, 1, 1), "uint8")}
    whole = {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}
    if "labels" in whole:
        whole["labels"] = whole["labels"].astype("int32")
    return whole


def _first_line(error):
    found = lines(str(error).strip())
    return f"{type(error).__name__}: {found[0][:200]}" if found else repr(error)
