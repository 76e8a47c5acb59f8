"""Music in several voices: chorales, folk tunes, MIDI files, and canons made here.

Every source takes `batch_size`, `seed` and `data_dir`, and returns `Splits` of pieces:
`held_out` and `test` are dicts of `notes`, int8 `(N, T, V)`, see
`keras_genai.modalities.notes.Notes`.

Nobody states the terms of the files of chorales and tunes, and none of them ships. What
stands in for them (`stand_in=True`) is made by rules: canons over scales, which are no
music by Bach and no measure of it.
"""

import functools
import itertools
import pathlib

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_flag, check_one_of, check_size
from keras_genai.data.arguments import check_count
from keras_genai.data.batching import padded
from keras_genai.data.loading import Buckets, DataLoader, Splits
from keras_genai.files.matlab import read_cells
from keras_genai.files.paths import as_path, folders
from keras_genai.files.pickled_arrays import read_array_lists
from keras_genai.files.walking import files_below
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes

SIXTEENTHS = "Jsb16thSeparated.npz"
ROLLS = {"jsb": "JSB_Chorales.mat", "nottingham": "Nottingham.mat"}
_PARTS = "train", "valid", "test"
_FIRST_KEY, _KEYS = 21, 88  # the pitch of the lowest key of a piano, and their number
_ALIGN = 16  # steps between the begins of windows: a bar of sixteenths
_HELD_OUT = 0.1  # of a folder of files, for each of validation and test
_SCALE = np.array([0, 2, 4, 5, 7, 9, 11])  # of a major key, in semitones


def chorales(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    steps=128,
    transpose=5,
    shuffled=False,
    path=None,
    stand_in=False,
):
    """Chorales of Bach in four voices on a grid of sixteenths, in windows.

    Windows begin every 16 steps of a piece; one that reaches beyond the end has -1
    there. In each epoch every window is moved up or down anew.

    Args:
        batch_size: int, windows a batch.
        seed: int.
        data_dir: path of a folder with `Jsb16thSeparated.npz`, or of one that has it
            in `music`.
        steps: int, of a window.
        transpose: int >= 0, the most semitones that a window is moved by.
        shuffled: bool. Whether the bars of every piece are in random order: a control,
            of which only what is within bars can be learned.
        path: path or `None`: a folder of MIDI files in four voices, to be learned
            instead.
        stand_in: bool. If `True`, canons made by rules.

    Returns:
        `Splits`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the files hold something else.

    Reference: Allan & Williams 2005, Harmonising Chorales by Probabilistic Inference;
        the split is that of Boulanger-Lewandowski et al. 2012,
        https://arxiv.org/abs/1206.6392
    """
    check_size("steps", steps, most=scores.MOST_STEPS)
    check_count("transpose", transpose, 0)
    check_flag("shuffled", shuffled)
    if stand_in:
        name, parts = "canons", canons(steps=steps + 2 * _ALIGN)
    elif path is not None:
        name, parts = as_path(path, "path").name, _folder(path, 4)
    else:
        name, parts = "jsb_chorales", _sixteenths(data_dir)
    if shuffled:
        name = f"{name}_shuffled"
        parts = {key: shuffled_bars(pieces) for key, pieces in parts.items()}
    low, high = _span(parts)
    most = min(low - 1, 127 - high)
    if transpose > most:
        raise ValueError(
            f"`transpose` must be at most {most}, or pitches from {low} to {high} "
            f"leave those from 1 to 127. Received: {transpose=}"
        )
    low, high = low - transpose, high + transpose
    kind = Notes(4, steps, lowest=low, highest=high)
    moved = functools.partial(_moved, transpose=transpose)
    return Splits(
        train=DataLoader(
            _windows(parts["train"], steps), batch_size, seed=seed, transform=moved
        ),
        validation=_in_order(_windows(parts["valid"], steps, steps), batch_size),
        held_out=_together(parts["valid"]),
        test=_together(parts["test"]),
        name=name,
        kinds=(kind,),
        texts=_whole(parts),
    )


def chords(batch_size, seed=0, data_dir=None, *, name="jsb", path=None, stand_in=False):
    """Whole pieces as the keys of a piano that are down, on a grid of quarters.

    Args:
        batch_size: int, pieces a batch, of similar length.
        seed: int.
        data_dir: path of a folder with the `.mat` file, or of one that has it in
            `music`.
        name: str. `"jsb"`: chorales of Bach; `"nottingham"`: folk tunes with chords, on
            a grid of eighths.
        path: path or `None`: a folder of MIDI files, to be learned instead.
        stand_in: bool. If `True`, canons made by rules.

    Returns:
        `Splits`, with as many voices as keys are down at once.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the files hold something else.

    Reference: Boulanger-Lewandowski et al. 2012, https://arxiv.org/abs/1206.6392
    """
    check_one_of("name", name, tuple(ROLLS))
    per_quarter = 1 if name == "jsb" else 2
    if stand_in:
        found, parts = "canons", canons(steps=24)
    elif path is not None:
        found, parts = as_path(path, "path").name, _folder(path, None, per_quarter)
    else:
        found, parts = f"{name}_rolls", _rolls(data_dir, name)
    voices = max(piece.shape[1] for pieces in parts.values() for piece in pieces)
    parts = {
        key: [np.pad(p, [(0, 0), (0, voices - p.shape[1])]) for p in pieces]
        for key, pieces in parts.items()
    }
    kind = Notes(voices, per_quarter=per_quarter)
    return Splits(
        train=_pieces(parts["train"], batch_size, seed=seed),
        validation=_pieces(parts["valid"], batch_size, shuffle=False, fixed=True),
        held_out=_together(parts["valid"]),
        test=_together(parts["test"]),
        name=found,
        kinds=(kind,),
        texts=_whole(parts),
    )


