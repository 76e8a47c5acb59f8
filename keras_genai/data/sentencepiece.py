"""The vocabulary of a SentencePiece model file, read by hand.

The file is one protocol-buffers message; the few fields that matter are read here, so
that neither the sentencepiece nor the protobuf package is needed.

Reference: google/sentencepiece, `src/sentencepiece_model.proto`
"""

import dataclasses
import struct

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto
_TEXT, _SCORE, _KIND = 1, 2, 3  # fields of a piece
# Fields of TrainerSpec.
_MODEL_TYPE, _SUFFIX, _BYTE_FALLBACK, _START, _END = 3, 24, 35, 41, 42
_UNKNOWN_ID, _PADDING, _UNKNOWN_PIECE = 40, 43, 45
_CHARSMAP, _DUMMY, _EXTRA, _ESCAPE = 2, 3, 4, 5  # fields of NormalizerSpec
_NORMAL, _UNKNOWN, _CONTROL, _USER = 1, 2, 3, 4  # kinds of pieces
UNIGRAM, BPE = 1, 2


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
        kind: int, `UNIGRAM` or `BPE`: what the scores are.
        normal: list of int, the ids of the pieces that texts are made of.
        whole: list of str, pieces of a user, which are never parts of others.
        start, end: str or `None`, what stands around a text.
        has_prefix: bool. Whether a text begins with a blank of its own.
        squeezes: bool. Whether blanks at either end are dropped, and several are one.
    """

    pieces: list
    unknown: int
    special: list
    charsmap: bytes
    byte_fallback: bool = False
    kind: int = UNIGRAM
    normal: list = dataclasses.field(default_factory=list)
    whole: list = dataclasses.field(default_factory=list)
    start: str | None = None
    end: str | None = None
    has_prefix: bool = True
    squeezes: bool = True


def read_model(data, kinds=(UNIGRAM,)):
    """Reads a SentencePiece file.

    Args:
        data: bytes.
        kinds: tuple of int, of `UNIGRAM` and `BPE`. What it may be.

    Returns:
        `Model`.

    Raises:
        ValueError: if `data` is damaged, has no unknown piece, is a model of another
            kind, or puts blanks where no tokenizer here does.
    """
    pieces, types, trainer, normalizer = _parsed(data)
    kind = trainer.get(_MODEL_TYPE, UNIGRAM)
    if kind not in kinds:
        names = {UNIGRAM: "1 (unigram)", BPE: "2 (BPE)"}
        allowed = " or ".join(names[each] for each in kinds)
        raise ValueError(f"`model_type` must be {allowed}. Received: {kind}")
    if trainer.get(_SUFFIX) or not normalizer.get(_ESCAPE, True):
        raise ValueError(
            "`treat_whitespace_as_suffix` must be false and `escape_whitespaces` true"
        )
    if _UNKNOWN not in types:
        raise ValueError("the SentencePiece model has no unknown piece")

    def of(wanted):
        return [index for index, each in enumerate(types) if each == wanted]

    def text(index):
        return pieces[index][0] if index in control else None

    control = of(_CONTROL)
    return Model(
        pieces,
        types.index(_UNKNOWN),
        [pieces[index][0] for index in control],
        normalizer.get(_CHARSMAP, b""),
        bool(trainer.get(_BYTE_FALLBACK, False)),
        kind,
        of(_NORMAL),
        [pieces[index][0] for index in of(_USER)],
        text(trainer.get(_START, 1)),
        text(trainer.get(_END, 2)),
        bool(normalizer.get(_DUMMY, True)),
        bool(normalizer.get(_EXTRA, True)),
    )


def write_model(model):
    """The bytes of a SentencePiece file, which `read_model` reads.

    Args:
        model: `Model` without special pieces. All but the unknown one and those that
            are `whole` are taken for normal.

    Returns:
        bytes.
    """
    parts = []
    for index, (text, score) in enumerate(model.pieces):
        kind = _USER if text in model.whole else _NORMAL
        kind = _UNKNOWN if index == model.unknown else kind
        piece = _bytes(_TEXT, text.encode("utf-8")) + _key(_SCORE, 5)
        piece += struct.pack("<f", score) + _int(_KIND, kind)
        parts.append(_bytes(_PIECES, piece))
    unknown = model.pieces[model.unknown][0].encode("utf-8")
    numbers = {_MODEL_TYPE: model.kind, _BYTE_FALLBACK: model.byte_fallback}
    numbers[_UNKNOWN_ID] = model.unknown
    numbers |= dict.fromkeys((_START, _END, _PADDING), -1)  # there is none
    trainer = b"".join(_int(*pair) for pair in numbers.items())
    trainer += _bytes(_UNKNOWN_PIECE, unknown)
    normalizer = _bytes(_CHARSMAP, model.charsmap)
    normalizer += _int(_DUMMY, model.has_prefix) + _int(_EXTRA, model.squeezes)
    parts += [_bytes(_TRAINER, trainer), _bytes(_NORMALIZER, normalizer)]
    return b"".join(parts)


def _parsed(data):
    """Pieces, their kinds, and the fields of how it was trained and normalises."""
    pieces, types, trainer, normalizer = [], [], {}, {}
    try:
        for field, value in _fields(data):
            if field == _PIECES:
                part = {_SCORE: 0.0, _KIND: 1, **dict(_fields(value))}
                pieces.append((part[_TEXT].decode("utf-8"), part[_SCORE]))
                types.append(part[_KIND])
            elif field == _TRAINER:
                trainer.update(_fields(value))
            elif field == _NORMALIZER:
                normalizer.update(_fields(value))
    except (IndexError, KeyError, struct.error, AttributeError, TypeError) as error:
        raise ValueError(f"the SentencePiece model is damaged: {error}") from None
    return pieces, types, trainer, normalizer


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


def _key(field, kind):
    return _written_varint(field << 3 | kind)


def _int(field, value):
    return _key(field, 0) + _written_varint(int(value) % 2**64)


def _bytes(field, value):
    return _key(field, 2) + _written_varint(len(value)) + value


def _written_varint(value):
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
