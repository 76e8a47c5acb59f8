"""Sources of words and how they are said: functions that return `Splits`.

They feed a `Seq2SeqLM` as those of `keras_genai.data.translation` do: a word is read
letter by letter, and its sounds are written with blanks between them, as in
`"photograph"` and `"F OW T AH G R AE F"`. One tokenizer has both, letters and sounds.
All pronunciations of a word are in one part of the data; a loader has a pair of each.
`held_out` and `test` are dicts of two str arrays: `inputs` `(N,)`, different words, and
`targets` `(N, K)`, the pronunciations of each, filled up with empty ones.
"""

import dataclasses
import functools
import importlib.resources
import io
import re
import zipfile

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.data import naming, tokenizers
from keras_genai.data.parallel_text import parallel_splits
from keras_genai.files.paths import as_path, folders
from keras_genai.files.text import lines, read_bytes, read_text

LARGEST = 64 * 2**20  # bytes of a dictionary; CMUdict has 4 million
VALIDATION = 2_000  # words, at most
PARTS = "train", "dev", "test"
# Padded lengths: two of three English words have at most eight letters and sounds.
_LENGTHS = (6, 8, 10, 12, 16)
_LETTERS = "'-abcdefghijklmnopqrstuvwxyz"
_VOWELS = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY"),
    *("UH", "UW"),
)
_CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R"),
    *("S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
_STRESS = re.compile(r"(?<=[A-Z])[0-2]\b")
_VARIANT = re.compile(r"\(\d+\)$")
_DICTIONARIES = "cmudict.zip", "cmudict", "cmudict.dict", "cmudict-0.7b"


def cmudict(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    stress=False,
    max_tokens=None,
    stand_in=False,
):
    """CMUdict: 123,455 words as Americans say them, in the 39 sounds of ARPAbet.

    The parts are those of two published word lists, `train_words` and `test_words`, as
    far as the dictionary has the words: 111,113 and 11,974 of NLTK's copy. Without
    them, every tenth word after a fixed shuffle is for the test. Of the training words
    2,000 validate; they are the same whatever `seed` is.

    Args:
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        data_dir: path of a folder, searched with its folders `cmudict`, `nltk`,
            `cmudict_split` and `g2p/cmudict_split`, for the dictionary (NLTK's
            `cmudict.zip`, or `cmudict-0.7b` or `cmudict.dict` of
            http://www.speech.cs.cmu.edu/cgi-bin/cmudict) and for the two lists of
            https://huggingface.co/balacoon/en_us_pronunciation.
        stress: bool. Whether vowels carry their stress, as `AH0`, `AH1` or `AH2`.
            Pronunciations that differ in nothing else are one without it.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.
        stand_in: bool. If `True`, the 600 words of the dictionary that ship with the
            package, for tests.

    Returns:
        `Splits`, with `test`.

    Raises:
        FileNotFoundError: if there is no dictionary in `data_dir`.
        ValueError: if a file is damaged.
    """
    if stand_in:
        known, listed = _dictionary(_shipped()), None
    else:
        known = _dictionary(_read_dictionary(data_dir))
        listed = _word_lists(data_dir)
    if not stress:
        known = {
            word: list(dict.fromkeys(_STRESS.sub("", each) for each in spoken))
            for word, spoken in known.items()
        }
    parts = _shuffled(known) if listed is None else _listed(known, listed)
    name = "cmudict" if listed is not None else "cmudict_random_split"
    vowels = [f"{vowel}{mark}" for vowel in _VOWELS for mark in "012"]
    sounds = sorted([*(vowels if stress else _VOWELS), *_CONSONANTS])
    # The same ids whatever part of the dictionary is there.
    symbols = [*_LETTERS, *sounds]
    return _splits(parts, symbols, batch_size, seed, max_tokens, name)


def sigmorphon(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    language="eng_us",
    max_tokens=None,
    stand_in=False,
):
    """SIGMORPHON 2021, task 1: words of Wiktionary and their sounds in IPA.

    Args:
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        data_dir: path of the folder with `eng_us_train.tsv` and the like, or of one
            that has it as `sigmorphon2021` or `g2p/sigmorphon2021`; from
            https://github.com/sigmorphon/2021-task1, folder `data`.
        language: str, how names of files begin: `"eng_us"` has 33,344 training words,
            `"fre"`, `"dut"`, `"hun"`, `"kor"` and six others 8,000.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.
        stand_in: bool. If `True`, 600 words of CMUdict instead, for tests.

    Returns:
        `Splits`, with `test`.

    Raises:
        FileNotFoundError: if the files are not in `data_dir`.
        ValueError: if a line has no tab.

    Reference: Ashby et al. 2021, https://aclanthology.org/2021.sigmorphon-1.13
    """
    if stand_in:
        parts = _shuffled(_dictionary(_shipped()))
    else:
        parts = [_read_table(_find_part(language, p, data_dir)) for p in PARTS]
    name = "cmudict_words" if stand_in else f"sigmorphon2021_{language}"
    return _splits(parts, _symbols(parts[0]), batch_size, seed, max_tokens, name)


def words(batch_size, seed=0, data_dir=None, *, path, max_tokens=None):
    """The user's own words: a word, a tab and its sounds a line, as WikiPron has them.

    A word may have several lines. A fixed shuffle cuts the words: a tenth is for the
    test, and a tenth of the rest, at most 2,000, for validation.

    Args:
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        data_dir: unused.
        path: path of a UTF-8 file; sounds have blanks between them.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.

    Returns:
        `Splits`, with `test`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line has no tab, or if there are fewer than ten words.
    """
    path = as_path(path)
    parts = _shuffled(_read_table(path))
    return _splits(parts, _symbols(parts[0]), batch_size, seed, max_tokens, path.stem)


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"cmudict"`, `"sigmorphon"`, one of its languages as in
            `"sigmorphon:fre"`, or the path of a file; see `words`.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
    """
    known = {"cmudict": cmudict, "sigmorphon": sigmorphon}
    kind, _, language = str(spec).partition(":")
    if kind == "sigmorphon" and language:
        return functools.partial(sigmorphon, language=language)
    if spec in known:
        return known[spec]
    if as_path(spec, "data").is_file():
        return functools.partial(words, path=spec)
    others = ", 'sigmorphon:LANGUAGE', or a file of words"
    raise naming.unknown(spec, [*known], others)


def _splits(parts, symbols, batch_size, seed, max_tokens, name):
    """`Splits` of three dicts from a word to its pronunciations."""
    if max_tokens is not None:
        check_integer("max_tokens", max_tokens, 1)
    tokenizer = tokenizers.symbols(symbols, **tokenizers.SPECIAL_TOKENS)
    pairs = [
        [(word, each) for word, spoken in part.items() for each in spoken]
        for part in parts
    ]
    found = parallel_splits(
        *(pairs, batch_size, seed, tokenizer, max_tokens, name),
        padded_lengths=_padded_lengths,
    )
    held_out, test = map(_columns, parts[1:])
    return dataclasses.replace(found, held_out=held_out, test=test)


def _padded_lengths(lengths):
    longest = -(-lengths.max() // 8) * 8
    return [*(end for end in _LENGTHS if end < longest), longest]


def _columns(part):
    most = max(map(len, part.values()))
    filled = [[*spoken, *[""] * (most - len(spoken))] for spoken in part.values()]
    return {"inputs": np.array([*part]), "targets": np.array(filled)}


def _symbols(part):
    """Letters and sounds of words, each in code-point order."""
    letters = {letter for word in part for letter in word if not letter.isspace()}
    texts = [text for spoken in part.values() for text in spoken]
    sounds = {each for text in texts for each in text.split()}
    return [*sorted(letters), *sorted(sounds - letters)]


def _shuffled(known):
    """Three parts of a dictionary: a tenth of the words is for the test."""
    if len(known) < 10:
        raise ValueError(
            f"`path` must have at least 10 different words. Received: {len(known)}"
        )
    order = _in_fixed_order(known)
    part = len(order) // 10
    test, rest = order[:part], order[part:]
    trained, held_out = _validating(rest)
    return [{w: known[w] for w in chosen} for chosen in (trained, held_out, test)]


def _listed(known, listed):
    """Three parts of a dictionary, by the published lists."""
    train, test = ([word for word in part if word in known] for part in listed)
    if len(train) < 2 or not test:
        raise ValueError(
            "`train_words` and `test_words` must have words of the dictionary, at "
            f"least two and one. Received: {len(train)} and {len(test)}"
        )
    trained, held_out = _validating(_in_fixed_order(train))
    return [{w: known[w] for w in chosen} for chosen in (trained, held_out, test)]


def _in_fixed_order(found):
    found = sorted(found)
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))]


def _validating(order):
    part = min(VALIDATION, max(1, len(order) // 10))
    return order[part:], order[:part]


def _shipped():
    path = importlib.resources.files("keras_genai.data") / "files" / "cmudict.txt"
    return path.read_text("utf-8")


def _dictionary(text):
    """dict of a word to its pronunciations, from any of the formats of CMUdict."""
    known, sounds_of_it = {}, {*_VOWELS, *_CONSONANTS}
    for line in lines(text):
        word, *sounds = line.partition(" #")[0].split() or [";;;"]
        if word.startswith(";;;"):
            continue
        if sounds and sounds[0].isdecimal():  # NLTK numbers what others put in brackets
            sounds = sounds[1:]
        if not sounds or not {_STRESS.sub("", s) for s in sounds} <= sounds_of_it:
            raise ValueError(
                "a line of CMUdict must have a word and its sounds, of ARPAbet. "
                f"Received: {line[:60]!r}"
            )
        word = _VARIANT.sub("", word).lower()
        known.setdefault(word, []).append(" ".join(sounds))
    return known


def _places(data_dir, *inner):
    return [place for name in inner for place in folders(data_dir, name)]


def _read_dictionary(data_dir):
    for folder in _places(data_dir, "cmudict", "nltk"):
        for name in _DICTIONARIES:
            if (folder / name).is_file():
                return _text_of(folder / name)
    raise FileNotFoundError(
        f"`data_dir` must have CMUdict as one of {', '.join(_DICTIONARIES)}. "
        f"Received: data_dir={str(data_dir)!r}"
    )


def _text_of(path):
    content = read_bytes(path, LARGEST)
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                member = archive.getinfo("cmudict/cmudict")
                if member.file_size > LARGEST:
                    raise ValueError(f"a file of {member.file_size:,} bytes")
                content = archive.read(member)
        except Exception as error:  # of a damaged archive there are all kinds
            raise ValueError(
                f"{path} must be an archive with cmudict/cmudict, at most {LARGEST:,} "
                f"bytes. Received: {error}"
            ) from None
    # A few comments of 0.7b are no UTF-8.
    return content.decode("latin-1").replace("\r", "")


def _word_lists(data_dir):
    """The words of the training and of the test, or `None` without the lists."""
    for folder in _places(data_dir, "cmudict_split", "g2p/cmudict_split"):
        paths = [folder / f"{part}_words" for part in ("train", "test")]
        if all(path.is_file() for path in paths):
            return [read_text(path).split() for path in paths]
    return None


def _find_part(language, part, data_dir):
    name = f"{language}_{part}.tsv"
    for folder in _places(data_dir, "sigmorphon2021", "g2p/sigmorphon2021"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"`data_dir` must have {name} of https://github.com/sigmorphon/2021-task1. "
        f"Received: data_dir={str(data_dir)!r}"
    )


def _read_table(path):
    """dict of a word to its pronunciations, from a file with tabs."""
    known = {}
    for number, line in enumerate(lines(read_text(path, LARGEST)), 1):
        word, _, sounds = map(str.strip, line.partition("\t"))
        if line.strip() and not (word and sounds):
            raise ValueError(
                f"{path}, line {number}, must have a word, a tab and sounds. "
                f"Received: {line[:60]!r}"
            )
        if word:
            spoken = known.setdefault(word, [])
            spoken += [sounds] if sounds not in spoken else []
    return known
