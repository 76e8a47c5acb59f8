"""Tokenizers that are learned from texts, on the `tokenizers` library.

Build one with `characters`, `symbols`, `byte_level`, `bpe`, `wordpiece`, `unigram`, or
by a short name with `build("bpe:4096", corpus)`.
"""

import difflib
import json
import pathlib
import re
import warnings
from collections.abc import Iterable

import tokenizers as core_library
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from keras_genai.checks import check_integer
from keras_genai.data.alphabet import byte_characters
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.files.text import read_text

# Short names of tokenizers.
NAMES = ("characters", "bytes", "bpe:SIZE", "wordpiece:SIZE", "unigram:SIZE")
# What texts have that are written one from the other.
SPECIAL_TOKENS = dict(
    pad_token="<pad>", start_token="<s>", end_token="</s>", unknown_token="<unk>"
)
MOST_TOKENS = 2**31 - 1  # ids are int32
LONGEST_WORD = 100  # characters; WordPiece knows no longer one
# Longer runs of letters, digits, signs or blanks are cut before a vocabulary is
# learned from them, because the library takes quadratic time for each.
_RUN = 1024
_LONG_RUN = re.compile(
    "|".join(
        f"{one}{{{_RUN}}}(?={one})"
        for one in (r"[^\W\d_]", r"\d", r"(?:[^\w\s]|_)", r"\s")
    )
)


def characters(
    corpus, pad_token=None, start_token=None, end_token=None, unknown_token=None
):
    """One id for each different character, in code-point order.

    Tiny Shakespeare gets the 65 ids of nanoGPT. Special tokens that are not
    characters of the corpus follow after the characters.

    Args:
        corpus: str, or iterable of str, or of file paths (`pathlib.Path`).
        pad_token: str or `None`, as in `Tokenizer`; likewise the next three.
        start_token: str or `None`.
        end_token: str or `None`.
        unknown_token: str or `None`. Without one, a text with a character that the
            corpus lacks is refused.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if the corpus is empty.
    """
    known = set()
    for text in _texts(corpus):
        known.update(text)
    if not known:
        raise ValueError("`corpus` must have at least one character. Received none")
    vocabulary = {character: index for index, character in enumerate(sorted(known))}
    core = core_library.Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.decoder = decoders.Fuse()
    return _with_roles(core, pad_token, start_token, end_token, unknown_token)


def symbols(
    vocabulary, pad_token=None, start_token=None, end_token=None, unknown_token=None
):
    """One id for each of some symbols of any length, such as letters and phonemes.

    A text is cut at its blanks, and what stands between them into as few symbols as
    there can be. Ids become symbols with blanks between them.

    Args:
        vocabulary: iterable of different str without blanks, in the order of their
            ids. Special tokens follow.
        pad_token: str or `None`, as in `Tokenizer`; likewise the next three.
        start_token: str or `None`.
        end_token: str or `None`.
        unknown_token: str or `None`. Without one, a text that is not made of the
            symbols is refused.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if there are no symbols, if one is twice there, or if one is empty
            or has a blank.
    """
    found = list(vocabulary)
    odd = [symbol for symbol in found if symbol.split() != [symbol]]
    if not found or odd or len({*found}) < len(found):
        raise ValueError(
            "`vocabulary` must have different symbols without blanks. Received: "
            f"{(odd or found)[:8]!r}"
        )
    unknown = None
    if unknown_token is not None:
        unknown = len(found)
        found.append(unknown_token)
    # All are as likely, so that the likeliest way to cut a text has the fewest.
    pieces = [(symbol, -1.0) for symbol in found]
    core = core_library.Tokenizer(models.Unigram(pieces, unk_id=unknown))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if unknown_token is not None:
        core.add_special_tokens([unknown_token])
    return _with_roles(core, pad_token, start_token, end_token, unknown_token)


def byte_level(pad_token=None, start_token=None, end_token=None):
    """The 256 bytes of UTF-8: any text, no training, id = byte.

    Args:
        pad_token: str or `None`, as in `Tokenizer`; likewise the next two. They get
            the ids from 256 on.
        start_token: str or `None`.
        end_token: str or `None`.

    Returns:
        `Tokenizer`.
    """
    vocabulary = {character: byte for byte, character in byte_characters()}
    core = core_library.Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    core.decoder = decoders.ByteLevel()
    return _with_roles(core, pad_token, start_token, end_token, None)


