"""Text sources: functions that return `Splits` of token batches.

All share these arguments, and are found by name with `source("shakespeare")`:

    batch_size: int, rows a batch.
    seed: int. Which windows are drawn in which step.
    data_dir: path of prepared or manually placed files, or `None`.
    length: int, tokens a row.
    tokenizer: `Tokenizer`, or a name, see `tokenizers.build`.
    stream: bool. If `True`, batches are contiguous lanes (`Stream`), for models that
        carry state from batch to batch, otherwise random windows (`Windows`).

Text without splits of its own is cut as nanoGPT does it: the first 90 % of the
characters train, the rest validates. `held_out` is the whole validation text.
"""

import functools
import hashlib
import importlib.resources
import warnings

import numpy as np

from keras_genai.data import naming, tokenizers
from keras_genai.data import tfds as catalogue
from keras_genai.data.arguments import check_limit
from keras_genai.data.loading import Splits
from keras_genai.data.windows import Stream, Windows
from keras_genai.files.paths import as_path, folders
from keras_genai.files.text import lines, read_text
from keras_genai.files.walking import files_below

_EXTENSIONS = (".txt", ".md", ".rst", ".py")
_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_SHAKESPEARE_CHARACTERS = (
    "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
_NAME_PARTS = ("train", "val", "test")
_NAME_CHARACTERS = "\nabcdefghijklmnopqrstuvwxyz"
_STAND_IN_SIZE = 20_000


def python_docs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=64,
    tokenizer="characters",
    stream=False,
    limit=None,
    stand_in=False,
):
    """The Python documentation that comes with every Python: 465,000 characters.

    Topics are in alphabetical order. The wording, and so the vocabulary, follows the
    Python version.

    Args:
        batch_size: see the head of this module; likewise the next five.
        seed: int.
        data_dir: unused.
        length: int.
        tokenizer: str or `Tokenizer`.
        stream: bool.
        limit: int or `None`. Use only so many characters.
        stand_in: bool. If `True`, 20,000 characters, for tests.

    Returns:
        `Splits`.
    """
    check_limit(limit)
    text = documentation()[: _STAND_IN_SIZE if stand_in else limit]
    loader = _loader(batch_size, length, seed, stream)
    return _split("python_docs", text, tokenizer, loader)


def documentation():
    """str: the documentation that comes with this Python, topic by topic."""
    from pydoc_data import topics

    return "\n\n".join(topics.topics[topic] for topic in sorted(topics.topics))


def shakespeare(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=64,
    tokenizer="characters",
    stream=False,
    stand_in=False,
):
    """Tiny Shakespeare: 1,003,854 training characters, 65 symbols, ids of nanoGPT.

    It is read from `input.txt` in `data_dir` or in a folder of it, else from
    TensorFlow Datasets (whose three splits are joined and cut 90/10 again), else
    downloaded by these.

    Args:
        batch_size: see the head of this module; likewise the next five.
        seed: int.
        data_dir: path or `None`.
        length: int.
        tokenizer: str or `Tokenizer`.
        stream: bool.
        stand_in: bool. If `True`, 20,000 characters that ship with the package, for
            tests. The vocabulary is the whole one.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if the text is neither on this machine nor downloadable.
        ValueError: if `input.txt` is another text.

    Reference: Karpathy 2015, https://github.com/karpathy/char-rnn
    """
    if stand_in:
        text = _shipped("shakespeare_excerpt.txt")
    else:
        text = _find_shakespeare(data_dir)
    if tokenizer == "characters":
        tokenizer = tokenizers.characters(_SHAKESPEARE_CHARACTERS)
    loader = _loader(batch_size, length, seed, stream)
    return _split("shakespeare", text, tokenizer, loader)


