"""Tokenizers: text to int32 ids and back, on the `tokenizers` library.

Build one with `characters`, `byte_level`, `bpe`, `wordpiece`, `unigram`, or by a
short name with `build("bpe:4096", corpus)`. Each is saved as one JSON text, which
holds data only.
"""

import difflib
import functools
import json
import pathlib
import re
import warnings
from collections.abc import Iterable

import numpy as np
import tokenizers as core_library
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from keras_genai.checks import check_integer
from keras_genai.data.alphabet import Alphabet, byte_characters
from keras_genai.data.vetting import guarded, read_core
from keras_genai.files.plain import parse_json
from keras_genai.files.text import read_text

_ROLES = ("pad_token", "start_token", "end_token", "unknown_token")

# Names under which the published tokenizer files keep each role.
USUAL_NAMES = {
    "pad_token": ("<pad>", "[PAD]"),
    "start_token": ("<s>", "[CLS]", "<|startoftext|>", "__start__"),
    "end_token": ("</s>", "[SEP]", "<|endoftext|>", "__end__"),
    "unknown_token": ("<unk>", "[UNK]", "__unk__"),
}
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


class Tokenizer:
    """Text to ids and back.

    The special tokens are attributes: `pad_token`, `start_token`, `end_token` and
    `unknown_token`, each an int id or `None`.

    Args:
        core: `tokenizers.Tokenizer`, the rules and the vocabulary.
        pad_token: str or `None`, the token that fills a batch.
        start_token: str or `None`, the token before a text.
        end_token: str or `None`, the token that ends a text. It may be an ordinary
            token, as the newline after a name is.
        unknown_token: str or `None`, the token for what the vocabulary lacks.
        special_in_text: bool. Whether a text that spells a special token is read as
            that token, as published tokenizers do it. Otherwise it is text like any
            other: nobody can end a text, or a turn, by writing `</s>`.

    Raises:
        ValueError: if one of the four is not in the vocabulary.
    """

    def __init__(
        self,
        core,
        pad_token=None,
        start_token=None,
        end_token=None,
        unknown_token=None,
        special_in_text=False,
    ):
        self.core = core
        self.special_in_text = special_in_text
        core.encode_special_tokens = not special_in_text
        self._roles = dict(
            zip(_ROLES, (pad_token, start_token, end_token, unknown_token), strict=True)
        )
        for role, token in self._roles.items():
            if not isinstance(token, str | None):
                raise TypeError(f"`{role}` must be a str or None. Received: {token!r}")
            index = None if token is None else core.token_to_id(token)
            if token is not None and index is None:
                raise ValueError(
                    f"`{role}` must be a token of the vocabulary. Received: "
                    f"{token[:40]!r}"
                )
            setattr(self, role, index)
        self._holes = max(core.get_vocab().values(), default=-1) + 1
        self._holes -= core.get_vocab_size()
        # Long texts as NumPy look-ups, where one symbol is one token.
        self._alphabet = Alphabet.of(core, self.unknown_token)

    @property
    def vocabulary_size(self):
        """Int: one more than the largest id, special tokens included."""
        return self.core.get_vocab_size() + self._holes

    def core_for(self, special_in_text=None):
        """The `tokenizers.Tokenizer` that reads texts in one way or the other.

        Args:
            special_in_text: bool or `None` (this tokenizer's own way).
        """
        if special_in_text in (None, self.special_in_text):
            return self.core
        return self._other_core

    @functools.cached_property
    def _other_core(self):
        core = core_library.Tokenizer.from_str(self.core.to_str())
        core.encode_special_tokens = self.special_in_text
        return core

    def encode(self, text, add_special_tokens=True, special_in_text=None):
        """The ids of one text.

        Args:
            text: str of any length.
            add_special_tokens: bool. If `True`, a published tokenizer frames the
                text as its model expects; those built here never do.
            special_in_text: bool or `None` (this tokenizer's own way). Whether special
                tokens that the text spells are read as such, as in `Tokenizer`.

        Returns:
            int32 array `(T,)`.

        Raises:
            TypeError: if `text` is not a str.
            ValueError: if a character is not in the vocabulary and there is no
                `unknown_token`.
        """
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a str. Received: {text!r}")
        if self._alphabet is not None:
            reads = self.special_in_text if special_in_text is None else special_in_text
            return self._alphabet.encode(text, reads)
        core = self.core_for(special_in_text)
        with guarded("`text` cannot be read by this tokenizer"):
            encoding = core.encode(text, add_special_tokens=add_special_tokens)
        return np.asarray(encoding.ids, dtype="int32")

    def encode_with_offsets(self, text):
        """The ids of one text, and the characters that each was read from.

        Args:
            text: str.

        Returns:
            `(ids, offsets)`: int32 `(T,)`, what `encode` returns; and int32 `(T, 2)`,
            the first character of each and the one after its last. Both are 0 where a
            token frames the text. Tokens that share a character overlap.

        Raises:
            TypeError: if `text` is not a str.
            ValueError: as in `encode`.
        """
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a str. Received: {text!r}")
        if self._alphabet is not None:
            read = text, self.special_in_text
            return self._alphabet.encode(*read), self._alphabet.offsets(*read)
        with guarded("`text` cannot be read by this tokenizer"):
            found = self.core.encode(text)
        offsets = np.asarray(found.offsets, "int32").reshape(-1, 2)
        return np.asarray(found.ids, "int32"), offsets

    def encode_batch(self, texts, add_special_tokens=True):
        """The ids of many texts, on several threads.

        Args:
            texts: sequence of str.
            add_special_tokens: bool, as in `encode`.

        Returns:
            List of int32 arrays, one a text.

        Raises:
            TypeError: if `texts` is not a sequence of str.
            ValueError: as in `encode`.
        """
        texts = check_texts("texts", texts)
        if self._alphabet is not None:
            reads = self.special_in_text
            return [self._alphabet.encode(text, reads) for text in texts]
        with guarded("`texts` cannot be read by this tokenizer"):
            found = self.core.encode_batch_fast(
                texts, add_special_tokens=add_special_tokens
            )
        return [np.asarray(encoding.ids, dtype="int32") for encoding in found]

    def decode(self, ids, skip_special_tokens=True):
        """The text of some ids; those that make no valid text become U+FFFD.

        Args:
            ids: ints `(T,)`. Those beyond the vocabulary leave no trace.
            skip_special_tokens: bool. If `True`, padding and the like leave no
                trace.

        Returns:
            str.

        Raises:
            TypeError: if `ids` are not ints of at most 64 bits.
        """
        ids = np.asarray(ids).reshape(-1)
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"`ids` must be ints of 64 bits. Received: {ids!r:.80}")
        ids = ids[(ids >= 0) & (ids < self.vocabulary_size)].astype("int64")
        if self._alphabet is not None:
            return self._alphabet.decode(ids, skip_special_tokens)
        with guarded("`ids` cannot be read by this tokenizer"):
            return self.core.decode(
                ids.tolist(), skip_special_tokens=skip_special_tokens
            )

    def without_special(self, text):
        """`text` without anything that would be read as a special token in it.

        Args:
            text: str, for instance what a person says in a conversation.

        Returns:
            str.
        """
        if not self.special_in_text:
            return text
        special = self.special_tokens
        # A removal may bring two halves together, also those of another token.
        while found := [token for token in special if token in text]:
            for token in found:
                text = text.replace(token, "")
        return text

    @property
    def special_tokens(self):
        """dict of str to int: the tokens that `decode` leaves out, such as padding."""
        added = self.core.get_added_tokens_decoder().items()
        return {token.content: index for index, token in added if token.special}

    def with_tokens(self, tokens):
        """A tokenizer with more special tokens, such as the marks of a conversation.

        Args:
            tokens: sequence of str. Those that are in the vocabulary keep their ids,
                the others follow it.

        Returns:
            `Tokenizer` with `special_in_text`: a text that spells a special token is
            read as that. What people say is to go through `without_special`.

        Raises:
            TypeError: if `tokens` is not a sequence of str.
            ValueError: if one is empty, or if the vocabulary has gaps in its ids.
        """
        tokens = check_texts("tokens", tokens)
        if "" in tokens:
            raise ValueError(f"`tokens` must not be empty. Received: {tokens}")
        core = core_library.Tokenizer.from_str(self.core.to_str())
        new = [token for token in tokens if core.token_to_id(token) is None]
        if new and self._holes:
            raise ValueError(
                "`tokens` must be of the vocabulary, whose ids have gaps where others "
                f"would go. Received: {new}"
            )
        core.add_special_tokens(
            [core_library.AddedToken(token, normalized=False) for token in tokens]
        )
        return Tokenizer(core, **self._roles, special_in_text=True)

    def to_json(self):
        """All there is to know about this tokenizer, as a JSON text."""
        content = {**self._roles, "tokenizer": json.loads(self.core.to_str())}
        if self.special_in_text:
            content["special_in_text"] = True
        return json.dumps(content, ensure_ascii=False, indent=1)

    def __reduce__(self):
        return Tokenizer.from_json, (self.to_json(),)

    @classmethod
    def from_json(cls, text):
        """The tokenizer of `to_json`, or of a published `tokenizer.json`.

        Args:
            text: str. A file without our special-token entries gets them by their
                usual names (`<pad>`, `[CLS]`, `</s>`, `<|endoftext|>`, ...).

        Returns:
            `Tokenizer`.

        Raises:
            ValueError: if `text` is not a tokenizer.
        """
        try:
            content = parse_json(text)
            ours = isinstance(content, dict) and "tokenizer" in content
            core = read_core(content["tokenizer"] if ours else content)
            if ours:
                roles = {role: content.get(role) for role in _ROLES}
                return cls(
                    core, **roles, special_in_text=content.get("special_in_text", False)
                )
        except (ValueError, TypeError) as error:
            raise ValueError(
                "`text` must be the JSON of a tokenizer. "
                f"Received: {str(text)[:40]!r}... ({str(error)[:200]})"
            ) from None
        known = core.get_vocab()
        roles = {
            role: next((name for name in names if name in known), None)
            for role, names in USUAL_NAMES.items()
        }
        return cls(core, **roles, special_in_text=True)


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


