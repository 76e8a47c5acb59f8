"""Encoding by table, for tokenizers in which one symbol is one token."""

import functools
import json
import re

import numpy as np
import tokenizers as core_library
from tokenizers import models, pre_tokenizers

_WIDER = (0x80, 0x800, 0x10000)  # from here on a character has one byte more in UTF-8


class Alphabet:
    """The symbols of a tokenizer that splits a text into single symbols.

    Args:
        symbols: list of int, the code point (or byte) of each plain id.
        ids: list of int, the ids of `symbols`.
        size: int, the vocabulary with the special tokens.
        special: dict, id to text, of the special tokens.
        unknown: int or `None`, the id for other symbols.
        by_byte: bool. If `True`, symbols are UTF-8 bytes.
    """

    def __init__(self, symbols, ids, size, special, unknown, by_byte):
        self.special, self.unknown, self.by_byte = special, unknown, by_byte
        # The last entry stays -1: every symbol beyond the table reads that one.
        self.to_id = np.full(max(symbols, default=0) + 2, -1, dtype="int32")
        self.to_id[symbols] = ids
        self.to_symbol = np.full(size, -1, dtype="int64")  # -1: a special token
        self.to_symbol[ids] = symbols

    @classmethod
    def of(cls, core, unknown):
        """The alphabet of `core`, or `None` where a token is more than a symbol."""
        content = json.loads(core.to_str())
        model, before = content["model"], content["pre_tokenizer"]
        by_byte = before == _whole_text_splitter()
        plain = content["normalizer"] is None and content["post_processor"] is None
        if model.get("type") != "BPE" or model["merges"] or not plain:
            return None
        if not (by_byte or before is None) or any(len(t) != 1 for t in model["vocab"]):
            return None
        special = {entry["id"]: entry["content"] for entry in content["added_tokens"]}
        ids = model["vocab"].values()
        if by_byte:
            byte_of = {character: byte for byte, character in byte_characters()}
            if not byte_of.keys() >= model["vocab"].keys():
                return None
            symbols = [byte_of[token] for token in model["vocab"]]
        else:
            symbols = [ord(token) for token in model["vocab"]]
        size = max([*ids, *special], default=-1) + 1
        return cls(symbols, list(ids), size, special, unknown, by_byte)

    def encode(self, text, special_in_text=False):
        """int32 `(T,)`: the ids of a text; see `Tokenizer.encode`."""
        if not special_in_text:
            return self._encode(text)
        ids = {content: index for index, content in self.special.items()}
        return np.concatenate(
            [
                np.array([ids[piece]], "int32") if number % 2 else self._encode(piece)
                for number, piece in enumerate(self._special.split(text))
            ]
        )

    def offsets(self, text, special_in_text=False):
        """int32 `(T, 2)`: the characters of a text that each of its ids was read from.

        The bytes of one character all have its place.
        """
        found, start = [], 0
        pieces = self._special.split(text) if special_in_text else [text]
        for number, piece in enumerate(pieces):
            if number % 2:
                found.append([[start, start + len(piece)]])
            else:
                places = start + self._characters(piece)
                found.append(np.stack([places, places + 1], axis=1))
            start += len(piece)
        return np.concatenate(found).astype("int32")

    def _characters(self, text):
        """int `(T,)`: the number of the character that each symbol is a part of."""
        places = np.arange(len(text))
        if not self.by_byte:
            return places
        points = np.frombuffer(text.encode("utf-32-le"), "<u4")
        widths = 1 + sum((points >= least).astype("int64") for least in _WIDER)
        return np.repeat(places, widths)

    @functools.cached_property
    def _special(self):
        """Finds the special tokens in a text, the longer of two at one place."""
        contents = sorted(self.special.values(), key=len, reverse=True)
        # Of no tokens, nothing is found.
        return re.compile(f"({'|'.join(map(re.escape, contents)) or '(?!)'})")

    def _encode(self, text):
        if self.by_byte:
            points = np.frombuffer(text.encode(), "uint8").astype("uint32")
        else:
            points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        ids = self.to_id[np.minimum(points, len(self.to_id) - 1)]
        if ids.size and ids.min() < 0:
            missing = ids < 0
            if self.unknown is None:
                first = chr(points[np.argmax(missing)])
                raise ValueError(
                    f"`text` has {first!r}, which is not among the "
                    f"{(self.to_symbol >= 0).sum()} characters of this vocabulary: "
                    f"{self.decode(np.arange(min(len(self.to_symbol), 200)))!r}"
                )
            ids[missing] = self.unknown
        return ids

    def decode(self, ids, skip_special_tokens=True):
        ids = ids[(ids >= 0) & (ids < len(self.to_symbol))]
        symbols = self.to_symbol[ids]
        if skip_special_tokens or symbols.min(initial=0) >= 0:
            return self._text(symbols[symbols >= 0])
        parts, last = [], 0
        for place in np.flatnonzero(symbols < 0):
            parts.append(self._text(symbols[last:place]))
            parts.append(self.special.get(int(ids[place]), ""))
            last = place + 1
        return "".join([*parts, self._text(symbols[last:])])

    def _text(self, symbols):
        if self.by_byte:
            return symbols.astype("uint8").tobytes().decode(errors="replace")
        return symbols.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def byte_characters():
    """(byte, the printable character that stands for it), as in GPT-2's code."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = [(byte, chr(256 + place)) for place, byte in enumerate(others)]
    return [*((byte, chr(byte)) for byte in printable), *shifted]


def _whole_text_splitter():
    """What the JSON of `tokenizers.byte_level` has as `pre_tokenizer`."""
    probe = core_library.Tokenizer(models.BPE())
    probe.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    return json.loads(probe.to_str())["pre_tokenizer"]
