"""Recordings: many sounds of any lengths in one array, and batches of crops of them."""

import dataclasses
import functools
import pathlib

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_size
from keras_genai.data.loading import Buckets, DataLoader
from keras_genai.files.sound import EXTENSIONS, read_sound
from keras_genai.files.text import lines, read_text
from keras_genai.files.walking import files_below
from keras_genai.files.wav import LOUDEST
from keras_genai.padding import pad_sequence

TRANSCRIPTS = "metadata.csv"  # of a folder: what is said in which file


@dataclasses.dataclass(frozen=True, eq=False)
class Recordings:
    """Sounds one after the other, and what is known of each.

    Args:
        sound: int16 `(S,)`.
        lengths: int64 `(N,)`, samples of each.
        rate: int, Hz.
        about: dict of arrays `(N,)`, such as `"labels"`.
    """

    sound: np.ndarray
    lengths: np.ndarray
    rate: int
    about: dict

    def __len__(self):
        return len(self.lengths)

    @functools.cached_property
    def begins(self):
        """int64 `(N,)`: the first sample of each."""
        return np.cumsum(self.lengths) - self.lengths

    def wave(self, index):
        """float32 `(T,)` in [-1, 1): one of the sounds."""
        begin = self.begins[index]
        return (self.sound[begin : begin + self.lengths[index]] / LOUDEST).astype("f4")

    def take(self, index):
        """`Recordings`: some of them.

        Args:
            index: int or bool array.
        """
        index = np.arange(len(self))[index]
        parts = [
            self.sound[begin : begin + length]
            for begin, length in zip(
                self.begins[index], self.lengths[index], strict=True
            )
        ]
        return Recordings(
            np.concatenate(parts) if parts else self.sound[:0],
            self.lengths[index],
            self.rate,
            {key: value[index] for key, value in self.about.items()},
        )

    def arrays(self):
        """All of them padded, as a held-out part.

        Returns:
            dict of `"waves"`, float32 `(N, T)`, `"samples"` and `"starts"`, int32
            `(N,)`, all 0, and what is known of each.
        """
        waves = np.zeros((len(self), self.lengths.max()), "float32")
        for index, length in enumerate(self.lengths):
            waves[index, :length] = self.wave(index)
        samples = self.lengths.astype("int32")
        starts = np.zeros_like(samples)
        return {"waves": waves, "samples": samples, "starts": starts, **self.about}


def of_waves(waves, rate, about):
    """`Recordings` of a list of float `(T,)` in [-1, 1]."""
    return _joined([_whole(wave) for wave in waves], rate, about)


def of_files(paths, rate, about):
    """`Recordings` of sound files, at a rate."""
    return _joined([_whole(read_sound(path, rate)) for path in paths], rate, about)


def labelled_folder(folder, rate):
    """The sounds of a folder, by the names of its inner folders.

    Args:
        folder: path.
        rate: int, Hz.

    Returns:
        `(recordings, names)`: `Recordings` with `"labels"`, int32 `(N,)`, and tuple of
        str, their names. Of files in no inner folder there is one class, `""`.

    Raises:
        ValueError: if there is no sound.
    """
    paths = [path for path in files_below(folder) if _is_sound(path)]
    if not paths:
        raise ValueError(f"{folder} must have sounds, {', '.join(EXTENSIONS)}")
    owners = [path.relative_to(folder).parent.as_posix().strip(".") for path in paths]
    names, labels = np.unique(owners, return_inverse=True)
    about = {"labels": labels.astype("int32")}
    return of_files(paths, rate, about), tuple(names.tolist())


