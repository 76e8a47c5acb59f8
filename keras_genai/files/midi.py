"""MIDI files as notes in quarters, read with suspicion and written plainly.

Reference: Standard MIDI Files 1.0, The MIDI Manufacturers Association, RP-001
"""

import fractions
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

__all__ = ["Note", "encode_midi", "parse_midi", "read_midi"]

LARGEST_FILE = 2**20  # bytes; of a file within it, every event is looked at once
DRUMS = 9  # the channel whose numbers are instruments and no pitches
TICKS = 480  # in a quarter of what is written
_OFF, _ON, _SYSEX, _ESCAPE, _META = 0x80, 0x90, 0xF0, 0xF7, 0xFF
_END, _TEMPO, _METER = 0x2F, 0x51, 0x58  # kinds of meta events
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_USUAL_TEMPO = 500_000  # microseconds a quarter, where a file says nothing


class Note(NamedTuple):
    """A note.

    Attributes:
        begin: float, in quarters from the beginning.
        end: float, likewise; at least `begin`.
        pitch: int from 0 to 127; 60 is the middle C.
        part: int >= 0. Notes of one track and one channel share it.
    """

    begin: float
    end: float
    pitch: int
    part: int = 0


def read_midi(path: AnyPath) -> list[Note]:
    """The notes of a file, see `parse_midi`.

    Args:
        path: path of a file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is larger than 1 MiB, or as `parse_midi` says.
    """
    return parse_midi(read_bytes(path, LARGEST_FILE), str(path))


def parse_midi(content: bytes, name: str = "content") -> list[Note]:
    """The notes of a MIDI file of format 0 or 1, but for drums.

    A note that begins while another one of its pitch and part sounds ends that; one
    that nobody ends lasts as long as its track. Times of a file that counts seconds
    become quarters by the first tempo that it names.

    Args:
        content: bytes of a file.
        name: str, what errors call it.

    Returns:
        list of `Note`, sorted by their begins; parts are numbered in their order in
        the file.

    Raises:
        ValueError: if it is no such file, or is cut off.
    """
    known = content.startswith(b"MThd")
    chunks = _chunks(content, name) if known else iter(())
    _, head = next(chunks, (b"", b""))
    if len(head) < 6:
        raise ValueError(f"{name} must be a MIDI file. Received: {content[:4]!r}")
    form, _, division = struct.unpack(">HHH", head[:6])
    if form > 1:
        raise ValueError(f"{name} must be of format 0 or 1. Received: {form}")
    tracks = [_Track(body, name) for kind, body in chunks if kind == b"MTrk"]
    tempo = next((track.tempo for track in tracks if track.tempo), _USUAL_TEMPO)
    scale = _quarters_per_tick(division, tempo, name)
    return sorted(_scaled(tracks, scale))


def encode_midi(
    parts: Iterable[Iterable[Note]], tempo: float, meter: tuple[int, int] = (4, 4)
) -> bytes:
    """A MIDI file of format 1: a track of tempo and meter, then one a part.

    Args:
        parts: sequence of sequences of `Note`; what their own `part` is counts not.
        tempo: float, quarters a minute.
        meter: two ints, such as `(3, 4)`; the second is a power of two.

    Returns:
        bytes.
    """
    tracks = [_opening(tempo, meter)]
    tracks += [_events(part, number) for number, part in enumerate(parts)]
    head = struct.pack(">HHH", 1, len(tracks), TICKS)
    return _chunk(b"MThd", head) + b"".join(_chunk(b"MTrk", each) for each in tracks)


