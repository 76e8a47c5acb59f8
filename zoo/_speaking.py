"""What entries that speak have in common."""

import functools
import re

import numpy as np

from keras_genai import from_preset
from keras_genai.data import speech
from keras_genai.evaluation.alignment_plot import LARGEST, plot_alignment
from keras_genai.evaluation.transcription import word_error_rate
from keras_genai.evaluation.translation import exact_match
from keras_genai.modalities.speech import Speech
from keras_genai.tasks.text_to_speech import PARTS
from zoo import _places, _speech
from zoo._command import say, training

# 32 ms windows, 10 ms apart.
SPEECH = Speech(speech.RATE, window=256, hop=80, bands=40, floor=1e-5)
MEAN, DEVIATION = -9.5, 2.8  # of these spectrograms of the training data, rounded
LONGEST = 5  # digits
SOURCE = functools.partial(
    speech.digit_strings,
    mel=SPEECH,
    longest=LONGEST,
    spelled=True,
    gap=(0.02, 0.15),
    speed=(1.0, 1.0),
    gain=(1.0, 1.0),
    noise=(0.0, 0.0),
)
LISTENER = "ctc_digits"
SCORED = 200  # utterances
SEED = 20_220_601  # of their texts
PLOTTED = 2  # of either kind
MEASURED = 64  # recordings of one's own, for how loud their bands are
SHOWN = ("four two seven", "one nine eight three", "zero six five", "two two")


def spelled(text):
    """A text as `SOURCE` writes it: digits as words, small letters, no other signs.

    Args:
        text: str.

    Returns:
        str.
    """
    words = re.sub("[0-9]", lambda digit: f" {speech.WORDS[int(digit[0])]} ", text)
    return " ".join(re.findall("[a-z]+", words.lower()))


def score(model, splits):
    """How well a recogniser understands what is spoken, one that never heard it.

    Args:
        model: `TextToSpeech` of spelled digits.
        splits: `Splits` of `SOURCE`, or of `keras_genai.data.transcripts.folder`.

    Returns:
        dict of float. If there is a trained `LISTENER`: `digits_heard`, one minus the
        word error rate of utterances of five digits; `utterances_heard`, those right as
        a whole; the former beside the texts of others, `digits_heard_shuffled`, where
        nothing that was said matters; `digits_heard_real`, of real test strings, and
        `digits_heard_griffin_lim`, of their spectrograms made audible as the model's
        are. Of recordings of one's own the texts of the test are spoken, and it is
        words that are heard. The losses of the held-out strings.
    """
    listener = _listener(splits)
    heard = {} if listener is None else _heard(model, splits, listener)
    losses = model.evaluate(splits.validation.epoch(), return_dict=True, verbose=0)
    return {**heard, **{name: losses[name] for name in PARTS}}


def _listener(splits):
    """A trained recogniser that knows the letters of the test, or `None`."""
    place = _places.taken(LISTENER)
    if place is None:
        say("zoo", f"nobody listens: {_places.missing(LISTENER)}")
        return None
    listener = from_preset(place)
    if not _speech.of_digits(splits) and not _knows(listener, splits):
        say(
            "zoo",
            f"nobody listens: {LISTENER} was not trained on these recordings, as "
            f"`{training(LISTENER)} --data ...` does it",
        )
        return None
    return listener


def _knows(listener, splits):
    """bool: whether a recogniser writes with the letters of the data."""
    ours, theirs = splits.tokenizer.to_json(), listener.tokenizer.to_json()
    return ours == theirs and listener.given[0].rate == splits.kind("mels").rate


def _heard(model, splits, listener):
    noun = "digits" if _speech.of_digits(splits) else "words"
    texts, speakers = _asked(model, splits)
    waves = model.speak(texts, speakers)
    heard = listener.transcribe(waves)
    other = np.random.default_rng(SEED).permutation(len(texts))
    shuffled = [texts[place] for place in other]
    return {
        f"{noun}_heard": 1 - word_error_rate(heard, texts),
        "utterances_heard": exact_match(heard, texts),
        f"{noun}_heard_shuffled": 1 - word_error_rate(heard, shuffled),
        **_of_real_ones(model, splits, listener, noun),
    }


