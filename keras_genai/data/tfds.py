"""Text of TensorFlow Datasets, by name.

TensorFlow Datasets is imported inside the functions, because that takes seconds.
"""

import pathlib
import socket
import urllib.parse
import urllib.request

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
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except Exception as error:
        raise ValueError(
            "`name` must be a data set of TensorFlow Datasets. "
            f"Received: {name=} ({_first_line(error)})"
        ) from None
    feature = _text_feature(builder, name, feature)
    _prepare(builder, name, data_dir)
    texts = {}
    for split in builder.info.splits:
        role = "validation" if split in _VALIDATION else split
        examples = tfds.as_numpy(builder.as_dataset(split=split))
        texts[role] = _join((example[feature] for example in examples), limit)
    return texts


def _text_feature(builder, name, feature):
    import tensorflow_datasets as tfds

    found = sorted(
        key
        for key, kind in builder.info.features.items()
        if isinstance(kind, tfds.features.Text)
    )
    if feature is None and (len(found) == 1 or "text" in found):
        return found[0] if len(found) == 1 else "text"
    if feature not in found:
        raise ValueError(
            f"`feature` must be a text feature of {name!r}, one of {found}. "
            f"Received: {feature=}"
        )
    return feature


def _prepare(builder, name, data_dir):
    """Downloads if need be; every failure becomes one line that says what to do."""
    import tensorflow_datasets as tfds

    if builder.is_prepared():
        return
    place = pathlib.Path(data_dir) if data_dir is not None else None
    manual = place if place is not None and place.is_dir() else None
    try:
        if not _all_placed(builder, manual):
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


def _all_placed(builder, manual):
    names = [pathlib.PurePosixPath(url).name for url in builder.url_infos]
    return bool(manual and names) and all((manual / n).exists() for n in names)


def _check_network(builder):
    """Fails at once where the download would retry for minutes before it fails."""
    if urllib.request.getproxies():
        return
    for host in {urllib.parse.urlsplit(url).netloc for url in builder.url_infos}:
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


def _first_line(error):
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else repr(error)
