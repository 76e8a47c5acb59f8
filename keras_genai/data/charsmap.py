"""The compiled normalisation of SentencePiece: a table that is walked unchecked.

It is a size, a double array of 32-bit units that spells what is replaced, and the
replacements, each ended by a zero byte.

Reference: google/sentencepiece, `src/normalizer.cc`; s-yata/darts-clone
"""

import base64

import numpy as np

_LEAF, _VALUE = 1 << 8, (1 << 31) - 1


def check_charsmap(charsmap):
    """Refuses a table that would lead out of itself.

    Args:
        charsmap: bytes, or str of their base64.

    Returns:
        int: characters of the longest replacement, at least 1.

    Raises:
        ValueError: if a step leads out of the table, or a replacement is not UTF-8.
    """
    if not charsmap:
        return 1
    if isinstance(charsmap, str):
        charsmap = base64.b64decode(charsmap, validate=True)
    size = int.from_bytes(charsmap[:4], "little")
    if len(charsmap) < 8 or not 4 <= size <= len(charsmap) - 4 or size % 4:
        raise ValueError("the compiled normalisation is damaged: its size")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4).astype("int64")
    texts = charsmap[4 + size :]
    texts.decode("utf-8")
    _check_units(units, texts)
    return max([1, *(len(text.decode("utf-8")) for text in texts.split(b"\0"))])


def _check_units(units, texts):
    places = np.arange(len(units))
    inner = units < 1 << 31  # the others are values, which no step comes to
    first = places ^ ((units >> 10) << ((units & (1 << 9)) >> 6))
    # A step goes to any of the 256 places that differ in their last byte.
    if ((first | 255) >= max(len(units), 256))[inner].any() or len(units) < 256:
        raise ValueError("the compiled normalisation is damaged: a step")
    values = units[first[inner & (units & _LEAF > 0)]] & _VALUE
    starts = np.frombuffer(texts, "uint8")
    if (values >= len(starts)).any():
        raise ValueError("the compiled normalisation is damaged: a value")
    if ((starts[values] & 0xC0) == 0x80).any():  # the middle of a character
        raise ValueError("the compiled normalisation is damaged: a value")
