"""What the recognisers of spoken digits have in common."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from keras_genai.data import speech
from keras_genai.data.loader import ChangedLoader
from keras_genai.evaluation.transcription import (
    character_error_rate,
    word_error_rate,
)
from keras_genai.evaluation.translation import exact_match
from keras_genai.layers.mel import LogMel
from keras_genai.layers.spec_augment import SpecAugment
from keras_genai.modalities.mel import Mel
from keras_genai.optimizers import adamw
from keras_genai.padding import pad_sequence
from keras_genai.schedules import warmup_cosine
from zoo import _translation
from zoo._averaging import averaged
from zoo.entry import Recipe

# 25 ms windows, 10 ms apart.
MEL = Mel(
    speech.RATE,
    window=200,
    hop=80,
    bands=40,
    fft_size=256,
    log10=True,
    floor=1e-6,  # softer than the noise of recordings: silence of zeros is like it
    # Not by utterance: bands of a single vowel, each made to have mean 0, say little.
    normalization="whisper",
)
AUGMENTATION = SpecAugment(
    band_masks=2, band_width=6, frame_masks=2, frame_width=12, frame_share=0.1
)
# A third of the strings is cut as the single recordings are.
SOURCE = functools.partial(speech.digit_strings, mel=MEL, gap=(0.0, 0.3), bare=0.3)
SHOWN = 8  # strings of a sample
_SIDE = 24  # frames and bands of the floor
_TOGETHER = 64  # recordings whose spectra are taken at once


def ctc_recipe(steps, rate, **more):
    """How models that say what is in each frame are trained, without XLA.

    Args:
        steps: int.
        rate: float. The highest learning rate of AdamW, whose weights are averaged.
        **more: of `Recipe`.
    """

    def compile(steps=steps):
        schedule = warmup_cosine(rate, max(1, steps // 20), steps)
        optimizer = adamw(schedule, weight_decay=0.01, clip=5.0, **averaged(steps))
        return dict(optimizer=optimizer, jit_compile=False)

    return Recipe(compile, steps=steps, steps_per_execution=5, log_every=50, **more)


def recipe(steps, rate, **more):
    """How models that write token by token are trained: as translators, without XLA."""

    def compile(steps=steps):
        warmup = max(1, steps // 20)
        return _translation.compiled(
            *(rate, warmup, steps), jit_compile=False, weight_decay=0.01, clip=1.0
        )

    return Recipe(compile, steps=steps, **more)


def spoken(part, rows=slice(None)):
    """The strings of a part of the data, without padding: list of float32 `(T,)`."""
    pairs = zip(part["waves"][rows], part["samples"][rows], strict=True)
    return [wave[:count] for wave, count in pairs]


def single(recordings):
    """Single digits: a list of float32 `(T,)`, and their words."""
    waves = [recordings.wave(index) for index in range(len(recordings))]
    return waves, [speech.WORDS[label] for label in recordings.about["labels"]]


def understood(model, sounds):
    """Transcripts, decoded in a graph: XLA would compile a search for each length."""
    with _translation.uncompiled(model):
        return model.transcribe(sounds)


def score(model, splits):
    """How well unseen strings and single digits are understood.

    Args:
        model: task with `transcribe`.
        splits: `Splits` of `keras_genai.data.speech.digit_strings`, or of
            `keras_genai.data.transcripts.folder`.

    Returns:
        dict of float: `word_error_rate` of the test strings; `string_accuracy`, those
        right as a whole; `word_error_rate_NAME` of each speaker; `digit_accuracy` of
        single recordings, of which a test without a speaker left out has 300, beside
        `floor_digit_accuracy`, that of their nearest neighbour in the training data,
        or for recordings of one's own `character_error_rate`; and
        `shuffled_word_error_rate`, that of transcripts beside the texts of other
        strings, which is what says nothing of the sounds.
    """
    truth = splits.test["texts"].tolist()
    found = understood(model, spoken(splits.test))
    shuffled = np.random.default_rng(0).permutation(len(truth))
    return {
        "word_error_rate": word_error_rate(found, truth),
        "string_accuracy": exact_match(found, truth),
        **_by_speaker(found, truth, splits),
        **(
            _of_digits(model, splits)
            if of_digits(splits)
            else {"character_error_rate": character_error_rate(found, truth)}
        ),
        "shuffled_word_error_rate": word_error_rate(
            found, [truth[place] for place in shuffled]
        ),
    }


def of_digits(splits):
    """bool: whether there are recordings of single digits behind the strings."""
    return splits.texts is not None


def _by_speaker(found, truth, splits):
    """dict of float: the word error rate of each of several speakers in the test."""
    who, names = splits.test["speakers"], splits.kind("speakers").names
    if len(names) == 1:
        return {}
    figures = {}
    for number in np.unique(who):
        rows = np.flatnonzero(who == number)
        figures[f"word_error_rate_{names[number]}"] = word_error_rate(
            [found[row] for row in rows], [truth[row] for row in rows]
        )
    return figures


def _of_digits(model, splits):
    """dict of float: accuracy on single recordings, and that of the floor."""
    test = splits.texts["test"]
    waves, truth = single(test)
    return {
        "digit_accuracy": exact_match(understood(model, waves), truth),
        "floor_digit_accuracy": nearest_neighbour(splits.texts["train"], test),
    }


def nearest_neighbour(train, test):
    """Accuracy of the nearest training digit, by spectrograms of 24 x 24.

    Args:
        train, test: `Recordings` with `"labels"`.

    Returns:
        float.
    """
    known, asked = (_small_spectrograms(part) for part in (train, test))
    distances = (known**2).sum(axis=1) - 2 * asked @ known.T
    nearest = train.about["labels"][np.argmin(distances, axis=1)]
    return float(np.mean(nearest == test.about["labels"]))


def _small_spectrograms(recordings):
    """float32 `(N, 24 * 24)`: log-mel spectrograms, all as long, mean 0, variance 1."""
    mel = LogMel(speech.RATE, window=256, hop=80, bands=_SIDE)
    waves, _ = single(recordings)
    rows = []
    for first in range(0, len(waves), _TOGETHER):
        chosen = waves[first : first + _TOGETHER]
        lengths = np.array([len(wave) for wave in chosen], "int32")
        found = mel(pad_sequence(chosen), lengths).numpy()
        for each, frames in zip(found, mel.frame_count(lengths), strict=True):
            places = np.linspace(0, frames - 1, _SIDE)
            known = np.arange(frames)
            rows.append([np.interp(places, known, band[:frames]) for band in each.T])
    rows = np.array(rows, "float32").reshape(len(rows), -1)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / rows.std(axis=1, keepdims=True)


def write(model, seed, source=None):
    """What is said in test strings and what the model understands, one a line.

    Without data of its own, in made-up sounds that are no speech.
    """
    source = source or functools.partial(SOURCE, stand_in=True)
    part = source(batch_size=2).test
    found = understood(model, spoken(part, slice(SHOWN)))
    pairs = zip(part["texts"].tolist(), found, strict=False)
    return "\n".join(f"{truth} -> {text}" for truth, text in pairs)


def fits(config, splits):
    """Room for the longest text of the data, and two tokens around it: see `Entry`."""
    room = splits.kind("tokens").length + 2
    settings = config["generation"]
    longest = max(settings.max_length, room)
    return {
        "context": max(config["context"], room),
        "generation": dataclasses.replace(settings, max_length=longest),
    }


def as_pairs(model, splits, batch_size, seed):
    """The same data for a model that writes token by token: see `Entry.feed`."""
    change = functools.partial(_as_pairs, splits.tokenizer)
    train, validation = (
        ChangedLoader(loader, change) for loader in (splits.train, splits.validation)
    )
    return dataclasses.replace(splits, train=train, validation=validation)


def _as_pairs(tokenizer, batch):
    """A batch as `Seq2SeqLM` reads it."""
    mels = batch["mels"]
    mask = tf.sequence_mask(batch["frames"], tf.shape(mels)[1])
    return read_and_written(tokenizer, mels, mask, batch["tokens"])


def read_and_written(tokenizer, inputs, mask, tokens):
    """What is read and what is to be written of it, as `Seq2SeqLM` trains on them.

    Args:
        tokenizer: `Tokenizer` with a start and an end token.
        inputs: float `(B, S, ...)`.
        mask: bool `(B, S)`, where they are real.
        tokens: int `(B, L)` of texts, 0 where nothing is.

    Returns:
        `(batch, labels, weights)`: dict; int `(B, L + 1)`, the texts and their ends;
        and float32 `(B, L + 1)`, 1 at these.
    """
    ends = tf.math.count_nonzero(tokens, axis=1, keepdims=True, dtype="int32")
    places = tf.range(tf.shape(tokens)[1] + 1)[None]
    longer = tf.pad(tokens, [(0, 0), (0, 1)])
    labels = tf.where(places == ends, tokenizer.end_token, longer)
    batch = {
        "inputs": inputs,
        "inputs_mask": mask,
        "targets": tf.pad(
            labels[:, :-1], [(0, 0), (1, 0)], constant_values=tokenizer.start_token
        ),
    }
    return batch, labels, tf.cast(places <= ends, "float32")
