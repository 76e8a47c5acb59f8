"""The tokenizer: text to int32 ids and back, on the `tokenizers` library.

One is learned from texts by a function of `keras_genai.data.tokenizers`, or read from
published files. It is saved as one JSON text, which holds data only.
"""

import functools
import json

import numpy as np
import tokenizers as core_library

from keras_genai.data.alphabet import Alphabet
from keras_genai.data.vetting import guarded, read_core
from keras_genai.files.plain import parse_json

_ROLES = ("pad_token", "start_token", "end_token", "unknown_token")

# Names under which the published tokenizer files keep each role.
USUAL_NAMES = {
    "pad_token": ("<pad>", "[PAD]"),
    "start_token": ("<s>", "[CLS]", "<|startoftext|>", "__start__"),
    "end_token": ("</s>", "[SEP]", "<|endoftext|>", "__end__"),
    "unknown_token": ("<unk>", "[UNK]", "__unk__"),
}


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
        written: `Tokenizer` or `None`, for what a model writes that reads with this
            one: where that has pieces of its own, or says which language it is in.

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
        written=None,
    ):
        self.core = core
        self._written = written
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

    @property
    def written(self):
        """`Tokenizer` of what a model writes: this one, or another in the same ids."""
        return self if self._written is None else self._written

    def with_core(self, core, written=None):
        """A tokenizer with the same special tokens and another `core`.

        Args:
            core, written: as for `Tokenizer`.
        """
        reads = self.special_in_text
        return Tokenizer(core, **self._roles, special_in_text=reads, written=written)

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
        other = self._written and self._written.with_tokens(tokens)
        return Tokenizer(core, **self._roles, special_in_text=True, written=other)

    def to_json(self):
        """All there is to know about this tokenizer, as a JSON text."""
        return json.dumps(self.content(), ensure_ascii=False, indent=1)

    def content(self):
        """What `to_json` says, as a dict."""
        content = {**self._roles, "tokenizer": json.loads(self.core.to_str())}
        if self.special_in_text:
            content["special_in_text"] = True
        if self._written is not None:
            content["written"] = _differences(self._written.content(), content)
        return content

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
            if ours:
                return _of_content(content)
            core = read_core(content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
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


def _of_content(content):
    """The `Tokenizer` of a dict that one said of itself."""
    content, written = dict(content), content.get("written")
    content.pop("written", None)
    options = {role: content.get(role) for role in _ROLES}
    options["special_in_text"] = content.get("special_in_text", False)
    if written is not None:
        whole = {**content["tokenizer"], **written.get("tokenizer", {})}
        options["written"] = _of_content({**content, **written, "tokenizer": whole})
    core = read_core(content["tokenizer"])
    if "vocabulary" not in content:
        return Tokenizer(core, **options)
    from keras_genai.data import mapped_tokenizer  # which imports this module

    more = mapped_tokenizer.options_of(content)
    return mapped_tokenizer.MappedTokenizer(core, **more, **options)


def _differences(content, other):
    """What of a dict is not in another one, parts of the tokenizer one by one."""
    found = {key: value for key, value in content.items() if other.get(key) != value}
    if "tokenizer" in found:
        found["tokenizer"] = {
            key: value
            for key, value in content["tokenizer"].items()
            if other["tokenizer"].get(key) != value
        }
    return found


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