def bpe(
    corpus,
    vocabulary_size,
    pad_token=None,
    start_token=None,
    end_token=None,
    min_frequency=2,
):
    """Byte-level byte-pair encoding, as in GPT-2: any text, exact round trip.

    Args:
        corpus: str, or iterable of str, or of file paths (`pathlib.Path`).
        vocabulary_size: int >= 256 plus the special tokens. A small corpus may
            give fewer.
        pad_token: str or `None`, as in `Tokenizer`; likewise the next two.
        start_token: str or `None`.
        end_token: str or `None`.
        min_frequency: int >= 0. Pairs that are rarer are not merged.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if `vocabulary_size` is too small.

    Reference: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; Radford et al.
    2019, section 2.2
    """
    special = [token for token in (pad_token, start_token, end_token) if token]
    _check_size(vocabulary_size, 256 + len(special))
    check_integer("min_frequency", min_frequency, 0)
    core = _on_bytes(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_in_short_runs(_texts(corpus)), trainer)
    return Tokenizer(core, pad_token, start_token, end_token)


def unigram(corpus, vocabulary_size, pad_token=None, start_token=None, end_token=None):
    """Unigram language model over byte-level pieces: exact round trip.

    Args:
        corpus: str, or iterable of str, or of file paths (`pathlib.Path`).
        vocabulary_size: int >= 256 plus the special tokens. A small corpus may
            give fewer.
        pad_token: str or `None`, as in `Tokenizer`; likewise the next two.
        start_token: str or `None`.
        end_token: str or `None`.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if `vocabulary_size` is too small.

    Reference: Kudo 2018, https://arxiv.org/abs/1804.10959
    """
    special = [token for token in (pad_token, start_token, end_token) if token]
    _check_size(vocabulary_size, 256 + len(special))
    core = _on_bytes(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_in_short_runs(_texts(corpus)), trainer)
    # Short decimals, because the library does not read long ones back exactly.
    content = json.loads(core.to_str())
    content["model"]["vocab"] = [
        [piece, round(score, 8)] for piece, score in content["model"]["vocab"]
    ]
    core = core_library.Tokenizer.from_str(json.dumps(content))
    return Tokenizer(core, pad_token, start_token, end_token)


def wordpiece(
    corpus,
    vocabulary_size,
    lowercase=False,
    pad_token="[PAD]",
    start_token="[CLS]",
    end_token="[SEP]",
    unknown_token="[UNK]",
):
    """WordPiece, as in BERT: words and their parts; white space is not kept.

    Args:
        corpus: str, or iterable of str, or of file paths (`pathlib.Path`).
        vocabulary_size: int, special tokens included. A small corpus may give fewer.
        lowercase: bool. If `True`, lower case without accents.
        pad_token: str, as in `Tokenizer`; likewise the next three.
        start_token: str.
        end_token: str.
        unknown_token: str, for words with characters that the corpus lacks.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if `vocabulary_size` is too small.

    Reference: Devlin et al. 2019, https://arxiv.org/abs/1810.04805
    """
    special = [pad_token, unknown_token, start_token, end_token]
    _check_size(vocabulary_size, len(special) + 1)
    corpus = list(_texts(corpus))
    _warn_of_long_words(corpus)
    learner = _on_words(models.WordPiece(unk_token=unknown_token), lowercase)
    # The library numbers the characters inside of words as it meets them, in an order
    # that differs from process to process, and with it what is merged. Named
    # beforehand, like special tokens, they are the same every time.
    inside = {c for text in corpus for c in learner.normalizer.normalize_str(text)}
    inside = [f"##{c}" for c in sorted(inside) if not c.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special + inside,
        show_progress=False,
    )
    learner.train_from_iterator(corpus, trainer)
    model = models.WordPiece(learner.get_vocab(), unk_token=unknown_token)
    core = _on_words(model, lowercase)
    core.add_special_tokens(special)
    return Tokenizer(core, pad_token, start_token, end_token, unknown_token)


