"""Captions that a program speaks, for recognisers whose texts are to be translated."""

import dataclasses
import html
import unicodedata

import numpy as np

from keras_genai.checks import check_instance, check_size
from keras_genai.data import espeak, tokenizers, translation
from keras_genai.data.loading import Splits
from keras_genai.data.recordings import spoken_loader
from keras_genai.data.speech import RATE
from keras_genai.files.paths import as_path
from keras_genai.files.sound import read_sound
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.text import Text
from keras_genai.padding import pad_sequence
from keras_genai.progress import watched

VOICES = ("de", "de+f2", "de+m3", "de+f4", "de+m7")
SPEEDS = (150, 200)  # words a minute
ALPHABET = "abcdefghijklmnopqrstuvwxyzäöüß "
LONGEST = 160  # letters of captions that train
FOLDER = "multi30k_spoken"
_FIXED = 20_160_901  # seed of who speaks what, the same in every run
_HELD_OUT = 300  # captions that validate
_STAND_INS = (24, 4, 4)  # captions that train, validate and test
_DAYS = (
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
)


def multi30k_german(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    mel,
    spoken=None,
    captions=6_000,
    stand_in=False,
):
    """German captions of Multi30k, spoken by espeak-ng, beside their English.

    Each caption is spoken by one of five voices, 150 to 200 words a minute, the same in
    every run, and kept as a file: a second run needs no espeak-ng. What is to be
    written is `spelled`: letters and blanks. Captions that train and validate have no
    digits, which are heard as words, and at most 160 letters; the test,
    `test_2016_flickr`, is whole.

    Args:
        batch_size: int.
        seed: int. Which captions come in which batch.
        data_dir: path of the data set's own files, or of a folder with `multi30k`; both
            of its forms are needed, `raw` to be spoken and `tok` to be translated.
        mel: `Mel`, of 8 kHz. What batches have of sounds.
        spoken: path of the folder that sounds are kept in, or `None`: `multi30k_spoken`
            in `data_dir`. An hour of sound is 58 MB.
        captions: int. How many train, of 29,000.
        stand_in: bool. If `True`, made-up dates as a tone for each letter, for tests.

    Returns:
        `Splits` with `test`. Batches are dicts of `"mels"`, float32 `(B, F, bands)`,
        `"frames"`, int32 `(B,)`, and `"tokens"`, int32 `(B, L)`, letters, 0 where
        nothing is. `held_out` and `test` have `"texts"`, what is said, `"inputs"`, the
        German as the data set has it in tokens, and `"targets"`, the English, all str
        `(N,)`; `texts` of `Splits` has the `Spoken` of training and test.

    Raises:
        FileNotFoundError: if the files are not there, or espeak-ng is needed and not
            installed.
        ValueError: if an argument is not as said, or a kept sound is none.
    """
    check_instance("mel", mel, Mel)
    check_size("captions", captions)
    if mel.rate != RATE:
        raise ValueError(f"`mel` must be of {RATE} Hz. Received: {mel.rate}")
    if stand_in:
        train, held_out, test = _stand_ins()
    else:
        train, held_out, test = _spoken_parts(data_dir, spoken, captions)
    text = Text(letter_tokenizer())
    return Splits(
        _loader(train, batch_size, text, mel, seed=seed),
        _loader(held_out, batch_size, text, mel, shuffle=False, fixed=True),
        text.tokenizer,
        held_out=held_out.written,
        test=test.written,
        name="multi30k_german_spoken",
        kinds=(text, mel),
        texts={"train": train, "test": test},
    )


def letter_tokenizer():
    """`Tokenizer` of which each character of `ALPHABET` is one token; 0 is padding."""
    return tokenizers.characters(["\0", ALPHABET], pad_token="\0")


def spelled(text):
    """What a recogniser is to write: small letters and single blanks.

    Other letters lose their accents; marks and digits are blanks.

    Args:
        text: str, plain or with the entities of Multi30k's tokens.

    Returns:
        str, of the characters of `ALPHABET`.
    """
    letters = unicodedata.normalize("NFC", html.unescape(text).lower())
    bare = (unicodedata.normalize("NFD", letter)[0] for letter in letters)
    pairs = zip(letters, bare, strict=True)
    known = [next((each for each in pair if each in ALPHABET), " ") for pair in pairs]
    return " ".join("".join(known).split())