def _chunks(content: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Yields the kind and the body of every chunk."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(">4sI", content, place)
        place += 8
        if size > len(content) - place:
            raise ValueError(
                f"{name} is cut off: a chunk of {size:,} bytes at {place - 8:,} must "
                f"be whole. Received: {len(content) - place:,} of them"
            )
        yield kind, content[place : place + size]
        place += size


class _Track:
    """What one track says, times in ticks.

    Attributes:
        notes: list of `(begin, end, pitch, channel)`.
        tempo: int, microseconds a quarter, or 0 where it says none.
    """

    def __init__(self, body: bytes, name: str):
        self.body, self.name = body, name
        self.place = self.time = self.tempo = self.status = 0
        self.notes: list[tuple[int, int, int, int]] = []
        self.sounding: dict[tuple[int, int], int] = {}
        while self.place < len(body) and self._event():
            pass
        for key in list(self.sounding):
            self._end(key)

    def _event(self) -> bool:
        """Reads one event; says whether the track goes on."""
        self.time += self._length()
        first = self._byte()
        if first == _META:
            return self._meta()
        if first in (_SYSEX, _ESCAPE):
            self._take(self._length())
            return True
        if first >= _SYSEX:
            raise self._wrong(f"an event that no file may have, {first:#04x}")
        if first >= _OFF:
            self.status, data = first, self._take(_DATA_BYTES[first & 0xF0])
        elif not self.status:
            raise self._wrong("data without an event")
        else:  # the event is of the same kind as the one before
            data = bytes([first]) + self._take(_DATA_BYTES[self.status & 0xF0] - 1)
        if max(data) > 127:
            raise self._wrong(f"{max(data)} where numbers go to 127")
        self._note(data)
        return True

    def _meta(self) -> bool:
        kind = self._byte()
        data = self._take(self._length())
        if kind == _TEMPO and len(data) == 3 and not self.tempo:
            self.tempo = int.from_bytes(data, "big")
        return kind != _END

    def _note(self, data: bytes) -> None:
        kind, channel = self.status & 0xF0, self.status & 0x0F
        if kind not in (_OFF, _ON) or channel == DRUMS:
            return
        key = data[0], channel
        self._end(key)
        if kind == _ON and data[1]:  # of velocity 0 it is an end
            self.sounding[key] = self.time

    def _end(self, key: tuple[int, int]) -> None:
        begin = self.sounding.pop(key, None)
        if begin is not None:
            self.notes.append((begin, self.time, *key))

    def _length(self) -> int:
        """A number of 7 bits a byte, four bytes at most."""
        value = 0
        for _ in range(4):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise self._wrong("a number of more than four bytes")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        taken = self.body[self.place : self.place + count]
        if len(taken) < count:
            raise self._wrong("the end of a track amid an event")
        self.place += count
        return taken

    def _wrong(self, came: str) -> ValueError:
        return ValueError(
            f"{self.name} must be made of MIDI events. Received: {came}, at byte "
            f"{self.place:,} of a track"
        )


def _quarters_per_tick(division: int, tempo: int, name: str) -> fractions.Fraction:
    if not division & 0x8000:
        if not division:
            raise ValueError(f"{name} must have ticks in a quarter. Received: 0")
        return fractions.Fraction(1, division)
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if not ticks:
        raise ValueError(f"{name} must have ticks in a frame. Received: 0")
    # 29 says the 30 frames of television, of which one in a thousand is dropped.
    rate = fractions.Fraction(30_000, 1001) if frames == 29 else frames
    return fractions.Fraction(1_000_000, tempo) / (rate * ticks)


def _scaled(tracks: list[_Track], scale: fractions.Fraction) -> Iterator[Note]:
    numbers: dict[tuple[int, int], int] = {}
    up, down = scale.as_integer_ratio()
    for index, track in enumerate(tracks):
        for begin, end, pitch, channel in sorted(track.notes):
            part = numbers.setdefault((index, channel), len(numbers))
            yield Note(begin * up / down, end * up / down, pitch, part)


def _opening(tempo: float, meter: tuple[int, int]) -> bytes:
    microseconds = min(max(round(60_000_000 / tempo), 1), 2**24 - 1)
    lower = meter[1].bit_length() - 1
    return b"".join(
        (
            bytes([0, _META, _TEMPO, 3]) + microseconds.to_bytes(3, "big"),
            bytes([0, _META, _METER, 4, meter[0], lower, 24, 8]),
            bytes([0, _META, _END, 0]),
        )
    )


def _events(notes: Iterable[Note], number: int, velocity: int = 80) -> bytes:
    """The body of a track. Notes end before others begin at the same time."""
    channel = number % 15
    channel += channel >= DRUMS
    events = []
    for begin, end, pitch, *_ in notes:
        begin, end = round(begin * TICKS), round(end * TICKS)
        events += [(begin, 1, pitch), (max(end, begin + 1), 0, pitch)]
    body, now = [], 0
    for time, starts, pitch in sorted(events):
        kind = (_ON if starts else _OFF) | channel
        loud = velocity if starts else 0
        body.append(_variable(time - now) + bytes([kind, pitch, loud]))
        now = time
    return b"".join(body) + bytes([0, _META, _END, 0])


def _variable(number: int) -> bytes:
    """A number in 7 bits a byte, the highest first."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body)) + body