def names(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=64,
    tokenizer="characters",
    stream=False,
    stand_in=False,
):
    """First names as one text: a newline (id 0) ends each, a to z are 1 to 26.

    The 32,033 names ship with the package. They are cut into 30,033 / 1,000 / 1,000
    after one fixed shuffle (`numpy.random.default_rng(0)`), whatever `seed` is. If
    `data_dir`, or its folder `names`, has `train.txt`, `val.txt` and `test.txt`, then
    that split is used.

    Args:
        batch_size: see the head of this module; likewise the next five.
        seed: int.
        data_dir: path or `None`.
        length: int.
        tokenizer: str or `Tokenizer`.
        stream: bool.
        stand_in: bool. If `True`, 2,000 names, split 1,600 / 200 / 200, for tests.

    Returns:
        `Splits` with `test`. The tokenizer's `end_token` is the newline.

    Reference: Karpathy 2022, https://github.com/karpathy/makemore
    """
    texts = None if stand_in else _find_names(data_dir)
    if texts is None:
        known = lines(_shipped("names.txt"))
        order = np.random.default_rng(0).permutation(len(known))
        known = [known[index] for index in order[: 2000 if stand_in else None]]
        part = 200 if stand_in else 1000
        cut = (known[: -2 * part], known[-2 * part : -part], known[-part:])
        texts = ["".join(f"{name}\n" for name in part) for part in cut]
    if tokenizer == "characters":
        tokenizer = tokenizers.characters(_NAME_CHARACTERS, end_token="\n")
    loader = _loader(batch_size, length, seed, stream)
    return _splits("names", texts, tokenizer, loader)


def files(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    length=64,
    tokenizer="characters",
    stream=False,
    limit=None,
):
    """The user's own text: one UTF-8 file, or all of a folder and of those in it.

    From a folder it takes `.txt`, `.md`, `.rst` and `.py` files, sorted by path,
    joined by newlines; hidden ones are left out. Files that cannot be read as UTF-8
    are named in a warning and skipped.

    Args:
        batch_size: see the head of this module; likewise the next five.
        seed: int.
        data_dir: unused.
        path: path of a file (of any extension) or of a folder.
        length: int.
        tokenizer: str or `Tokenizer`.
        stream: bool.
        limit: int or `None`. Use only so many characters.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if `path` does not exist, or has no such files.
        ValueError: if there is no readable text in them.
    """
    check_limit(limit)
    path = as_path(path)
    text = _read_files(path)[:limit]
    loader = _loader(batch_size, length, seed, stream)
    return _split(path.stem, text, tokenizer, loader)