def transcribed_folder(folder, rate):
    """The sounds of a folder with `metadata.csv`, as LJSpeech has it.

    Each line is the name of a file in `wavs`, without `.wav`, what it says, and maybe
    the same with numbers spelled out, which is taken then, with `|` between them.

    Args:
        folder: path.
        rate: int, Hz.

    Returns:
        `Recordings` with `"names"` and `"texts"`, str `(N,)`.

    Raises:
        OSError: if a file is not there.
        ValueError: if there are no lines, or one has no text, or names a file outside
            of `wavs`.
    """
    place = folder / TRANSCRIPTS
    rows = [line.split("|") for line in lines(read_text(place)) if line.strip()]
    if not rows:
        raise ValueError(f"{place} must have at least one line")
    for number, row in enumerate(rows, 1):
        name = pathlib.PurePath(row[0])
        if len(row) < 2 or not row[-1].strip() or name.anchor or ".." in name.parts:
            raise ValueError(
                f"{place}, line {number}, must be a name, | and a text. "
                f"Received: {'|'.join(row)[:60]!r}"
            )
    paths = [folder / "wavs" / f"{row[0]}.wav" for row in rows]
    about = {
        "names": np.array([row[0] for row in rows]),
        "texts": np.array([row[-1] for row in rows]),
    }
    return of_files(paths, rate, about)


def spoken_loader(rows, batch_size, tokens, mel=None, **settings):
    """Batches of whole sounds of similar length, with what is said in them.

    Args:
        rows: map-style data set of dicts of `"waves"`, float32 `(T,)`, and whatever
            `tokens` reads; who speaks, if they have `"speakers"`. `rows.lengths` are
            the samples of each.
        batch_size: int.
        tokens: function of a list of such dicts that returns int32 `(B, L)`.
        mel: `Mel` or `None`. What batches have instead of waves.
        **settings: of `DataLoader`.

    Returns:
        `DataLoader` of dicts of `"waves"`, float32 `(B, T)`, and `"samples"`, int32
        `(B,)`; or of `"mels"`, float32 `(B, F, bands)`, and `"frames"`; of `"tokens"`;
        and of `"speakers"`, int32 `(B,)`.
    """

    def collate(samples, length):
        waves = [sample["waves"] for sample in samples]
        batch = {
            "waves": pad_sequence(waves, length=length),
            "samples": np.array([len(wave) for wave in waves], "int32"),
            "tokens": tokens(samples),
        }
        if "speakers" in samples[0]:
            who = [sample["speakers"] for sample in samples]
            batch["speakers"] = np.array(who, "int32")
        return batch

    def hear(batch, seed):
        batch = dict(batch)
        waves, samples = batch.pop("waves"), batch.pop("samples")
        frames = tf.cast(mel.frame_count(samples), "int32")
        return {"mels": mel(waves, samples), "frames": frames, **batch}

    return DataLoader(
        rows,
        batch_size,
        collate=collate,
        buckets=Buckets(by=rows.lengths),
        transform=None if mel is None else hear,
        **settings,
    )


