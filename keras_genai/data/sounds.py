"""Sounds as crops of waves: spoken digits, and folders of one's own."""

import functools

import numpy as np

from keras_genai.checks import check_instance, check_size
from keras_genai.data import naming, recordings
from keras_genai.data.loading import Splits
from keras_genai.data.speech import RATE, WORDS, digit_parts
from keras_genai.files.paths import as_path
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.text import Label

_FIXED = 20_200_620  # seed of what is the same in every run
_MOST_HELD_OUT = 300  # sounds of a folder that test, or validate


def spoken_digits(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    crop=4_096,
    tail=1_024,
    mel=None,
    left_out=None,
    stand_in=False,
):
    """The Free Spoken Digit Dataset: 3,000 English digits of six speakers, 8 kHz.

    Files are called `digit_speaker_take.wav`. Takes 0 to 4 test, as the data set says,
    and takes 5 to 7 validate. Nobody may ship these files without their licence, CC
    BY-SA 4.0: get them from https://github.com/Jakobovski/free-spoken-digit-dataset.

    Args:
        batch_size: int.
        seed: int. Which crops come in which batch.
        data_dir: path of the files, or of a folder with them in `fsdd`, in
            `recordings`, or in both.
        crop: int. Samples of each row of a batch.
        tail: int. Samples of silence that are learned behind each recording.
        mel: `Mel` or `None`, whose spectrograms batches have, too.
        left_out: str or `None`. A speaker of whom all takes test, and nobody else's.
        stand_in: bool. If `True`, made-up tones of two speakers, which no one would
            take for speech, for tests.

    Returns:
        `Splits` with `test`. See `recordings.crop_loader` for batches, with `"labels"`
        and `"speakers"`, int32 `(B,)`; `held_out` and `test` are whole recordings, see
        `recordings.Recordings.arrays`.

    Raises:
        FileNotFoundError: if the files are not there.
        ValueError: if there is no such speaker, or a file is no sound.
    """
    _check(crop, tail)  # before anything is read
    parts, speakers = digit_parts(data_dir, left_out, stand_in)
    kinds = Label(10, WORDS), Speaker(len(speakers), speakers), *_told(mel, RATE)
    return _splits(
        parts,
        (Audio(RATE, cropped=True), *kinds),
        "spoken_digits",
        batch_size=batch_size,
        seed=seed,
        crop=crop,
        tail=tail,
        mel=mel,
    )


def folder(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    rate=RATE,
    crop=4_096,
    tail=0,
    mel=None,
):
    """The user's own sounds, a class for each inner folder.

    A fixed shuffle keeps a tenth, at most 300, for each of validation and test.

    Args:
        batch_size: int.
        seed: int. Which crops come in which batch.
        data_dir: unused.
        path: path of a folder of sound files, see `keras_genai.files.sound`.
        rate: int, Hz, that all are read at.
        crop, tail, mel: see `spoken_digits`.

    Returns:
        `Splits` with `test`, as `spoken_digits` has them, without speakers; where no
        file is in an inner folder, without labels.

    Raises:
        ValueError: if there are fewer than three sounds, or a file is none.
    """
    _check(crop, tail)  # before anything is read
    kind = Audio(rate, cropped=True)
    whole, names = recordings.labelled_folder(as_path(path), rate)
    if len(whole) < 3:
        raise ValueError(
            f"`path` must have at least 3 sounds. Received: {len(whole)} in {path}"
        )
    part = max(1, min(_MOST_HELD_OUT, len(whole) // 10))
    order = np.random.default_rng(_FIXED).permutation(len(whole))
    places = order[2 * part :], order[:part], order[part : 2 * part]
    train, held_out, test = (whole.take(np.sort(place)) for place in places)
    labels = [Label(len(names), names)] if len(names) > 1 else []
    return _splits(
        (train, held_out, test),
        (kind, *labels, *_told(mel, rate)),
        as_path(path).name,
        batch_size=batch_size,
        seed=seed,
        crop=crop,
        tail=tail,
        mel=mel,
    )


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"spoken_digits"`, `"folder:PATH"`, or the path of a folder.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named folder does not exist.
    """
    if spec == spoken_digits.__name__:
        return spoken_digits
    path = naming.own_files(spec, {"folder": "folder"})
    if path is not None:
        return functools.partial(folder, path=path)
    choices = [spoken_digits.__name__, "folder:PATH"]
    raise naming.unknown(spec, choices, " or an existing folder")


def _check(crop, tail):
    recordings.check_crop(crop)
    check_size("tail", tail, least=0)


def _told(mel, rate):
    """tuple of a `Mel`, or of nothing."""
    if mel is None:
        return ()
    check_instance("mel", mel, Mel)
    if mel.rate != rate:
        raise ValueError(f"`mel` must be of {rate} Hz. Received: {mel.rate}")
    return (mel,)


def _splits(parts, kinds, name, *, batch_size, seed, crop, tail, mel=None):
    """`Splits` of `Recordings` that train, validate and test."""
    train, held_out, test = parts
    size = min(batch_size, len(held_out))
    fixed = dict(shuffle=False, drop_remainder=True, fixed=True)
    return Splits(
        recordings.crop_loader(train, batch_size, crop, seed, tail, mel),
        recordings.crop_loader(held_out, size, crop, mel=mel, **fixed),
        held_out=held_out.arrays(),
        test=test.arrays(),
        name=name,
        kinds=kinds,
    )