def build(name, corpus):
    """The tokenizer that a short name asks for.

    Args:
        name: `"characters"`, `"bytes"`, `"bpe:SIZE"`, `"wordpiece:SIZE"`,
            `"unigram:SIZE"`, or a `Tokenizer`, which is returned as it is.
        corpus: str, the text to learn from.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if there is no such kind of tokenizer, or no size where one is
            needed.
    """
    if isinstance(name, Tokenizer):
        return name
    kind, _, size = str(name).partition(":")
    if name in ("characters", "bytes"):
        return characters(corpus) if name == "characters" else byte_level()
    learned = {"bpe": bpe, "wordpiece": wordpiece, "unigram": unigram}
    if kind in learned and size.isdecimal():
        return learned[kind](corpus, int(size))
    near = difflib.get_close_matches(kind, ["characters", "bytes", *learned], n=1)
    hint = f"; did you mean {near[0]!r}?" if near and near[0] != kind else ""
    raise ValueError(
        "`tokenizer` must be 'characters', 'bytes', 'bpe:SIZE', 'wordpiece:SIZE' or "
        f"'unigram:SIZE'. Received: {name!r}{hint}"
    )


def check_texts(name, texts):
    """A list of the texts, from any sequence of them: a list, an array, a column.

    Raises:
        TypeError: if `texts` is not a sequence of str.
    """
    if not isinstance(texts, str | bytes | dict) and hasattr(texts, "__iter__"):
        found = list(texts)
        if all(isinstance(text, str) for text in found):
            return found
    raise TypeError(f"`{name}` must be a sequence of str. Received: {texts!r:.200}")


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
