"""A tokenizer whose pieces have their ids from another file: Marian's and M2M-100's."""

import re

import numpy as np

from keras_genai.data.tokenizer import Tokenizer, check_texts
from keras_genai.data.tokenizer_options import TIDY
from keras_genai.data.vetting import LARGEST_VOCABULARY, guarded

BLANK = "\u2581"
_CODE = re.compile(r">>.*?<<", re.DOTALL)


class MappedTokenizer(Tokenizer):
    """Text to ids and back, by a model of pieces and a table of their ids.

    What of a text is in no piece, and every piece that the table lacks, is the unknown
    token, unless the table has just these characters.

    Args:
        core: `tokenizers.Tokenizer` of the pieces and special tokens. Its ids mean
            nothing.
        vocabulary: dict of str to int, the id of each token.
        front: tuple of str, tokens that are put before each text.
        back: tuple of str, tokens that are put behind it.
        codes: bool. Whether `>>de<<` in front of a text is one token.
        tidies: bool. Whether decoded texts have no blanks before signs.
        **options: as for `Tokenizer`: the special tokens, `special_in_text`, `written`.

    Raises:
        ValueError: if a token is not in the vocabulary, two have one id, or there is no
            `unknown_token`.
    """

    def __init__(
        self,
        core,
        vocabulary,
        front=(),
        back=(),
        codes=False,
        tidies=False,
        **options,
    ):
        super().__init__(core, **options)
        self.vocabulary = _checked(vocabulary)
        self.front, self.back = tuple(front), tuple(back)
        self.codes, self.tidies = codes, tidies
        self._texts = {index: text for text, index in self.vocabulary.items()}
        self._alphabet = None  # whose ids would be those of the pieces
        named = [token for token in self._roles.values() if token is not None]
        missing = [t for t in (*named, *front, *back) if t not in self.vocabulary]
        if missing or self.unknown_token is None:
            raise ValueError(
                "special tokens must be in the vocabulary, and one of them "
                f"`unknown_token`. Received: {missing or self._roles}"
            )
        for role, token in self._roles.items():
            setattr(self, role, self.vocabulary.get(token))

    @property
    def vocabulary_size(self):
        return max(self._texts) + 1

    def encode(self, text, add_special_tokens=True, special_in_text=None):
        return self._encode(text, add_special_tokens, special_in_text)[0]

    def encode_with_offsets(self, text):
        return self._encode(text)

    def encode_batch(self, texts, add_special_tokens=True):
        texts = check_texts("texts", texts)
        return [self.encode(text, add_special_tokens) for text in texts]

    def _encode(self, text, add_special_tokens=True, special_in_text=None):
        """The ids of a text, and the characters of each."""
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a str. Received: {text!r}")
        code = _CODE.match(text) if self.codes else None
        start = code.end() if code else 0
        with guarded("`text` cannot be read by this tokenizer"):
            found = self.core_for(special_in_text).encode(
                text[start:], add_special_tokens=False
            )
        tokens = [code.group()] if code else []
        offsets = [(0, start)] * len(tokens)
        offsets += [(start + first, start + last) for first, last in found.offsets]
        tokens += found.tokens
        if add_special_tokens:
            tokens = [*self.front, *tokens, *self.back]
            offsets = [(0, 0)] * len(self.front) + offsets + [(0, 0)] * len(self.back)
        ids = [self.vocabulary.get(token, self.unknown_token) for token in tokens]
        return np.array(ids, "int32"), np.array(offsets, "int32").reshape(-1, 2)

    def decode(self, ids, skip_special_tokens=True):
        ids = np.asarray(ids).reshape(-1)
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"`ids` must be ints of 64 bits. Received: {ids!r:.80}")
        if self.written is not self:
            return self.written.decode(ids, skip_special_tokens)
        special = self.special_tokens
        text, run = "", []
        for token in (self._texts.get(index) for index in ids.tolist()):
            if token in special:
                if not skip_special_tokens:
                    text, run = f"{text}{_joined(run)}{token} ", []
            elif token is not None:
                run.append(token)
        text = (text + _joined(run)).strip()
        for before, after in TIDY if self.tidies else ():
            text = text.replace(before, after)
        return text

    @property
    def special_tokens(self):
        added = super().special_tokens
        known = self.vocabulary
        return {token: known[token] for token in added if token in known}

    def with_tokens(self, tokens):
        raise ValueError(
            "`tokens` cannot be added to a vocabulary of another file. "
            f"Received: {tokens!r:.80}"
        )

    def content(self):
        content = super().content()
        # All of them: what differs from another one is found by comparing.
        frame = {"front": list(self.front), "back": list(self.back)}
        flags = {"codes": self.codes, "tidies": self.tidies}
        return {**content, "vocabulary": self.vocabulary, **frame, **flags}


def options_of(content):
    """The arguments of a `MappedTokenizer` that only it has, of its JSON as a dict."""
    found = {key: content.get(key, False) for key in ("codes", "tidies")}
    if not all(isinstance(value, bool) for value in found.values()):
        raise ValueError(f"flags must be bools. Received: {found}")
    for key in ("front", "back"):
        found[key] = check_texts(key, content.get(key, []))
    return {"vocabulary": content["vocabulary"], **found}


def _checked(vocabulary):
    """The table of ids, if it is one."""
    allowed = f"different ints from 0 to {LARGEST_VOCABULARY:,}"
    if not isinstance(vocabulary, dict) or not vocabulary:
        raise ValueError(f"`vocabulary` must be a dict. Received: {vocabulary!r:.80}")
    ids = list(vocabulary.values())
    good = all(type(index) is int and 0 <= index < LARGEST_VOCABULARY for index in ids)
    if not good or len({*ids}) < len(ids):
        raise ValueError(f"ids of `vocabulary` must be {allowed}")
    return vocabulary


def _joined(pieces):
    return "".join(pieces).replace(BLANK, " ").removeprefix(" ")
