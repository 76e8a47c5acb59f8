"""ChordModel: the keys of the next frame, each by itself, given all frames before."""

from typing import ClassVar

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import draws, replicas
from keras_genai.checks import MOST_NUMBERS, check_integer, check_number, check_seed
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes
from keras_genai.networks.tcn import TCN
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.sample_task import SampleTask

BATCH = 8  # pieces scored at once


@register
class ChordModel(SampleTask):
    """A model of pieces as the keys that are down in every frame.

    Given the frames before, the keys of a frame are independent. The loss is the mean
    over frames of the sum over keys of binary cross-entropies, in nats; the first frame
    follows a silent one.

    Args:
        network: `TCN`.
        target: `Notes`.

    Call arguments:
        inputs: dict of `notes`, int `(B, T, V)`.
        training: bool.

    Returns:
        dict of `logits`, float32 `(B, T, K)`; `keys`, float32 `(B, T, K)`, 1 where a
        key is down; and `real`, float32 `(B, T)`, 0 beyond the end of a piece.
    """

    network: TCN
    target: Notes

    verbs: ClassVar = ("continue",)
    decoding: ClassVar = "every key of a frame is drawn by itself, at temperature 1"

    def make(self):
        self.jit_generate = self.network.jit_generate

    def call(self, inputs, training=False):
        notes = self.read(inputs)["notes"]
        keys = self._keys(notes)
        before = ops.pad(keys[:, :-1], [[0, 0], [1, 0], [0, 0]])
        real = ops.cast(ops.any(notes != scores.BEYOND, axis=-1), "float32")
        logits = self.network(before, training=training)
        return {"logits": logits, "keys": keys, "real": real}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        nats, real = _nats(y_pred), y_pred["real"]
        return replicas.share(replicas.masked_mean(nats, real, sample_weight))

    def metric_inputs(self, x, y_pred):
        return y_pred["keys"], y_pred["logits"]

    def score(self, notes):
        """Nats of every frame of pieces.

        Args:
            notes: see `Notes.read`.

        Returns:
            float32 array `(N, T)`: minus the logarithm of the probability of all keys;
            NaN beyond the end of a piece.
        """
        notes = self.target.read(notes)

        def build():
            def nats(batch):
                found = self(batch, training=False)
                return tf.where(found["real"] > 0, _nats(found), np.nan)

            return nats

        function = compiled(self, ("score",), build)
        return pictures.by_batch(function, {"notes": notes}, BATCH)

    def generate(self, count=1, steps=64, beginning=None, seed=0, temperature=1.0):
        """New pieces, frame by frame in one compiled loop.

        Args:
            count: int.
            steps: int, frames of each piece, its beginning included.
            beginning: how all of them begin, see `Notes.read`, or `None`.
            seed: int. The draws are the same with XLA and without.
            temperature: float > 0. Divides the logits.

        Returns:
            int32 array `(count, steps, V)`, V the most keys that are down at once.

        Raises:
            ValueError: if an argument is out of range, or the beginning not shorter
                than `steps`.
        """
        check_integer("count", count, 1)
        check_seed(seed)
        check_number("temperature", temperature, "above 0", lambda value: value > 0)
        known = begun(self.target, beginning, steps)
        check_amount(count, steps, self.target.num_keys)
        keys = scores.to_keys(known, self.target.lowest, self.target.highest)
        forced = np.zeros((steps, self.target.num_keys), "float32")
        forced[: len(keys)] = keys
        size = pictures.few_sizes(count)
        function = compiled(
            self, ("draw", size, steps), lambda: self._loop(size, steps)
        )
        drawn = function(
            tf.constant(forced),
            tf.constant(len(keys)),
            tf.constant(draws.key(seed)),
            tf.constant(temperature, tf.float32),
        )
        return _together(drawn.numpy()[:count], self.target.lowest)

    def _loop(self, count, steps):
        """Function that draws frames behind those that are given."""
        num_keys = self.target.num_keys

        def draw(forced, known, key, temperature):
            def step(place, frame, rings, frames):
                logits, rings = self.network.step(frame, rings, place)
                # Not TensorFlow's, whose numbers are others in XLA.
                chance = draws.uniform(key, tf.fill([count * num_keys], place))
                chance = tf.reshape(chance, logits.shape)
                drawn = tf.cast(chance < tf.sigmoid(logits / temperature), tf.float32)
                given = tf.broadcast_to(forced[place], drawn.shape)
                frame = tf.where(place < known, given, drawn)
                here = (tf.range(steps) == place)[None, :, None]
                frames = tf.where(here, frame[:, None] > 0.5, frames)
                return place + 1, frame, rings, frames

            silent = tf.zeros((count, num_keys))
            start = (
                tf.constant(0),
                silent,
                self.network.empty_rings(count),
                tf.zeros((count, steps, num_keys), tf.bool),
            )
            return tf.while_loop(lambda place, *_: place < steps, step, start)[-1]

        return draw

    def _keys(self, notes):
        """float32 `(B, T, K)`: 1 where a key is down."""
        places = notes - self.target.lowest  # below 0 where nothing sounds: no key
        down = ops.one_hot(places, self.target.num_keys, dtype="float32")
        return ops.max(down, axis=-2)


def begun(target, beginning, steps):
    """The piece that new ones begin with, int32 `(T, V)`; of no steps for `None`.

    Args:
        target: `Notes`.
        beginning: see `Notes.read`, or `None`.
        steps: int, of the new pieces.

    Raises:
        ValueError: if there are several, or if it is not shorter than `steps`.
    """
    check_integer("steps", steps, 1)
    if steps > scores.MOST_STEPS:
        raise ValueError(
            f"`steps` must be at most {scores.MOST_STEPS:,}. Received: {steps=}"
        )
    if beginning is None:
        return np.zeros((0, target.voices), "int32")
    pieces = target.read_any(beginning, "beginning")
    if len(pieces) != 1 or len(pieces[0]) >= steps:
        raise ValueError(
            f"`beginning` must be one piece of less than {steps} steps. "
            f"Received: {len(pieces)} of {pieces.shape[1]}"
        )
    return np.maximum(pieces[0], scores.SILENT)


def check_amount(count, steps, width):
    """Raises a `ValueError` if so many pieces take more memory than there may be.

    Args:
        count: int, pieces.
        steps: int, of each.
        width: int, numbers of a step.
    """
    most = MOST_NUMBERS // (steps * width)
    if count > most:
        raise ValueError(
            f"`count` must be at most {most:,} for pieces of {steps:,} steps. "
            f"Received: {count=}"
        )


def _nats(found):
    """float32 `(B, T)`: nats of every frame of what `call` returned."""
    return ops.sum(
        tf.nn.sigmoid_cross_entropy_with_logits(found["keys"], found["logits"]), axis=-1
    )


def _together(rolls, lowest):
    pieces = [scores.to_voices(roll, lowest=lowest) for roll in rolls]
    voices = max(piece.shape[1] for piece in pieces)
    return np.stack(
        [np.pad(each, [(0, 0), (0, voices - each.shape[1])]) for each in pieces]
    )