def canons(pieces=(24, 6, 6), steps=160, seed=0):
    """Canons over scales, in four voices, made by rules.

    A tune of quarters and eighths walks over a major scale; the other voices follow it
    a bar later each, lower by a fifth, an octave and two.

    Args:
        pieces: three ints: how many of `train`, `valid` and `test`.
        steps: int, of a piece.
        seed: int.

    Returns:
        dict of `train`, `valid` and `test`: lists of int8 `(steps, 4)`.
    """
    draws = np.random.default_rng(seed)
    counts = zip(("train", "valid", "test"), pieces, strict=True)
    return {key: [_canon(draws, steps) for _ in range(count)] for key, count in counts}


def shuffled_bars(pieces, steps=_ALIGN):
    """Pieces whose whole bars are in random order; what is left over stays last.

    Args:
        pieces: list of int `(T, V)`.
        steps: int, of a bar.

    Returns:
        list of as many arrays of the same shapes.
    """
    draws = np.random.default_rng(0)
    found = []
    for piece in pieces:
        whole = len(piece) // steps
        bars = piece[: whole * steps].reshape(whole, steps, -1)
        bars = bars[draws.permutation(whole)].reshape(whole * steps, -1)
        found.append(np.concatenate([bars, piece[whole * steps :]]))
    return found


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"folder:PATH"`, or the path of a folder of MIDI files.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if nothing is named.
    """
    path = as_path(str(spec).removeprefix("folder:"), "data")
    if not path.is_dir():
        raise FileNotFoundError(
            "`data` must be folder:PATH, a folder of MIDI files that exists. "
            f"Received: {str(spec)!r}"
        )
    return functools.partial(midi_folder, path=path)


def midi_folder(batch_size, seed=0, data_dir=None, *, path, steps=None, **own):
    """The MIDI files of a folder: as windows of four voices, or as whole pieces.

    Args:
        batch_size, seed, data_dir: see above.
        path: path of the folder.
        steps: int, of windows as of `chorales`; or `None`: pieces as of `chords`.
        **own: further arguments of `chorales` or `chords`.

    Returns:
        `Splits`. One file in ten is held out, one in ten is the test.

    Raises:
        ValueError: if there are less than three files, or one cannot be read.
    """
    if steps is None:
        return chords(batch_size, seed, data_dir, path=path, **own)
    return chorales(batch_size, seed, data_dir, path=path, steps=steps, **own)


def _found(data_dir, file):
    """The path of a file that nobody downloads.

    Raises:
        FileNotFoundError: if it is not there.
    """
    for folder in folders(data_dir, "music"):
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(
        f"`data_dir` must have {file}, itself or in its folder music. It is not "
        f"shipped: nobody states its terms. Received: data_dir={data_dir!s}"
    )


def _sixteenths(data_dir):
    path = _found(data_dir, SIXTEENTHS)
    parts = read_array_lists(path)
    if {*parts} != {*_PARTS}:
        raise ValueError(f"{path} must have train, valid and test")
    # What is no number is silence.
    return _of_pitches(
        path,
        {
            part: [np.where(np.isnan(piece), scores.SILENT, piece) for piece in pieces]
            for part, pieces in parts.items()
        },
        4,
    )


def _rolls(data_dir, name):
    """The pieces of a `.mat` file: 88 keys, 1 where one is down."""
    path = _found(data_dir, ROLLS[name])
    loaded = read_cells(path)
    keys = {part: f"{part}data" for part in _PARTS}
    if not {*keys.values()} <= {*loaded}:
        raise ValueError(f"{path} must have {', '.join(keys.values())}")
    rolls = {part: loaded[key] for part, key in keys.items()}
    for roll in itertools.chain(*rolls.values()):
        if roll.shape[1] != _KEYS or not len(roll) or not np.isin(roll, (0, 1)).all():
            raise ValueError(
                f"{path} must have rolls of shape (steps, {_KEYS}), of 0 and 1. "
                f"Received: {roll.dtype} of shape {roll.shape}"
            )
    return _of_pitches(
        path,
        {
            part: [scores.to_voices(roll, lowest=_FIRST_KEY) for roll in pieces]
            for part, pieces in rolls.items()
        },
    )


def _of_pitches(path, parts, voices=None):
    """The pieces of a file as int8 `(T, V)`.

    Args:
        path: what errors name.
        parts: dict of lists of arrays.
        voices: int, V, or `None`: any.

    Raises:
        ValueError: if a part has no pieces, no pitch sounds, or one has anything else.
    """
    if not all(parts.values()):
        raise ValueError(f"{path} must have at least one piece in every part")
    every = list(itertools.chain(*parts.values()))
    for piece in every:
        good = piece.ndim == 2 and len(piece) and voices in (None, piece.shape[1])
        if not good or not ((piece >= scores.SILENT) & (piece <= 127)).all():
            raise ValueError(
                f"{path} must have pieces of shape (steps, {voices or 'voices'}), of "
                f"pitches up to 127, or 0. Received: {piece.dtype} of shape "
                f"{piece.shape}, from {piece.min(initial=0)} to {piece.max(initial=0)}"
            )
    if not any(piece.any() for piece in every):
        raise ValueError(f"{path} must have notes. Received: silence alone")
    return {
        part: [piece.astype("int8") for piece in pieces]
        for part, pieces in parts.items()
    }


def _folder(path, voices, per_quarter=4):
    """Pieces of MIDI files; one in ten is held out, one in ten the test."""
    files = [each for each in files_below(path) if _is_midi(each)]
    if len(files) < 3:
        raise ValueError(
            f"{path} must have at least three .mid files. Received: {len(files)}"
        )
    if voices is None:
        kind = Notes(128, per_quarter=per_quarter)
        pieces = [_narrow(kind.read(file)[0]) for file in files]
    else:
        pieces = [Notes(voices, per_quarter=per_quarter).read(f)[0] for f in files]
    pieces = [piece.astype("int8") for piece in pieces]
    count = max(1, int(len(pieces) * _HELD_OUT))
    order = np.random.default_rng(0).permutation(len(pieces))
    pieces = [pieces[place] for place in order]
    return {
        "valid": pieces[:count],
        "test": pieces[count : 2 * count],
        "train": pieces[2 * count :],
    }


def _is_midi(path):
    return pathlib.Path(path).suffix.lower() in (".mid", ".midi")


def _narrow(piece):
    """A piece without the voices that never sound."""
    return piece[:, (piece > scores.SILENT).any(axis=0)]


def _span(parts):
    """The lowest and the highest pitch that sounds."""
    found = [piece for pieces in parts.values() for piece in pieces]
    sounding = np.concatenate([piece[piece > scores.SILENT] for piece in found])
    return int(sounding.min()), int(sounding.max())


def _windows(pieces, steps, stride=_ALIGN):
    """dict of `notes`, int8 `(N, steps, V)`: the windows of all pieces."""
    found = []
    for piece in pieces:
        last = max(len(piece) - steps, 0)
        for begin in range(0, -(-last // stride) * stride + 1, stride):
            found.append(piece[begin : begin + steps])
    return _together(found, steps)


def _in_order(windows, batch_size):
    """Batches of one size, which are compiled once."""
    size = min(batch_size, len(windows["notes"]))
    return DataLoader(windows, size, shuffle=False, drop_remainder=True, fixed=True)


def _together(pieces, length=None):
    length = length or max(map(len, pieces))
    notes = np.full((len(pieces), length, pieces[0].shape[1]), scores.BEYOND, "int8")
    for row, piece in zip(notes, pieces, strict=True):
        row[: len(piece)] = piece
    return {"notes": notes}


def _whole(parts):
    """Training and test pieces as a whole, for models that count."""
    return {part: _together(parts[part]) for part in ("train", "test")}


def _moved(batch, seed, transpose):
    """Windows, each moved by a number of semitones that seed and step decide."""
    notes = tf.cast(batch["notes"], tf.int32)
    shift = tf.random.stateless_uniform(
        (tf.shape(notes)[0], 1, 1), seed, -transpose, transpose + 1, tf.int32
    )
    return {"notes": tf.where(notes > scores.SILENT, notes + shift, notes)}


def _pieces(pieces, batch_size, **options):
    rows = [{"notes": piece} for piece in pieces]
    return DataLoader(
        rows,
        batch_size,
        collate=padded({"notes": scores.BEYOND}),
        buckets=Buckets(by=np.array([len(piece) for piece in pieces])),
        drop_remainder=False,
        **options,
    )


def _canon(draws, steps):
    """int8 `(steps, 4)`."""
    count = steps // 2 + 1
    degree = 14 + np.cumsum(draws.integers(-1, 2, count))
    degree = 7 + np.abs((degree - 7) % 28 - 14)  # within two octaves
    lengths = draws.choice([2, 4], count)
    key = int(draws.integers(48, 53))
    tune = np.repeat(degree, lengths)[:steps]
    voices = []
    for number, lower in enumerate((0, 4, 7, 11)):
        low = np.maximum(tune - lower, 0)
        pitches = key + 12 * (low // 7) + _SCALE[low % 7]
        delay = min(number * _ALIGN, steps - 1)
        voices.append(np.concatenate([np.zeros(delay, int), pitches])[:steps])
    return np.stack(voices, axis=1).astype("int8")
