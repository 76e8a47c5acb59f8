"""CTC: what is said in sounds, of which nobody knows when it is said."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.ctc import ctc_feasible, ctc_loss
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.modalities.base import Modality
from keras_genai.modalities.text import Text
from keras_genai.networks.base import Network
from keras_genai.padding import pad_sequence
from keras_genai.registry import register
from keras_genai.samplers.ctc import BestPath
from keras_genai.samplers.session import compiled
from keras_genai.tasks.sample_task import SampleTask
from keras_genai.tasks.sources import BATCH, as_batch, transcribed


@register
class CTC(SampleTask):
    """Learns to spell what is said from sounds and texts alone.

    The network scores every symbol in every frame, the blank among them, and the loss
    sums over all ways to spread a text over the frames. So tokens are independent given
    the sound; a language model can join when they are decoded.

    Args:
        network: of every frame, with `frame_count`, such as `DeepSpeech2`.
        target: `Text`, with its tokenizer, whose token 0 is padding: it is the blank.
        given: `Mel`, without a length.

    Call arguments:
        inputs: dict of `mels`, float `(B, T, bands)`; `frames`, int `(B,)`, how many of
            each row are sound; and in training `tokens`, int `(B, L)`, 0 after the
            end of a text.
        training: bool.

    Returns:
        float32 logits `(B, S, V)`, see `DeepSpeech2`.

    The loss is that of a row in nats, see `keras_genai.ctc.ctc_loss`. Rows with fewer
    frames than their text needs are left out of it; `infeasible` is their share.

    Raises:
        ValueError: if `given` is not one modality of a sound with frames, or the
            tokenizer has no padding for its token 0.

    Reference: Graves et al. 2006, Connectionist Temporal Classification
    """

    network: Network
    target: Text
    given: tuple[Modality, ...]

    verbs: ClassVar = ("transcribe",)
    jit_generate: ClassVar = False  # XLA's convolutions are slow on CPUs

    def check(self):
        if len(self.given) != 1 or "frames" not in self.given[0].fields:
            raise ValueError(
                "`given` must be one modality whose batches have frames, such as a Mel "
                f"without a length. Received: {[kind.key for kind in self.given]}"
            )
        if self.tokenizer is not None and self.tokenizer.pad_token != 0:
            raise ValueError(
                "`target` must have a tokenizer with padding for its token 0, which is "
                f"the blank. Received: pad_token={self.tokenizer.pad_token}"
            )

    def make(self):
        self.infeasible_tracker = keras.metrics.Mean(name="infeasible")

    @property
    def vocabulary_size(self):
        return self.network.vocabulary_size

    @property
    def shown(self):
        return self.given[0].fields

    def loader(self, pairs, batch_size=16, shuffle=True, seed=0):
        """Batches for `fit` of sounds and what is said in them.

        Args:
            pairs: list, generator or data set of pairs: a sound, as the `Mel` in
                `given` reads it, and a str.
            batch_size: int.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if a sound cannot be read, or a character is no token.
        """
        sounds, texts = columns(as_rows(pairs, "pairs"), 2, "pairs")
        mels = self.given[0].read(sounds, "pairs")
        rows = list(zip(mels, self.target.read(texts, "pairs"), strict=True))
        return in_batches(rows, len(rows), batch_size, shuffle, seed, self.collate)

    def collate(self, samples):
        """A batch of samples.

        Args:
            samples: list of pairs: float `(T, bands)`, and int tokens `(L,)`.

        Returns:
            dict of arrays, see the call arguments.
        """
        mels, tokens = zip(*samples, strict=True)
        tokens = [np.asarray(row, "int32") for row in tokens]
        most = self.target.length
        return {
            **self.given[0].batch(list(mels)),
            "tokens": pad_sequence(tokens, length=most),
        }

    def read(self, inputs):
        # Who only transcribes has no tokens.
        fields = {key: each for key, each in self.fields.items() if key in inputs}
        known = {key: inputs[key] for key in fields}
        for key, field in fields.items():
            field.check_type(key, known[key])
        return {key: field.read(known[key]) for key, field in fields.items()}

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        return self.network(batch["mels"], batch["frames"], training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        batch = self.read(x)
        frames = self.network.frame_count(batch["frames"])
        lengths = ops.sum(ops.cast(batch["tokens"] > 0, "int32"), axis=1)
        spelled = batch["tokens"], frames, lengths
        is_lost = 1.0 - ops.cast(ctc_feasible(*spelled), "float32")
        self.infeasible_tracker.update_state(is_lost)
        nats = ctc_loss(y_pred, *spelled)
        return replicas.share(replicas.weighted_mean(nats, sample_weight))

    def metric_inputs(self, x, y_pred):
        return self.read(x)["tokens"], y_pred

    def input_specs(self):
        specs = super().input_specs()
        return {key: specs[key] for key in self.given[0].fields}

    def transcribe(self, sounds, decoder=None, batch_size=BATCH):
        """What is said in sounds.

        Sounds of any length may come together: each is read as if it were alone.

        Args:
            sounds: what the `Mel` in `given` reads: a path, samples, or several.
            decoder: `BestPath` (the default), or `PrefixBeam`, which may ask a language
                model of the same tokens.
            batch_size: int. Sounds that are read at once.

        Returns:
            str, or a list of str for several sounds; int32 tokens without a tokenizer.

        Raises:
            TypeError: if `decoder` is something else.
            ValueError: if a sound cannot be read.
        """
        decoder = BestPath() if decoder is None else decoder
        if not hasattr(decoder, "decode"):
            raise TypeError(
                f"`decoder` must be a BestPath or a PrefixBeam. Received: {decoder!r}"
            )

        def write(rows):
            found = [decoder.decode(scores) for scores in self.scores(rows)]
            return (
                found if self.tokenizer is None else map(self.tokenizer.decode, found)
            )

        return transcribed(self.given[0], sounds, lambda r: list(write(r)), batch_size)

    def scores(self, mels):
        """What the network makes of spectrograms.

        Args:
            mels: list of float `(T, bands)`.

        Returns:
            list of float32 logits `(S, V)`, without those of padding.
        """
        values, is_real = as_batch(mels)
        frames = tf.reduce_sum(tf.cast(is_real, "int32"), axis=1)
        network = self.network
        key = ("scores", *values.shape)
        logits = compiled(self, key, lambda: lambda *given: network(*given))
        found = logits(values, frames).numpy()
        counts = self.network.frame_count(frames.numpy())
        return [row[:count] for row, count in zip(found, counts, strict=True)]
