"""The emoji of Twemoji as a catalogue and pictures: read from a sheet, or drawn."""

import dataclasses
import functools
import hashlib

import numpy as np

from keras_genai.data.pictures import set_channels
from keras_genai.files.paths import folders
from keras_genai.files.pictures import read_picture
from keras_genai.files.plain import read_json

SIDE = 32  # pixels
CELL = 34  # pixels of the sheet for each picture: a margin of one all around
SHEET, TABLE = "clean32.png", "emoji.json"
TONES = (
    "light skin tone",
    "medium-light skin tone",
    "medium skin tone",
    "medium-dark skin tone",
    "dark skin tone",
)
COLOURS = (  # of the tones, sRGB
    (0xF7, 0xDE, 0xCE),
    (0xF3, 0xD2, 0xA2),
    (0xD5, 0xAB, 0x88),
    (0xAF, 0x7E, 0x57),
    (0x7C, 0x53, 0x3E),
)
_CODES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
_YELLOW = (0xFF, 0xDC, 0x5D)  # of whom nobody has asked for a tone
_NEW_VALIDATION, _NEW = 31, 10  # every so many motifs validate, or are new in all
_ALSO_VALIDATES = 3  # of every so many other motifs another tone validates


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one emoji shows, and what it is for.

    Attributes:
        caption: str, such as "woman teacher, dark skin tone"; no two are the same.
        motif: str, the caption without tones.
        tone: int, a place in `TONES`, or -1: none, or those of two people.
        part: str: `"train"`, `"validation"`, `"test"`, or `""` for none of these.
        is_new_motif: bool. Whether no picture of this motif trains.
    """

    caption: str
    motif: str
    tone: int = -1
    part: str = "train"
    is_new_motif: bool = False


@functools.cache
def catalogue(data_dir=None, stand_in=False):
    """Every picture that there is.

    Args:
        data_dir: path with emoji.json, or with a folder `twemoji` that has it.
        stand_in: bool. If `True`, those of the stand-in, without a file.

    Returns:
        tuple of `Picture`.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is not that of emoji-datasource-twitter.
    """
    if stand_in:
        named = [(shape, tones) for shape in _SHAPES for tones in ((), *_single())]
    else:
        named = [(motif, tones) for motif, tones, _ in _cells(data_dir)]
    return _divided(named)


def read_pictures(data_dir=None, stand_in=False):
    """The pictures of `catalogue`, in its order, on white.

    Args:
        data_dir, stand_in: see `catalogue`.

    Returns:
        uint8 `(N, 32, 32, 3)`.

    Raises:
        FileNotFoundError: if a file is not there.
        OSError: if the sheet is no picture.
        ValueError: if it is not as large as the table says.
    """
    if stand_in:
        return np.stack([_drawn(p.motif, p.tone) for p in catalogue(stand_in=True)])
    path = _find(SHEET, data_dir)
    try:
        sheet = read_picture(path)
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error}") from None
    sheet = set_channels(sheet, 3).numpy()
    corners = np.array([place for _, _, place in _cells(data_dir)]) * CELL
    high, wide = corners.max(axis=0) + CELL
    if sheet.shape[0] < high or sheet.shape[1] < wide:
        raise ValueError(
            f"{path} must have at least {high} x {wide} pixels, as {TABLE} says. "
            f"Received: {sheet.shape[0]} x {sheet.shape[1]}"
        )
    return np.stack(
        [
            sheet[row + 1 : row + 1 + SIDE, column + 1 : column + 1 + SIDE]
            for row, column in corners
        ]
    )


def _single():
    return [(tone,) for tone in range(len(TONES))]


def _cells(data_dir):
    """list of `(motif, tones, (row, column))`, the last one a cell of the sheet."""
    path = _find(TABLE, data_dir)
    table = read_json(path)
    try:
        names = [each["name"].lower() for each in table]
        often = {name for name in names if names.count(name) > 1}
        found = []
        for name, each in zip(names, table, strict=True):
            motif = each["short_name"].replace("_", " ") if name in often else name
            for codes, place in [("", each), *each.get("skin_variations", {}).items()]:
                tones = tuple(map(_CODES.index, codes.split("-"))) if codes else ()
                cell = int(place["sheet_y"]), int(place["sheet_x"])
                if min(cell) < 0:
                    raise ValueError
                found.append((motif, tones, cell))
    except (AttributeError, KeyError, TypeError, ValueError):
        found = []
    if not found:
        raise ValueError(
            f"{path} must be that of emoji-datasource-twitter: a list of dicts with "
            "`name`, `short_name`, `sheet_x`, `sheet_y`, `skin_variations`. Received "
            "another"
        )
    return found


def _divided(named):
    """tuple of `Picture` of motifs with their tones: which train, validate and test."""
    tones = {}
    for motif, said in named:
        tones.setdefault(motif, set()).add(said)
    several = [motif for motif, found in tones.items() if found >= {*_single()}]
    hashes = {m: hashlib.sha256(m.encode("utf-8")).digest() for m in several}
    order = sorted(several, key=hashes.__getitem__)
    new = order[::_NEW]
    new_parts = {
        motif: "validation" if place % 3 == 1 else "test"
        for place, motif in enumerate(new)
    }
    parts = {}
    for place, motif in enumerate(each for each in order if each not in new_parts):
        first = hashes[motif][0] % len(TONES)
        parts[motif, (first,)] = "test"
        if place % _ALSO_VALIDATES == 0:
            other = 1 + hashes[motif][1] % (len(TONES) - 1)
            parts[motif, ((first + other) % len(TONES),)] = "validation"
    return tuple(
        Picture(
            caption=", ".join([motif, *(TONES[tone] for tone in said)]),
            motif=motif,
            tone=said[0] if len(said) == 1 else -1,
            part=_part(motif, said, parts, new_parts),
            is_new_motif=motif in new_parts,
        )
        for motif, said in named
    )


def _part(motif, said, parts, new_parts):
    if motif not in new_parts:
        return parts.get((motif, said), "train")
    return new_parts[motif] if len(said) < 2 else ""


def _find(name, data_dir):
    for folder in folders(data_dir, "twemoji"):
        path = folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"`data_dir` must have {name} of Twemoji, as the npm package "
        f"emoji-datasource-twitter has it. Received: data_dir={str(data_dir)!r}"
    )


def _shapes():
    """dict of the stand-in's motifs to functions of rows and columns in [-1, 1]."""
    return {
        "disc": lambda y, x: y**2 + x**2 < 0.7,
        "square": lambda y, x: np.maximum(abs(y), abs(x)) < 0.7,
        "diamond": lambda y, x: abs(y) + abs(x) < 0.9,
        "ring": lambda y, x: abs(y**2 + x**2 - 0.5) < 0.3,
        "cross": lambda y, x: np.minimum(abs(y), abs(x)) < 0.3,
        "roof": lambda y, x: (abs(x) < 0.5 + y / 2) & (y < 0.8),
        "tall bar": lambda y, x: (abs(x) < 0.35) & (abs(y) < 0.9),
        "wide bar": lambda y, x: (abs(y) < 0.35) & (abs(x) < 0.9),
    }


_SHAPES = tuple(_shapes())


def _drawn(motif, tone):
    """uint8 `(32, 32, 3)`: a shape in a tone, with a blue dot, on white."""
    across = (np.arange(SIDE) + 0.5) / (SIDE / 2) - 1
    y, x = across[:, None], across[None, :]
    picture = np.full((SIDE, SIDE, 3), 255, "uint8")
    picture[_shapes()[motif](y, x)] = _YELLOW if tone < 0 else COLOURS[tone]
    picture[(y**2 + x**2) < 0.05] = (0x26, 0x72, 0xC9)
    return picture
