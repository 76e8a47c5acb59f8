"""WAV files: what they hold as floats, whole or refused, and 16-bit ones written."""

import dataclasses
import struct

import numpy as np

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

LARGEST_FILE = 2**30  # bytes, of which floats take up to four times as many
RATES = 1_000, 768_000  # Hz
LOUDEST = 2.0**15  # of 16-bit integers
HEADER = 44  # bytes of a file that is written here, before its samples
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_GUID = bytes.fromhex("000000001000800000aa00389b71")  # after the kind, of all of them
_UNKNOWN = 0xFFFFFFFF  # the size of what was streamed and never finished


@dataclasses.dataclass(frozen=True)
class Form:
    """What the header of a WAV file says of its samples.

    Attributes:
        kind: int. 1 of integers, 3 of floats.
        channels: int.
        rate: int, Hz.
        bits: int, of one number.
    """

    kind: int
    channels: int
    rate: int
    bits: int


def read_wav(path: AnyPath) -> tuple[np.ndarray, int]:
    """The samples of a WAV file.

    Integers of 8, 16, 24 or 32 bits and floats of 32 or 64 are read, also where the
    header is the extensible one. Chunks of other things are passed over. Floats beyond
    -1 and 1 are cut off, as a player does.

    Args:
        path: str or path.

    Returns:
        `(waves, rate)`: float32 `(samples, channels)` in [-1, 1], and int, Hz.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no such file, is truncated, holds no samples or something
            that is no number; the message names it.
    """
    try:
        return decode_wav(read_bytes(path, LARGEST_FILE))
    except ValueError as error:
        said = str(error)
        raise ValueError(said if str(path) in said else f"{path} {said}") from None


def decode_wav(content: bytes) -> tuple[np.ndarray, int]:
    """What `read_wav` returns, of the bytes of a file; errors do not name it."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError(f"must be a WAV file. Received: {content[:12]!r}")
    form = None
    for name, start, size in _chunks(content):
        if name == b"fmt ":
            form = _form(content[start : start + size])
        if name == b"data":
            if form is None:
                raise ValueError("is damaged: its samples come before their form")
            return _numbers(content[start : start + size], form), form.rate
    raise ValueError("is damaged: it has no chunk of samples")


def encode_wav(waves: np.ndarray, rate: int) -> bytes:
    """The bytes of a 16-bit WAV file of one channel.

    Args:
        waves: float `(samples,)` in [-1, 1]; what is beyond is cut off.
        rate: int, Hz.

    Returns:
        bytes.

    Raises:
        ValueError: if there are no samples, another shape, or NaN.
    """
    waves = np.asarray(waves, "float64")
    if waves.ndim != 1 or not len(waves) or not np.isfinite(waves).all():
        raise ValueError(
            "`waves` must be finite float of shape (samples,), at least one. Received: "
            f"shape {waves.shape}, from {waves.min(initial=0)} to "
            f"{waves.max(initial=0)}"
        )
    data = np.clip(np.round(waves * LOUDEST), -LOUDEST, LOUDEST - 1).astype("<i2")
    return header(len(waves), rate) + data.tobytes()


def header(samples: int, rate: int) -> bytes:
    """The `HEADER` bytes before so many samples in what `encode_wav` returns."""
    form = struct.pack("<HHIIHH", _PCM, 1, rate, 2 * rate, 2, 16)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    head += b"data" + struct.pack("<I", 2 * samples)
    return b"RIFF" + struct.pack("<I", len(head) + 2 * samples) + head


def _chunks(content):
    """Name, first byte and size of each chunk; those of odd size are padded."""
    place = 12
    while place + 8 <= len(content):
        name, size = content[place : place + 4], _integer(content, place + 4)
        start, left = place + 8, len(content) - place - 8
        if size == _UNKNOWN and name == b"data":
            size = left
        if size > left:
            raise ValueError(
                f"is truncated: its chunk {name!r} must have {size:,} bytes. "
                f"Received: {left:,}"
            )
        yield name, start, size
        place = start + size + size % 2


def _form(content):
    """`Form` of the header's chunk, checked."""
    if len(content) < 16:
        raise ValueError(f"is damaged: its form has {len(content)} bytes, not 16")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == _EXTENSIBLE:
        if len(content) < 40 or content[26:40] != _GUID:
            raise ValueError("must hold integers or floats. Received: another form")
        kind = struct.unpack("<H", content[24:26])[0]
    if bits not in _KINDS.get(kind, ()):
        raise ValueError(
            "must hold integers of 8, 16, 24 or 32 bits, or floats of 32 or 64. "
            f"Received: form {kind} of {bits} bits"
        )
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(
            f"must have from {RATES[0]:,} to {RATES[1]:,} samples a second. "
            f"Received: {rate:,}"
        )
    if not channels or block != channels * bits // 8:
        raise ValueError(f"is damaged: {channels} channels in blocks of {block} bytes")
    return Form(kind, channels, rate, bits)


def _numbers(data, form):
    """float32 `(samples, channels)`; a last sample that is cut through is left out."""
    size = form.bits // 8
    count = len(data) // (size * form.channels)
    if not count:
        raise ValueError("must have at least one sample. Received: 0")
    data = data[: count * size * form.channels]
    if form.kind == _FLOAT:
        numbers = np.frombuffer(data, f"<f{size}")
        if not np.isfinite(numbers).all():
            raise ValueError("must hold finite numbers. Received: NaN or infinity")
        numbers = np.clip(numbers, -1, 1)
    elif size == 1:
        numbers = (np.frombuffer(data, "u1").astype("float32") - 128) / 128
    else:
        numbers = _integers(data, size) / 2.0 ** (form.bits - 1)
    return numbers.astype("float32").reshape(count, form.channels)


def _integers(data, size):
    """Signed integers of 2 to 4 bytes; those of 3 get a fourth, of their sign."""
    if size != 3:
        return np.frombuffer(data, f"<i{size}")
    parts = np.frombuffer(data, "u1").reshape(-1, 3)
    wide = np.zeros((len(parts), 4), "u1")
    wide[:, 1:] = parts
    return wide.view("<i4")[:, 0] >> 8


def _integer(content, place):
    return int.from_bytes(content[place : place + 4], "little")
