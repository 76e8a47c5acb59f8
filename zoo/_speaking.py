"""What entries that speak have in common."""

import functools

import numpy as np

from keras_genai import from_preset
from keras_genai.data import speech
from keras_genai.evaluation.alignment_plot import plot_alignment
from keras_genai.evaluation.transcription import word_error_rate
from keras_genai.evaluation.translation import exact_match
from keras_genai.modalities.speech import Speech
from keras_genai.tasks.text_to_speech import PARTS
from zoo import _places, _speech
from zoo._command import say

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
SHOWN = ("four two seven", "one nine eight three", "zero six five", "two two")


def score(model, splits):
    """How well a recogniser understands what is spoken, one that never heard it.

    Args:
        model: `TextToSpeech` of spelled digits.
        splits: `Splits` of `SOURCE`.

    Returns:
        dict of float. If there is a trained `LISTENER`: `digits_heard`, one minus the
        word error rate of utterances of five digits; `utterances_heard`, those right as
        a whole; the former beside the texts of others, `digits_heard_shuffled`, where
        nothing that was said matters; `digits_heard_real`, of real test strings, and
        `digits_heard_griffin_lim`, of their spectrograms made audible as the model's
        are. The losses of the held-out strings.
    """
    place = _places.taken(LISTENER)
    if place is None:
        say("zoo", f"nobody listens: {_places.missing(LISTENER)}")
    heard = {} if place is None else _heard(model, splits, from_preset(place))
    losses = model.evaluate(splits.validation.epoch(), return_dict=True, verbose=0)
    return {**heard, **{name: losses[name] for name in PARTS}}


def _heard(model, splits, listener):
    texts = written()
    waves = model.speak(texts, speakers_of(model, len(texts)))
    heard = listener.transcribe(waves)
    other = np.random.default_rng(SEED).permutation(len(texts))
    return {
        "digits_heard": 1 - word_error_rate(heard, texts),
        "utterances_heard": exact_match(heard, texts),
        "digits_heard_shuffled": 1
        - word_error_rate(heard, [texts[place] for place in other]),
        **_of_real_ones(model, splits, listener),
    }


def written(count=SCORED, length=LONGEST):
    """list of str: texts of so many digits, the same ones every time."""
    draws = np.random.default_rng(SEED).integers(0, 10, (count, length))
    return [" ".join(speech.WORDS[digit] for digit in row) for row in draws]


def speakers_of(model, count):
    """int32 `(count,)`: all speakers in turn."""
    return model.given[1].in_turn(count)


def _of_real_ones(model, splits, listener):
    test = splits.test
    texts = test["texts"].tolist()
    waves = _speech.spoken(test)
    again = [model.target.heard(mel) for mel in model.target.read(waves)]
    return {
        "digits_heard_real": 1 - word_error_rate(listener.transcribe(waves), texts),
        "digits_heard_griffin_lim": 1
        - word_error_rate(listener.transcribe(again), texts),
    }


def speak(model, seed, texts=SHOWN):
    """Waves of texts, by a speaker each.

    Args:
        model: `TextToSpeech`.
        seed: int.
        texts: sequence of str.

    Returns:
        list of float32 `(T,)`.
    """
    return model.speak(list(texts), speakers_of(model, len(texts)), seed=seed)


def plot(model, source=None):
    """Which letters the moments of sounds belong to: PNG bytes.

    Two test strings, and below them two that the model says; without data of its own,
    made-up sounds that are no speech instead of the former.
    """
    source = source or functools.partial(SOURCE, stand_in=True)
    part = source(batch_size=2).test
    waves = _speech.spoken(part, slice(PLOTTED))
    texts, speakers = part["texts"][:PLOTTED].tolist(), part["speakers"][:PLOTTED]
    said = model.generate(list(SHOWN[:PLOTTED]), speakers)
    return plot_alignment(
        model,
        [*texts, *SHOWN[:PLOTTED]],
        [*model.target.read(waves), *said],
        np.concatenate([speakers, speakers]),
    )
