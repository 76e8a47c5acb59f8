"""Transcribed recordings of one's own, for recognisers and for voices."""

import dataclasses
import hashlib
import pathlib
import warnings

import numpy as np
import tokenizers as core_library
from tokenizers import decoders, models, normalizers

from keras_genai.checks import check_instance, check_number, check_size
from keras_genai.data import recordings, tokenizers
from keras_genai.data.loading import Splits
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.files.paths import as_path
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.text import Text

ONLY = "speaker"  # the name of who speaks in files of no inner folder
_FEWEST = 3  # recordings: one to train, one to validate, one to test
_MOST_HELD_OUT = 300  # recordings that test, or validate
_MOST_VALIDATED = 20  # of them together
_WRITTEN = normalizers.Sequence(
    [
        normalizers.Lowercase(),
        normalizers.NFC(),
        normalizers.Replace(core_library.Regex(r"[\s\0]+"), " "),
        normalizers.Strip(),
    ]
)


def folder(batch_size, seed=0, data_dir=None, *, path, mel, seconds=20.0, letters=250):
    """The user's own recordings, and what is said in each, letter by letter.

    The folder is like that of LJSpeech, see `recordings.transcribed_folder`. Folders in
    `wavs` tell who speaks: the line of `wavs/anna/001.wav` begins with `anna/001|`.
    Without such folders there is one speaker.

    Texts become lower-case, and have one blank where there were several. The hash of
    its name decides where a recording belongs: a tenth, at most 300, tests, and as
    many validate. So what is added later moves few of the others.

    Args:
        batch_size: int.
        seed: int. Which recordings come in which batch.
        data_dir: unused.
        path: path of the folder.
        mel: `Mel` without a length. Recordings are read at its rate.
        seconds: float > 0. Longer recordings are left out, which a warning says; so is
            one with fewer frames than letters, to which its text cannot belong.
        letters: int. Recordings of longer texts are left out.

    Returns:
        `Splits` with `test`. Batches are dicts of `"mels"`, float32 `(B, F, bands)`;
        `"frames"`, int32 `(B,)`; `"tokens"`, int32 `(B, L)` of letters, 0 where nothing
        is, L being the most in any text; and `"speakers"`, int32 `(B,)`. Each batch has
        recordings of similar length. `held_out` and `test` have `"waves"`, float32
        `(N, T)`, `"samples"`, `"speakers"`, `"names"` and `"texts"`, str `(N,)`. The
        tokenizer has the letters of the training texts, and `<unk>` for others.

    Raises:
        OSError: if a file is not there.
        TypeError: if an argument is of a wrong type.
        ValueError: if a line or a sound cannot be read, a name comes twice, or less
            than three recordings are left.
    """
    check_instance("mel", mel, Mel)
    check_number("seconds", seconds, "from 0.1 to 3600", lambda x: 0.1 <= x <= 3_600)
    check_size("letters", letters, most=2**14)
    place = as_path(path)
    whole = recordings.transcribed_folder(place, mel.rate)
    whole = _fitting(_spelled(whole, place), mel, seconds, letters, place)
    speakers = whole.about.pop("voices")
    names, whole.about["speakers"] = np.unique(speakers, return_inverse=True)
    whole.about["speakers"] = whole.about["speakers"].astype("int32")
    train, held_out, test = _parts(whole)
    longest = max(len(text) for text in whole.about["texts"].tolist())
    text = Text(letter_tokenizer(train.about["texts"].tolist()), length=longest)
    few = min(batch_size, len(held_out), _MOST_VALIDATED)
    return Splits(
        _loader(train, text, mel, batch_size, seed=seed),
        _loader(held_out, text, mel, few, shuffle=False, fixed=True),
        text.tokenizer,
        held_out=_arrays(held_out),
        test=_arrays(test),
        name=place.name,
        kinds=(text, mel, Speaker(len(names), tuple(names.tolist()))),
    )