def tfds(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    name,
    feature=None,
    length=64,
    tokenizer="characters",
    stream=False,
    limit=None,
):
    """A text data set of TensorFlow Datasets; its own splits where it has them.

    Without a validation split the test split validates; without either, 90 % of the
    training text trains. Everything is held in memory: give a `limit` for large sets.

    Args:
        batch_size: see the head of this module; likewise the next two.
        seed: int.
        data_dir: path of prepared data, or `None` for the usual place.
        name: str, as in TensorFlow Datasets: `"tiny_shakespeare"`, `"lm1b"`.
        feature: str or `None`. Which text feature, needed where there are several.
        length: int.
        tokenizer: str or `Tokenizer`.
        stream: bool.
        limit: int or `None`. Use only so many characters of each split.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
        ValueError: if there is no such data set or feature.
    """
    found = catalogue.read_texts(name, data_dir, feature, limit)
    train = found["train"] if "train" in found else next(iter(found.values()))
    test = found.get("test")
    loader = _loader(batch_size, length, seed, stream)
    if "validation" in found:
        return _splits(name, (train, found["validation"], test), tokenizer, loader)
    if test is not None and "train" in found:
        return _splits(name, (train, test, None), tokenizer, loader)
    return _split(name, train, tokenizer, loader)


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"python_docs"`, `"shakespeare"`, `"names"`, `"tfds:NAME"`,
            `"file:PATH"`, `"folder:PATH"`, or the path of a file or folder.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns
        `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named file or folder does not exist.
    """
    known = {"python_docs": python_docs, "shakespeare": shakespeare, "names": names}
    kind, _, rest = str(spec).partition(":")
    if spec in known:
        return known[spec]
    if kind == "tfds" and rest:
        return functools.partial(tfds, name=rest)
    path = naming.own_files(spec, {"file": "file", "folder": "folder"})
    if path is not None:
        return functools.partial(files, path=path)
    choices = [*known, "tfds:NAME", "file:PATH", "folder:PATH"]
    raise naming.unknown(spec, choices, " or an existing path")


def _loader(batch_size, length, seed, stream):
    """Function from tokens, and `fixed` for validation, to a loader of them."""
    if stream:
        return functools.partial(Stream, length=length, batch_size=batch_size)
    return functools.partial(Windows, length=length, batch_size=batch_size, seed=seed)


def _split(name, text, tokenizer, loader):
    """`Splits` of one text, cut as nanoGPT does it."""
    cut = int(0.9 * len(text))
    return _splits(name, (text[:cut], text[cut:], None), tokenizer, loader)


def _splits(name, texts, tokenizer, loader):
    """`Splits` of a training, a validation and (or `None`) a test text."""
    train, validation, test = texts
    if not train or not validation:
        raise ValueError(
            f"`data` {name!r} must have text to train and to validate on. Received: "
            f"{len(train)} and {len(validation)} characters"
        )
    # A character that only the validation text has would be refused otherwise.
    corpus = train + validation + (test or "") if tokenizer == "characters" else train
    tokenizer = tokenizers.build(tokenizer, corpus)
    tokens = [None if text is None else tokenizer.encode(text) for text in texts]
    try:
        loaders = loader(tokens[0]), loader(tokens[1], fixed=True)
    except ValueError as error:
        raise ValueError(f"`data` {name!r} does not fit. {error}") from None
    return Splits(*loaders, tokenizer, held_out=tokens[1], test=tokens[2], name=name)


def _shipped(name):
    folder = importlib.resources.files("keras_genai.data") / "files"
    return (folder / name).read_text("utf-8")


def _find_shakespeare(data_dir):
    if data_dir is not None:
        folder = as_path(data_dir, "data_dir")
        usual = [folder, folder / "tinyshakespeare", folder / "tiny_shakespeare"]
        places = [place / "input.txt" for place in usual]
        found = [path for path in places if path.is_file()]
        found = found or sorted(folder.glob("*/input.txt"))
        if found:
            return _checked_shakespeare(read_text(found[0]), found[0])
    try:
        texts = catalogue.read_texts("tiny_shakespeare", data_dir)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "Tiny Shakespeare is not on this machine. Put its `input.txt` (from the "
            "repository karpathy/char-rnn, data/tinyshakespeare) into a folder and "
            f"give that as `data_dir`. Received: data_dir={data_dir!s}. {error}"
        ) from None
    text = "".join(texts[split] for split in ("train", "validation", "test"))
    return _checked_shakespeare(text, "tiny_shakespeare of TensorFlow Datasets")


def _checked_shakespeare(text, place):
    if hashlib.sha256(text.encode()).hexdigest() != _SHAKESPEARE_SHA256:
        raise ValueError(
            "`data_dir` must have the original Tiny Shakespeare as `input.txt`; give "
            f"another text as 'file:PATH'. Received: {place}, {len(text)} characters"
        )
    return text


def _find_names(data_dir):
    """The texts of a split that lies in `data_dir`, or `None`."""
    for folder in folders(data_dir, "names"):
        paths = [folder / f"{part}.txt" for part in _NAME_PARTS]
        if all(path.is_file() for path in paths):
            return [read_text(path) for path in paths]
    return None


def _read_files(path):
    paths = [path] if path.is_file() else _text_files(path)
    if not paths:
        raise FileNotFoundError(
            f"`path` must be a text file, or a folder with {', '.join(_EXTENSIONS)} "
            f"files. Received: {str(path)!r}"
        )
    texts, skipped = [], []
    for each in paths:
        try:
            texts.append(read_text(each))
        except (OSError, ValueError) as error:
            skipped.append(f"{each} ({_reason(error)})")
    text = "\n".join(texts)
    listed = ", ".join(skipped[:10]) + (", ..." if len(skipped) > 10 else "")
    if not text.strip():
        raise ValueError(
            f"`path` must have UTF-8 text. Received: {str(path)!r}, "
            f"{len(texts)} empty files, {len(skipped)} unreadable: {listed or 'none'}"
        )
    if skipped:
        warnings.warn(
            f"skipped {len(skipped)} files that are not readable UTF-8: {listed}",
            stacklevel=4,
        )
    return text


def _reason(error):
    """Why `read_text` cannot read a file, in a word or two."""
    if isinstance(error, OSError):
        return type(error).__name__
    cause = error.__context__  # of a ValueError: the error of decoding, if it was one
    return type(cause).__name__ if cause else "no regular file"


def _text_files(folder):
    found = [p for p in files_below(folder) if p.name.lower().endswith(_EXTENSIONS)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