@dataclasses.dataclass(frozen=True, eq=False)
class Spoken:
    """Sounds and what they say, as a map-style data set.

    Args:
        sounds: list of paths of WAV files of `espeak.speak`, or of float32 `(T,)`.
        lengths: int64 `(N,)`, samples of each.
        written: dict of `"texts"`, `"inputs"` and `"targets"`, str `(N,)`, see
            `multi30k_german`.
    """

    sounds: list
    lengths: np.ndarray
    written: dict

    def __len__(self):
        return len(self.sounds)

    def __getitem__(self, index):
        """dict of `"waves"`, float32 `(T,)`, and `"texts"`, str.

        Raises:
            OSError, ValueError: if a file is not what it was any more.
        """
        sound = self.sounds[index]
        wave = sound if isinstance(sound, np.ndarray) else read_sound(sound, RATE)
        if len(wave) != self.lengths[index]:
            raise ValueError(
                f"{sound} must stay as it is while it is used. Received: {len(wave):,} "
                f"samples after {self.lengths[index]:,}"
            )
        return {"waves": wave, "texts": str(self.written["texts"][index])}


def _spoken_parts(data_dir, spoken, captions):
    sizes = dict(zip(translation.PARTS, (captions, _HELD_OUT, None), strict=True))
    read = {
        name: [
            translation.multi30k_lines(name, ("de", "en"), tokenized, data_dir)
            for tokenized in (False, True)
        ]
        for name in sizes
    }
    folder = as_path(data_dir, "data_dir") / FOLDER
    if spoken is not None:
        folder = as_path(spoken, "spoken")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`spoken` must be a folder. Received: {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    return [_part(*read[name], size, folder) for name, size in sizes.items()]


def _part(plain, tokens, most, folder):
    """`Spoken`: the first captions of one part; of the test, `most` is `None`, all."""
    if len(plain) != len(tokens):
        raise ValueError(
            "`data_dir` must have as many captions in raw as in tok. "
            f"Received: {len(plain)} and {len(tokens)}"
        )
    draws = np.random.default_rng([_FIXED, len(plain)])
    voices = draws.choice(VOICES, len(plain)).tolist()
    speeds = draws.integers(*SPEEDS, len(plain), endpoint=True).tolist()
    texts = [spelled(text) for text, _ in plain]
    chosen = range(len(plain))
    if most is not None:
        fits = [row for row in chosen if _trains(plain[row][0], texts[row])]
        chosen = fits[:most]
    made = [
        espeak.speak(plain[row][0], folder, RATE, voices[row], speeds[row])
        for row in watched(chosen, "caption")
    ]
    written = {
        "texts": np.array([texts[row] for row in chosen]),
        "inputs": np.array([tokens[row][0] for row in chosen]),
        "targets": np.array([tokens[row][1] for row in chosen]),
    }
    return Spoken([path for path, _ in made], np.array([n for _, n in made]), written)


def _trains(plain, text):
    return 0 < len(text) <= LONGEST and not any(map(str.isdigit, plain))


def _stand_ins():
    """Parts of weekdays, each letter a tone: not speech, and German in letters only."""
    draws = np.random.default_rng(_FIXED)
    return [_of_tones(draws.choice(_DAYS, (count, 2))) for count in _STAND_INS]


def _of_tones(days):
    texts = np.array([" ".join(row) for row in days])
    sounds = [_tones(text) for text in texts]
    lengths = np.array([len(sound) for sound in sounds])
    tokens = np.array([f"{text} ." for text in texts])
    return Spoken(
        sounds, lengths, {"texts": texts, "inputs": tokens, "targets": tokens}
    )


def _tones(text):
    """float32 `(T,)`: 40 ms for each letter."""
    time = np.arange(round(0.04 * RATE)) / RATE
    hertz = 200 + 80 * np.array([ALPHABET.index(letter) for letter in text])
    return (0.5 * np.sin(2 * np.pi * hertz[:, None] * time)).ravel().astype("float32")


def _loader(part, batch_size, text, mel, **settings):
    """Batches of captions, as spectrograms."""

    def tokens(samples):
        return pad_sequence(text.read([each["texts"] for each in samples]))

    return spoken_loader(part, batch_size, tokens, mel, **settings)
