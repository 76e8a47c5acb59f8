"""Strings of spoken digits as Whisper hears them: in windows of one length."""

import dataclasses

import tensorflow as tf

from keras_genai.data import speech
from keras_genai.data.loader import ChangedLoader
from keras_genai.modalities.mel import Mel

# 25 ms windows, 10 ms apart; 30 seconds of them.
MEL = Mel(
    speech.RATE,
    window=speech.RATE // 40,
    hop=speech.RATE // 100,
    bands=80,
    log10=True,
    drop_last=True,
    normalization="whisper",
    length=3_000,
)


def digits(batch_size, seed=0, data_dir=None, *, stand_in=False):
    """`speech.digit_strings` whose spectrograms are `MEL`; see there."""
    found = speech.digit_strings(batch_size, seed, data_dir, stand_in=stand_in)
    kinds = found.kind("tokens"), MEL, found.kind("speakers")
    return dataclasses.replace(
        found,
        train=ChangedLoader(found.train, _windows),
        validation=ChangedLoader(found.validation, _windows),
        kinds=kinds,
    )


def _windows(batch):
    """A batch with spectrograms of one window instead of waves."""
    size = MEL.length * MEL.hop
    waves = batch["waves"][:, :size]
    waves = tf.pad(waves, [(0, 0), (0, size - tf.shape(waves)[1])])
    mels = MEL(tf.ensure_shape(waves, (None, size)))
    frames = tf.fill(tf.shape(mels)[:1], MEL.length)
    return {"mels": mels, "frames": frames, "tokens": batch["tokens"]}