def letter_tokenizer(texts):
    """`Tokenizer` of which each character of some texts is one token; 0 is padding.

    What it reads is `written` first, so that a model is told what people type in the
    form that it has learned. It also has what a model needs that writes token by token,
    and one token for all other characters.

    Args:
        texts: list of str.
    """
    roles = {**tokenizers.SPECIAL_TOKENS, "pad_token": "\0"}
    pad, start, end, unknown = roles.values()
    letters = sorted({pad, *"".join(map(written, texts))})
    vocabulary = {token: place for place, token in enumerate([*letters, unknown])}
    core = core_library.Tokenizer(
        models.BPE(vocab=vocabulary, merges=[], unk_token=unknown)
    )
    core.normalizer, core.decoder = _WRITTEN, decoders.Fuse()
    core.add_special_tokens([start, end, unknown])
    return Tokenizer(core, **roles)


def written(text):
    """A text as it is learned: lower-case, composed, one blank between words.

    Args:
        text: str.

    Returns:
        str.
    """
    return _WRITTEN.normalize_str(text)


@dataclasses.dataclass(frozen=True, eq=False)
class _Spelled:
    """Recordings and their tokens, as a map-style data set."""

    recordings: recordings.Recordings
    tokens: np.ndarray

    def __len__(self):
        return len(self.recordings)

    def __getitem__(self, index):
        return {
            "waves": self.recordings.wave(index),
            "tokens": self.tokens[index],
            "speakers": self.recordings.about["speakers"][index],
        }

    @property
    def lengths(self):
        return self.recordings.lengths

    @property
    def content(self):
        """What a run is known by."""
        told = self.recordings.lengths, self.recordings.about["speakers"]
        return (self.recordings.sound, *told, self.tokens)


def _loader(part, text, mel, batch_size, **settings):
    """Batches of recordings, as spectrograms."""

    def tokens(samples):
        return np.stack([sample["tokens"] for sample in samples])

    rows = _Spelled(part, text.read(part.about["texts"].tolist()))
    return recordings.spoken_loader(rows, batch_size, tokens, mel, **settings)


def _spelled(whole, place):
    """Recordings with their texts as they are learned, and their `"voices"`."""
    names = [pathlib.PurePath(n).as_posix() for n in whole.about["names"].tolist()]
    known, counts = np.unique(names, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f"{place / recordings.TRANSCRIPTS} must name each recording once. "
            f"Received: {known[np.argmax(counts)]} {counts.max()} times"
        )
    parents = [pathlib.PurePath(name).parent.as_posix() for name in names]
    about = {
        "names": np.array(names),
        "texts": np.array([written(text) for text in whole.about["texts"].tolist()]),
        "voices": np.array([ONLY if who == "." else who for who in parents]),
    }
    return dataclasses.replace(whole, about=about)


def _fitting(whole, mel, seconds, letters, place):
    """The recordings that can be learned from; says how many others there are."""
    sizes = np.array([len(text) for text in whole.about["texts"].tolist()])
    frames = np.array([mel.frame_count(count) for count in whole.lengths.tolist()])
    odd = {
        f"of more than {seconds:g} s": whole.lengths > seconds * whole.rate,
        f"of more than {letters} letters": sizes > letters,
        "of fewer frames than letters": frames < sizes,
        "without a letter": sizes == 0,
    }
    left_out = np.any(list(odd.values()), axis=0)
    said = [f"{rows.sum()} {what}" for what, rows in odd.items() if rows.any()]
    told = f"{left_out.sum()} of {len(whole)} recordings"
    if len(whole) - left_out.sum() < _FEWEST:
        raise ValueError(
            f"`path` must have at least {_FEWEST} recordings to learn from. Received: "
            f"{', '.join([f'{len(whole)} in {place}', *said])}"
        )
    if said:
        warnings.warn(f"left out {told}: {', '.join(said)}", stacklevel=3)
    return whole.take(~left_out)


def _parts(whole):
    """Training, validation and test, each in the order of the hashes of its names."""
    names = whole.about["names"].tolist()
    hashes = [hashlib.sha256(name.encode()).digest() for name in names]
    order = np.array(sorted(range(len(names)), key=hashes.__getitem__))
    size = max(1, min(_MOST_HELD_OUT, len(names) // 10))
    places = order[2 * size :], order[size : 2 * size], order[:size]
    return [whole.take(place) for place in places]


def _arrays(part):
    arrays = part.arrays()
    del arrays["starts"]
    return arrays
