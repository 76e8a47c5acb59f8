"""The vocabulary of a SentencePiece model file, read by hand.

The file is one protocol-buffers message; the few fields that matter are read here, so
that neither the sentencepiece nor the protobuf package is needed.

Reference: google/sentencepiece, `src/sentencepiece_model.proto`
"""

import dataclasses
import struct

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto
_TEXT, _SCORE, _KIND = 1, 2, 3  # fields of a piece
_MODEL_TYPE, _BYTE_FALLBACK = 3, 35  # fields of TrainerSpec
_CHARSMAP = 2  # field of NormalizerSpec
_UNKNOWN, _CONTROL = 2, 3  # kinds of pieces
_UNIGRAM = 1


@dataclasses.dataclass(frozen=True)
class Model:
    """What a tokenizer needs of a SentencePiece model.

    Attributes:
        pieces: list of (text, log-probability), in the order of their ids.
        unknown: int, the id of the piece for what is not in the vocabulary.
        special: list of str, the control pieces, as `</s>`.
        charsmap: bytes, the compiled normalisation; empty for none.
        byte_fallback: bool. Whether what is in no piece is spelled in bytes, `<0xC3>`,
            as SentencePiece itself does it, with which such models are trained.
    """

    pieces: list
    unknown: int
    special: list
    charsmap: bytes
    byte_fallback: bool = False


def read_model(data):
    """Reads a SentencePiece file.

    Args:
        data: bytes.

    Returns:
        `Model`.

    Raises:
        ValueError: if `data` is damaged, has no unknown piece, or is not a unigram
            model.
    """
    pieces, kinds, charsmap, model_type = [], [], b"", _UNIGRAM
    byte_fallback = False
    try:
        for field, value in _fields(data):
            if field == _PIECES:
                part = {_SCORE: 0.0, _KIND: 1, **dict(_fields(value))}
                pieces.append((part[_TEXT].decode("utf-8"), part[_SCORE]))
                kinds.append(part[_KIND])
            elif field == _TRAINER:
                trainer = dict(_fields(value))
                model_type = trainer.get(_MODEL_TYPE, model_type)
                byte_fallback = bool(trainer.get(_BYTE_FALLBACK, False))
            elif field == _NORMALIZER:
                charsmap = dict(_fields(value)).get(_CHARSMAP, charsmap)
    except (IndexError, KeyError, struct.error, AttributeError, TypeError) as error:
        raise ValueError(f"the SentencePiece model is damaged: {error}") from None
    if model_type != _UNIGRAM:
        raise ValueError(f"`model_type` must be 1 (unigram). Received: {model_type}")
    if _UNKNOWN not in kinds:
        raise ValueError("the SentencePiece model has no unknown piece")
    special = [
        text for (text, _), kind in zip(pieces, kinds, strict=True) if kind == _CONTROL
    ]
    return Model(pieces, kinds.index(_UNKNOWN), special, charsmap, byte_fallback)


def _fields(data):
    """Yields (number, value) of a message: int, float, or bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
        elif kind == 1:
            value, place = struct.unpack_from("<d", data, place)[0], place + 8
        elif kind == 5:
            value, place = struct.unpack_from("<f", data, place)[0], place + 4
        elif kind == 2:
            length, place = _varint(data, place)
            value, place = data[place : place + length], place + length
        else:
            raise ValueError(f"the SentencePiece model is damaged: wire type {kind}")
        if place > len(data):
            raise ValueError("the SentencePiece model is truncated")
        yield key >> 3, value


def _varint(data, place):
    """An int of seven bits a byte, the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("the SentencePiece model is damaged: an endless number")
