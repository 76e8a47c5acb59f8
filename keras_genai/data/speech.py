"""Spoken digits: what recordings there are, and strings of them for recognisers."""

import dataclasses
import functools

import numpy as np

from keras_genai.checks import check_instance, check_number, check_size
from keras_genai.data import recordings, synthetic_speech, tokenizers, transcripts
from keras_genai.data.loading import Splits
from keras_genai.files.paths import as_path, folders
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.text import Text
from keras_genai.padding import pad_sequence

RATE = 8_000  # Hz
WORDS = ("zero", "one", "two", "three", "four")
WORDS += ("five", "six", "seven", "eight", "nine")
_TEST, _VALIDATION = 5, 8  # takes below the first test, those below the second validate
_FIXED = 20_200_620  # seed of what is the same in every run
_LONGEST_WORD = 5  # letters
_MOST_STRINGS = 2**20


def digit_strings(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    mel=None,
    longest=6,
    strings=20_000,
    left_out=None,
    spelled=False,
    stand_in=False,
    **sound,
):
    """Strings of one to six spoken digits, each string of one speaker.

    A string is made of the recordings of `sounds.spoken_digits` with silence between
    them, at another speed, loudness and under another noise each. Validation and test
    strings are the same in every run and of takes that never train.

    Args:
        batch_size: int.
        seed: int. Which strings are made and come in which batch.
        data_dir, left_out, stand_in: see `sounds.spoken_digits`.
        mel: `Mel` or `None`. What batches have instead of waves.
        longest: int. Digits of the longest strings.
        strings: int. How many different ones are made for training.
        spelled: bool. Whether tokens are letters, and not words.
        **sound: of `Strings`: `gap`, `speed`, `gain` and `noise`, ranges, and `bare`.

    Returns:
        `Splits` with `test`. Batches are dicts of `"waves"`, float32 `(B, T)`, and
        `"samples"`, int32 `(B,)`; or of `"mels"`, float32 `(B, F, bands)`, and
        `"frames"`; and of `"tokens"`, int32 `(B, longest)`, or `(B, 6 longest)`
        of letters, 0 where nothing is. Each
        batch has strings of similar length. `held_out` and `test` have `"waves"`,
        `"samples"`, `"speakers"` and `"texts"`, str `(N,)`, such as `"three one"`;
        `texts` of `Splits` has the `Recordings` of training and test.

    Raises:
        FileNotFoundError: if the files are not there.
        ValueError: if an argument is not as said.
    """
    if mel is not None:
        check_instance("mel", mel, Mel)
    check_size("longest", longest, most=64)
    check_size("strings", strings, most=_MOST_STRINGS)
    parts, speakers = digit_parts(data_dir, left_out, stand_in)
    counts = (200, 20, 20) if stand_in else (strings, 300, 600)
    made = [
        Strings(part, count, longest, part_seed, **sound)
        for part, count, part_seed in zip(
            parts, counts, (seed, _FIXED, _FIXED + 1), strict=True
        )
    ]
    text = (
        Text(letter_tokenizer(), length=longest * (_LONGEST_WORD + 1))
        if spelled
        else Text(word_tokenizer(), length=longest)
    )
    kind = Audio(RATE) if mel is None else mel

    def tokens(samples):
        return text.read([sample["texts"] for sample in samples])

    loader = functools.partial(recordings.spoken_loader, tokens=tokens, mel=mel)
    return Splits(
        loader(made[0], batch_size, seed=seed),
        loader(made[1], min(batch_size, 20), shuffle=False, fixed=True),
        text.tokenizer,
        held_out=made[1].arrays(),
        test=made[2].arrays(),
        name="digit_strings",
        kinds=(text, kind, Speaker(len(speakers), speakers)),
        texts={"train": parts[0], "test": parts[2]},
    )


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"digit_strings"`, `"folder:PATH"`, or the path of a folder, see
            `transcripts.folder`.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named folder does not exist, or has no transcripts.
    """
    if spec == digit_strings.__name__:
        return digit_strings
    path = str(spec).removeprefix("folder:")
    found = path and as_path(path, "data").is_dir()
    if found and (as_path(path, "data") / recordings.TRANSCRIPTS).is_file():
        return functools.partial(transcripts.folder, path=path)
    if found or path != str(spec):
        raise FileNotFoundError(
            f"`data` must name a folder that has {recordings.TRANSCRIPTS}, with lines "
            f"such as name|text, and wavs/name.wav. Received: {str(spec)!r}"
        )
    raise ValueError(
        "`data` must be 'digit_strings', folder:PATH or an existing folder. "
        f"Received: {str(spec)!r}"
    )


@functools.cache
def word_tokenizer():
    """`Tokenizer` of which each of the ten words is one token; 0 is padding."""
    return tokenizers.wordpiece(WORDS, 64, lowercase=True)


@functools.cache
def letter_tokenizer():
    """`Tokenizer` of which each letter, and the space, is one token; 0 is padding."""
    return tokenizers.characters(["\0", *WORDS, " "], pad_token="\0")


def digit_parts(data_dir=None, left_out=None, stand_in=False):
    """All recordings of single digits.

    Args:
        data_dir, left_out, stand_in: see `sounds.spoken_digits`.

    Returns:
        `((train, validation, test), speakers)`: three `Recordings` with `"labels"`,
        `"speakers"` and `"takes"`, int32 `(N,)`, and tuple of str.

    Raises: as `sounds.spoken_digits`.
    """
    if stand_in:
        whole, speakers = synthetic_speech.digits(RATE)
    else:
        whole, speakers = _read_digits(_digit_folder(data_dir))
    takes, who = whole.about["takes"], whole.about["speakers"]
    is_test, rest = takes < _TEST, takes >= _TEST
    if left_out is not None:
        if left_out not in speakers:
            raise ValueError(
                f"`left_out` must be one of {', '.join(speakers)}. "
                f"Received: left_out={left_out!r}"
            )
        is_test = who == speakers.index(left_out)
        rest = ~is_test & rest
    held_out = rest & (takes < _VALIDATION)
    parts = {"train": rest & ~held_out, "validation": held_out, "test": is_test}
    for name, part in parts.items():
        if not part.any():
            raise ValueError(
                f"`data_dir` must have recordings for the part {name}: takes 0 to "
                f"{_TEST - 1} test, those up to {_VALIDATION - 1} validate, later ones "
                "train, and whoever is left out tests alone. "
                f"Received: {len(whole)} recordings by {', '.join(speakers)}"
            )
    return tuple(whole.take(part) for part in parts.values()), speakers


@dataclasses.dataclass(frozen=True, eq=False)
class Strings:
    """Strings of digits as a map-style data set: each a pure function of its place.

    Args:
        digits: `Recordings` with `"labels"` and `"speakers"`.
        count: int. How many strings.
        longest: int. Digits of the longest.
        seed: int.
        gap: `(least, most)`, seconds of silence before, between and after digits.
        speed: `(least, most)`, of the digits of a string; pitch goes along.
        gain: `(least, most)`, what waves are multiplied by.
        noise: `(least, most)`, standard deviation of what is added, in parts of that of
            the softest digit: recordings of one voice may be twenty times as loud as
            those of another, and would hide in a noise that is the same for all.
        bare: float in [0, 1]. Share of the strings without silence at their ends, as
            recordings are that somebody cut.

    Raises:
        TypeError: if a range is not of numbers.
        ValueError: if a range is none, or out of its own.
    """

    digits: recordings.Recordings
    count: int
    longest: int = 6
    seed: int = 0
    gap: tuple = (0.02, 0.3)
    speed: tuple = (0.9, 1.1)
    gain: tuple = (0.5, 1.0)
    noise: tuple = (0.0, 0.15)
    bare: float = 0.0

    def __post_init__(self):
        for name, least, most in (
            ("gap", 0, 10),
            ("speed", 0.25, 4),
            ("gain", 0, 1),
            ("noise", 0, 1),
        ):
            _check_range(name, getattr(self, name), least, most)
        check_number("bare", self.bare, "in [0, 1]", lambda x: 0 <= x <= 1)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        """dict of `"waves"`, float32 `(T,)`, `"texts"` and `"speakers"`."""
        plan = {key: values[index] for key, values in self.plan.items()}
        draws = np.random.default_rng([self.seed % 2**63, index])
        wave = draws.normal(0, plan["noise"], self.lengths[index])
        place = 0
        rows = plan["rows"][: plan["size"]]
        for row, gap in zip(rows, plan["gaps"], strict=False):
            spoken = _faster(self.digits.wave(row), plan["speed"])
            place += gap
            wave[place : place + len(spoken)] += plan["gain"] * spoken
            place += len(spoken)
        return {
            "waves": wave.clip(-1, 1).astype("float32"),
            "texts": " ".join(
                WORDS[label] for label in self.digits.about["labels"][rows]
            ),
            "speakers": self.digits.about["speakers"][rows[0]],
        }

    @functools.cached_property
    def plan(self):
        """dict of arrays with a row a string: what each is made of."""
        draws = np.random.default_rng(self.seed % 2**63)
        count, longest = self.count, self.longest
        speakers = draws.choice(np.unique(self.digits.about["speakers"]), count)
        spoken = draws.integers(0, 10, (count, longest))
        gaps = draws.uniform(*self.gap, (count, longest + 1)) * self.digits.rate
        plan = {
            "size": draws.integers(1, longest + 1, count),
            "rows": self._rows(spoken, speakers, draws.random((count, longest))),
            "gaps": gaps.astype("int64"),
            "speed": draws.uniform(*self.speed, count),
            "gain": draws.uniform(*self.gain, count),
            "noise": draws.uniform(*self.noise, count),
        }
        beyond = np.arange(longest) >= plan["size"][:, None]
        softest = np.where(beyond, np.inf, self.loudness[plan["rows"]]).min(axis=1)
        plan["noise"] *= plan["gain"] * softest
        bare = np.flatnonzero(draws.random(count) < self.bare)
        plan["gaps"][bare, 0] = plan["gaps"][bare, plan["size"][bare]] = 0
        return plan

    @functools.cached_property
    def loudness(self):
        """float `(N,)`: standard deviation of each recording."""
        every = range(len(self.digits))
        return np.array([self.digits.wave(index).std() for index in every])

    @functools.cached_property
    def lengths(self):
        """int64 `(count,)`: samples of each string."""
        plan = self.plan
        spoken = _faster_length(
            self.digits.lengths[plan["rows"]], plan["speed"][:, None]
        )
        place = np.arange(self.longest + 1)
        in_string = place < plan["size"][:, None]
        gaps = plan["gaps"] * (place <= plan["size"][:, None])
        return (spoken * in_string[:, :-1]).sum(axis=1) + gaps.sum(axis=1)

    def arrays(self):
        """All of them padded: dict of arrays, see `digit_strings`."""
        every = [self[index] for index in range(self.count)]
        return {
            "waves": pad_sequence([one["waves"] for one in every]),
            "samples": self.lengths.astype("int32"),
            "texts": np.array([one["texts"] for one in every]),
            "speakers": np.array([one["speakers"] for one in every], "int32"),
        }

    def _rows(self, spoken, speakers, draws):
        """int `(N, longest)`: a recording of each digit by its speaker."""
        about = self.digits.about
        keys = about["speakers"] * 10 + about["labels"]
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=keys.max() + 10)
        wanted = speakers[:, None] * 10 + spoken
        if not counts[wanted].all():
            raise ValueError("`digits` must have every digit of every speaker")
        first = (np.cumsum(counts) - counts)[wanted]
        return order[first + (draws * counts[wanted]).astype("int64")]


def _digit_folder(data_dir):
    """The folder of the data set's files."""
    for folder in folders(data_dir, "fsdd"):
        for place in (folder, folder / "recordings"):
            if place.is_dir() and any(place.glob("[0-9]_*_*.wav")):
                return place
    raise FileNotFoundError(
        "`data_dir` must have the recordings of the Free Spoken Digit Dataset, "
        f"digit_speaker_take.wav. Received: data_dir={data_dir!s}"
    )


def _read_digits(folder):
    """`Recordings` of a folder, and the names of the speakers."""
    paths = sorted(folder.glob("[0-9]_*_*.wav"))
    names = [path.stem.split("_") for path in paths]
    for path, parts in zip(paths, names, strict=True):
        if len(parts) != 3 or not parts[2].isdecimal() or len(parts[2]) > 9:
            raise ValueError(f"{path} must be called digit_speaker_take.wav")
    digits, who, takes = zip(*names, strict=True)
    speakers, number = np.unique(who, return_inverse=True)
    about = {
        "labels": np.array(digits, "int32"),
        "speakers": number.astype("int32"),
        "takes": np.array(takes, "int32"),
    }
    return recordings.of_files(paths, RATE, about), tuple(speakers.tolist())


def _faster_length(samples, speed):
    return np.maximum(np.round(samples / speed), 1).astype("int64")


def _faster(wave, speed):
    """A wave that is played faster: between its samples there are straight lines."""
    places = np.arange(_faster_length(len(wave), speed)) * speed
    return np.interp(places, np.arange(len(wave)), wave)


def _check_range(name, value, least, most):
    allowed = f"a pair of numbers from {least:g} to {most:g}, the lower first"
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    for each in value:
        check_number(name, each, allowed, lambda x: least <= x <= most)
    if value[0] > value[1]:
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
