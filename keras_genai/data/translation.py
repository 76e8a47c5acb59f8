"""Sources of pairs of texts: functions that return `Splits` for `Seq2SeqLM`.

A batch is `({"inputs", "inputs_mask", "targets"}, labels, sample_weight)`; see
`pair_batch`. `held_out` and `test` are dicts of two str arrays, `inputs` and `targets`,
each `(N,)`: whole texts, to be generated and compared. Sources are found by name with
`source("dates")`.

Parallel text is cut into the pieces of one byte-pair encoding of both languages, which
is learned from the training pairs. Its batches hold pairs of similar length, both sides
padded to one of a few lengths.
"""

import datetime
import functools
import pathlib

import numpy as np

from keras_genai.data import naming, tokenizers
from keras_genai.data.dates import FIRST, LAST, texts_of_a_year, written_date
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.data.parallel_text import (
    columns,
    is_path,
    pair_batch,
    parallel_lines,
    parallel_splits,
    read_pairs,
)
from keras_genai.files.paths import as_path, folders

PARTS = ("train", "val", "test_2016_flickr")  # of Multi30k
_HELD_OUT = 1000  # days in each of validation and test


def dates(batch_size, seed=0, data_dir=None, *, tokenizer="characters", stand_in=False):
    """Dates as people write them in eight countries, and as ISO 8601 does: offline.

    Each day from 1900 to 2099 is written once, in a random format of a random locale of
    Babel, and sometimes without capitals. No text can mean two days: years have four
    digits, and dates in numbers put the day first; see `keras_genai.data.dates`. The
    days are cut into 71,049 / 1,000 / 1,000 after one fixed shuffle, whatever `seed`
    is; no day is in two parts.

    Args:
        batch_size: int, pairs a batch.
        seed: int. Which pairs come in which batch.
        data_dir: unused.
        tokenizer: `"characters"`, with one id for each character that Babel writes and
            three special tokens, or a `Tokenizer`. Both sides share it.
        stand_in: bool. If `True`, 300 days, split 200 / 50 / 50, for tests.

    Returns:
        `Splits`, with `test`.
    """
    texts = texts_of_a_year()
    if tokenizer == "characters":
        tokenizer = tokenizers.characters(
            texts, pad_token="<pad>", start_token="<s>", end_token="</s>"
        )
    every = _date_pairs(300 if stand_in else None)
    part = 50 if stand_in else _HELD_OUT
    train, held_out, test = every[: -2 * part], every[-2 * part : -part], every[-part:]
    lengths, longest = None, max(texts, key=len)
    if len(tokenizer.encode(longest)) == len(longest):  # one shape, compiled once
        lengths = (len(longest), len(FIRST.isoformat()) + 1)
    collate = pair_batch(tokenizer, lengths)
    return Splits(
        DataLoader(train, batch_size, collate=collate, seed=seed),
        DataLoader(held_out, batch_size, collate=collate, shuffle=False),
        tokenizer,
        held_out=columns(held_out),
        test=columns(test),
        name="dates",
    )


@functools.lru_cache(maxsize=2)
def _date_pairs(count):
    draws = np.random.default_rng(0)
    days = draws.permutation((LAST - FIRST).days + 1)[:count]
    return [written_date(FIRST + datetime.timedelta(int(d)), draws) for d in days]


def multi30k(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    languages=("de", "en"),
    tokenized=True,
    tokenizer="bpe:8000",
    max_tokens=None,
    stand_in=False,
):
    """Multi30k: descriptions of photographs, 29,000 / 1,014 / 1,000 pairs.

    The test set is `test_2016_flickr`. Nobody may ship this text: get it from
    https://github.com/multi30k/dataset.

    Args:
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        data_dir: path of the data set's own files, or of a folder with `multi30k`.
        languages: pair of `"cs"`, `"de"`, `"en"` or `"fr"`: of inputs and of targets.
        tokenized: bool. If `True`, the data set's lower-cased, normalised text with
            its tokens apart (the folder `tok`), otherwise the plain one (`raw`).
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.
        stand_in: bool. If `True`, 300 made-up dates instead, for tests.

    Returns:
        `Splits`, with `test`.

    Raises:
        FileNotFoundError: if the files are not in `data_dir`.
        ValueError: if two files that belong together differ in length.
    """
    if stand_in:
        every = _date_pairs(300)
        parts = every[:200], every[200:250], every[250:]
    else:
        parts = [multi30k_lines(part, languages, tokenized, data_dir) for part in PARTS]
    name = "multi30k_" + "_".join(languages)
    return parallel_splits(parts, batch_size, seed, tokenizer, max_tokens, name)


def multi30k_lines(part, languages=("de", "en"), tokenized=True, data_dir=None):
    """The captions of one part of Multi30k.

    Args:
        part: str, one of `PARTS`.
        languages, tokenized, data_dir: see `multi30k`.

    Returns:
        list of pairs of str, in the order of the files.

    Raises: as `multi30k`.
    """
    folder = "tok" if tokenized else "raw"
    end = ".lc.norm.tok.{}" if tokenized else ".{}.gz"
    names = [f"{folder}/{part}{end.format(name)}" for name in languages]
    return parallel_lines([_find(name, data_dir) for name in names])


def pairs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    tokenizer="bpe:8000",
    max_tokens=None,
    max_length=100,
):
    """The user's own pairs: two files with as many lines, or one with tabs.

    Pairs with an empty side and repeated ones are left out. A fixed shuffle cuts
    the rest: a tenth, at most 1,000 pairs, for each of validation and test.

    Args:
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        data_dir: unused.
        path: path of a UTF-8 file with an input, a tab and a target a line (and maybe
            more columns); or a pair of paths, of inputs and of targets.
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.
        max_length: int. Longer pairs, in tokens, are neither trained on nor validated.

    Returns:
        `Splits`, with `test`.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if a line has no tab, if two files differ in length, or if there
            are fewer than ten pairs.
    """
    every = read_pairs(path)
    if len(every) < 10:
        raise ValueError(
            f"`path` must have at least 10 different pairs. Received: {len(every)}"
        )
    order = np.random.default_rng(0).permutation(len(every))
    every = [every[index] for index in order]
    part = min(_HELD_OUT, len(every) // 10)
    parts = every[: -2 * part], every[-2 * part : -part], every[-part:]
    name = pathlib.Path(path if is_path(path) else path[0]).stem
    return parallel_splits(
        parts, batch_size, seed, tokenizer, max_tokens, name, max_length
    )


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"dates"`, `"multi30k"`, the path of a file of pairs, or two paths with a
            comma between them. See `pairs`.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
    """
    known = {"dates": dates, "multi30k": multi30k}
    if spec in known:
        return known[spec]
    found = _named_files(str(spec))
    if found is not None:
        return functools.partial(pairs, path=found)
    others = ", a file of pairs, or two files with a comma between"
    raise naming.unknown(spec, [*known], others)


def _named_files(spec):
    """The path or the two paths of files that exist, or `None`.

    Paths may have commas of their own, so that each may be the one between them.
    """
    places = [at for at, letter in enumerate(spec) if letter == ","]
    for names in [(spec,), *((spec[:at], spec[at + 1 :]) for at in places)]:
        paths = [as_path(name, "data") for name in names if name]
        if len(paths) == len(names) and all(path.is_file() for path in paths):
            return paths[0] if len(paths) == 1 else paths
    return None


def _find(name, data_dir):
    for folder in folders(data_dir, "multi30k"):
        path = folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"`data_dir` must have {name} of https://github.com/multi30k/dataset. "
        f"Received: data_dir={str(data_dir)!r}"
    )