def crop_loader(recordings, batch_size, crop, seed=0, tail=0, mel=None, **settings):
    """Batches of crops of recordings.

    Where a recording is longer than a crop, training ones begin at the recording's
    own beginning or anywhere in it, and others at its beginning.

    Args:
        recordings: `Recordings`.
        batch_size: int.
        crop: int, samples. Shorter recordings are followed by silence.
        seed: int.
        tail: int, samples of silence behind a recording that count as sound, so that
            a model learns that it ends.
        mel: `Mel` or `None`. If given, crops begin where one of its frames does, and
            batches have its spectrograms, cut out of those of whole recordings. A crop
            of `n` hops has `n + 1` frames, that at its first and that behind its last
            sample among them.
        **settings: of `DataLoader`; with `fixed` all begin at the beginning.

    Returns:
        `DataLoader` whose `recordings` are these, of dicts of `"waves"`, float32
        `(B, crop)`; `"samples"`, int32 `(B,)`, how many of them are sound; `"starts"`,
        int32 `(B,)`, at which sample of its sound a crop begins; with a `mel`,
        `"mels"`, float32 `(B, F, bands)`, and `"frames"`, int32 `(B,)`, how many of
        them are of the recording; and what is known of each.

    Raises:
        ValueError: if `crop` is no multiple of the hop of `mel`.
    """
    check_crop(crop)
    if mel is not None and crop % mel.hop:
        raise ValueError(
            f"`crop` must be a multiple of the hop of `mel`, {mel.hop}. "
            f"Received: {crop=}"
        )
    hop = 1 if mel is None else mel.hop
    spectra = None if mel is None else _Spectra(recordings, mel)
    with tf.device("CPU:0"):
        sound = tf.constant(recordings.sound)
    anywhere = not settings.get("fixed", False)

    def cut(batch, seed):
        batch = dict(batch)
        begin, length = batch.pop("begin"), batch.pop("length")
        start = _starts(length, crop, seed) if anywhere else tf.zeros_like(length)
        start -= start % hop
        place = start[:, None] + tf.range(crop, dtype="int64")
        samples = tf.gather(
            sound, tf.minimum(begin[:, None] + place, len(recordings.sound) - 1)
        )
        waves = tf.cast(samples, "float32") / LOUDEST
        left = tf.minimum(length + tail - start, crop)
        told = {}
        if spectra is not None:
            told = spectra.cut(batch.pop("row"), start // hop, crop // hop + 1)
        return {
            "waves": tf.where(place < length[:, None], waves, 0.0),
            "samples": tf.cast(left, "int32"),
            "starts": tf.cast(start, "int32"),
            **told,
            **batch,
        }

    rows = {"begin": recordings.begins, "length": recordings.lengths}
    if spectra is not None:
        rows["row"] = np.arange(len(recordings))
    loader = DataLoader(
        {**rows, **recordings.about}, batch_size, seed=seed, transform=cut, **settings
    )
    loader.content = (loader.content, recordings.sound)
    loader.recordings = recordings
    return loader


class _Spectra:
    """The spectrograms of recordings, one after the other.

    Args:
        recordings: `Recordings`.
        mel: `Mel` without a length.
    """

    def __init__(self, recordings, mel):
        hear = tf.function(  # of thousands; each alone would take as long as its ops
            lambda wave: mel(wave[None])[0],
            input_signature=[tf.TensorSpec((None,), "float32")],
            autograph=False,
        )
        every = range(len(recordings))
        rows = [hear(recordings.wave(index)).numpy() for index in every]
        counts = np.array([len(row) for row in rows])
        with tf.device("CPU:0"):
            self.frames = tf.constant(np.concatenate(rows))
            self.counts = tf.constant(counts)
            self.begins = tf.constant(np.cumsum(counts) - counts)

    def cut(self, row, first, length):
        """Some frames of each of some recordings, see `crop_loader`.

        Args:
            row, first: int64 `(B,)`: which recording, and its first frame.
            length: int, F.

        Returns:
            dict of `"mels"` and `"frames"`.
        """
        place = first[:, None] + tf.range(length, dtype="int64")
        counts = tf.gather(self.counts, row)[:, None]
        index = tf.gather(self.begins, row)[:, None] + tf.minimum(place, counts - 1)
        left = tf.minimum(counts[:, 0] - first, length)
        inside = tf.cast(place < counts, "float32")[..., None]
        mels = tf.gather(self.frames, index) * inside
        return {"mels": mels, "frames": tf.cast(left, "int32")}


def check_crop(crop):
    """Raises unless this can be the samples of a crop.

    Args:
        crop: int, from 1 to 2**24.

    Raises:
        TypeError: if it is no int.
        ValueError: if it is out of range.
    """
    check_size("crop", crop, most=2**24)


def _starts(lengths, crop, seed):
    """int64 `(B,)`: where crops begin; what fits into a crop begins at 0.

    Half of a crop may lie before its sound, and then it begins with the sound instead,
    or after it. So the ends are in half as many crops as what lies between.
    """
    draws = tf.random.stateless_uniform(tf.shape(lengths), seed, dtype="float64")
    start = tf.cast(draws * tf.cast(lengths, "float64"), "int64") - crop // 2
    return tf.where(lengths <= crop, tf.zeros_like(start), tf.maximum(start, 0))


def _whole(wave):
    """int16 `(T,)`: a wave as it is kept, in half or a quarter of its bytes."""
    wave = np.round(wave * LOUDEST)
    return np.clip(wave, -LOUDEST, LOUDEST - 1).astype("int16")


def _joined(sounds, rate, about):
    lengths = np.array([len(sound) for sound in sounds])
    return Recordings(np.concatenate(sounds), lengths, rate, about)


def _is_sound(path):
    return path.suffix.lower() in EXTENSIONS