def build(
    name, corpus, pad_token=None, start_token=None, end_token=None, unknown_token=None
):
    """The tokenizer that a short name asks for.

    Args:
        name: `"characters"`, `"bytes"`, `"bpe:SIZE"`, `"wordpiece:SIZE"`,
            `"unigram:SIZE"`, or a `Tokenizer`, which is returned as it is.
        corpus: str, or iterable of str, the texts to learn from.
        pad_token: str or `None`, that of this kind; likewise the next three. See
            `Tokenizer`.
        start_token: str or `None`.
        end_token: str or `None`.
        unknown_token: str or `None`. Not used where a vocabulary lacks nothing: of
            bytes, and of what is made of bytes.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if there is no such kind of tokenizer, or no size where one is
            needed.
    """
    if isinstance(name, Tokenizer):
        return name
    kind, size = parse(name)
    roles = dict(pad_token=pad_token, start_token=start_token, end_token=end_token)
    if kind in ("characters", "wordpiece"):
        roles["unknown_token"] = unknown_token
    roles = {role: token for role, token in roles.items() if token is not None}
    if kind == "bytes":
        return byte_level(**roles)
    if kind == "characters":
        return characters(corpus, **roles)
    learn = {"bpe": bpe, "wordpiece": wordpiece, "unigram": unigram}[kind]
    return learn(corpus, size, **roles)


def parse(name, names=NAMES):
    """What a short name of a tokenizer says.

    Args:
        name: str, such as `"bpe:4096"`.
        names: sequence of str, those of `NAMES` that are allowed.

    Returns:
        `(kind, size)`: str, and int or `None`.

    Raises:
        ValueError: if it is none of `names`.
    """
    kind, _, size = str(name).partition(":")
    if f"{kind}:SIZE" in names and size.isdecimal():
        return kind, int(size)
    if name in names and not size:
        return kind, None
    near = difflib.get_close_matches(kind, [n.partition(":")[0] for n in names], n=1)
    hint = f"; did you mean {near[0]!r}?" if near and near[0] != kind else ""
    raise ValueError(
        f"`tokenizer` must be {', '.join(map(repr, names))} or a Tokenizer. "
        f"Received: {name!r}{hint}"
    )


def _texts(corpus):
    """Yields the texts of a str, of an iterable of str, or of files."""
    if isinstance(corpus, str | pathlib.Path):
        corpus = [corpus]
    if not isinstance(corpus, Iterable):
        raise TypeError(
            "`corpus` must be a str, or an iterable of str or of paths. "
            f"Received: {corpus!r:.80}"
        )
    for item in corpus:
        text = read_text(item) if isinstance(item, pathlib.Path) else item
        if not isinstance(text, str):
            raise TypeError(
                "`corpus` must be a str, or an iterable of str or of paths. "
                f"Received: {text!r:.80} in it"
            )
        yield text


def _in_short_runs(texts):
    """Yields the same texts, cut within very long runs of one kind of character."""
    for text in texts:
        start = 0
        for run in _LONG_RUN.finditer(text):
            yield text[start : run.end()]
            start = run.end()
        yield text[start:]


def _warn_of_long_words(corpus):
    for text in corpus:
        word = re.search(rf"[^\W\d_]{{{LONGEST_WORD + 1}}}", text)
        if word and not re.search("[\u4e00-\u9fff]", word[0]):
            warnings.warn(
                f"`corpus` has words of more than {LONGEST_WORD} characters, as "
                f"{word[0][:20]!r}...; each becomes one unknown token. `bpe` can read "
                "them",
                stacklevel=3,
            )
            return


def _with_roles(core, *tokens):
    known = core.get_vocab()
    core.add_special_tokens([t for t in tokens if t is not None and t not in known])
    return Tokenizer(core, *tokens)


def _on_bytes(model):
    """Core tokenizer whose pieces are bytes, so that every text comes back."""
    core = core_library.Tokenizer(model)
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return core


def _on_words(model, lowercase):
    """Core tokenizer whose pieces are words and their parts."""
    core = core_library.Tokenizer(model)
    core.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    return core


def _check_size(vocabulary_size, least):
    check_integer("vocabulary_size", vocabulary_size, 1)
    if not least <= vocabulary_size <= MOST_TOKENS:
        allowed = f"at least {least}"
        if vocabulary_size > MOST_TOKENS:
            allowed = f"at most {MOST_TOKENS}"
        raise ValueError(
            f"`vocabulary_size` must be {allowed}. Received: {vocabulary_size=}"
        )