def _asked(model, splits):
    """The texts that are spoken to be scored, and by whom."""
    if _speech.of_digits(splits):
        texts = written()
        return texts, speakers_of(model, len(texts))
    test = splits.test
    return test["texts"][:SCORED].tolist(), test["speakers"][:SCORED]


def written(count=SCORED, length=LONGEST):
    """list of str: texts of so many digits, the same ones every time."""
    draws = np.random.default_rng(SEED).integers(0, 10, (count, length))
    return [" ".join(speech.WORDS[digit] for digit in row) for row in draws]


def speakers_of(model, count):
    """int32 `(count,)`: all speakers in turn."""
    return model.given[1].in_turn(count)


def _of_real_ones(model, splits, listener, noun):
    test = splits.test
    texts = test["texts"].tolist()
    waves = _speech.spoken(test)
    again = [model.target.heard(mel) for mel in model.target.read(waves)]
    return {
        f"{noun}_heard_real": 1 - word_error_rate(listener.transcribe(waves), texts),
        f"{noun}_heard_griffin_lim": 1
        - word_error_rate(listener.transcribe(again), texts),
    }


def speak(model, seed, texts=None, source=None):
    """Waves of texts, by a speaker each.

    Args:
        model: `TextToSpeech`.
        seed: int.
        texts: sequence of str, or `None`: some digits, or the shortest test texts of
            a source of one's own.
        source: see `Entry.sample`; or `None`.

    Returns:
        list of float32 `(T,)`.
    """
    if texts is None:
        texts = SHOWN if source is None else _shown(source(batch_size=2))
    return model.speak(list(texts), speakers_of(model, len(texts)), seed=seed)


def _shown(splits):
    """Texts that a model of these data can say: tuple of str."""
    if _speech.of_digits(splits):
        return SHOWN
    part = splits.test
    return tuple(part["texts"][_shortest(part)[: len(SHOWN)]].tolist())


def _shortest(part):
    """int `(N,)`: the places of a part's texts, the shortest first."""
    sizes = [len(text) for text in part["texts"].tolist()]
    return np.argsort(sizes, kind="stable")


def fits(config, splits):
    """How loud recordings of one's own are, where nobody says it: see `Entry`."""
    given = config["mean"], config["deviation"]
    if _speech.of_digits(splits) or given != (MEAN, DEVIATION):
        return {}
    waves = _speech.spoken(splits.held_out, slice(MEASURED))
    every = np.concatenate(splits.kind("mels").read(waves))
    deviation = max(float(np.round(every.std(), 1)), 0.1)  # silence has none
    return {"mean": float(np.round(every.mean(), 1)), "deviation": deviation}


def plot(model, source=None):
    """Which letters the moments of sounds belong to: PNG bytes.

    Two test strings, and below them two that the model says; without data of its own,
    made-up sounds that are no speech instead of the former. `None` where all texts of
    one's own are too long to be drawn.
    """
    source = source or functools.partial(SOURCE, stand_in=True)
    splits = source(batch_size=2)
    part, shown = splits.test, _shown(splits)[:PLOTTED]
    if not _speech.of_digits(splits):
        rows = _shortest(part)[:PLOTTED]
        part = {name: values[rows] for name, values in part.items()}
    waves = _speech.spoken(part, slice(PLOTTED))
    texts, speakers = part["texts"][:PLOTTED].tolist(), part["speakers"][:PLOTTED]
    if max(map(len, texts)) > LARGEST:
        return None
    said = model.generate(list(shown), speakers)
    return plot_alignment(
        model,
        [*texts, *shown],
        [*model.target.read(waves), *said],
        np.concatenate([speakers, speakers]),
    )
