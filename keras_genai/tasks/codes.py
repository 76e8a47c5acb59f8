"""Models of grids of codes: the next code, given all codes before it."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_number
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.picture_task import PictureTask

BATCH = 256  # pictures scored at once


class CodeModel(PictureTask):
    """An autoregressive model of pictures that are read as codes, row by row.

    A subclass fills in the holes below. The loss is the mean cross-entropy of a code,
    in nats.

    Attributes:
        grid_shape: `(h, w)` of the codes of a picture.
        num_codes: int.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1], and with classes
            `labels`, int `(B,)`. Other keys are ignored.
        training: bool.

    Returns:
        dict of `logits`, float32 `(B, h, w, num_codes)`, and `codes`, int32
        `(B, h, w)`, which they predict.
    """

    def make(self):
        self.accuracy_tracker = keras.metrics.Mean(name="accuracy")

    @property
    def network_sizes(self):
        return {**super().network_sizes, "num_codes": self.num_codes}

    def tokens_of(self, images):
        """int32 `(B, h, w)`: the codes of float pictures `(B, H, W, C)`."""
        raise NotImplementedError

    def logits_of(self, codes, labels=None, training=False):
        """Predicts every code from those before it.

        Args:
            codes: int32 `(B, h, w)`.
            labels: int `(B,)`, or `None` without classes.
            training: bool.

        Returns:
            float32 `(B, h, w, num_codes)`.
        """
        raise NotImplementedError

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        """New grids of codes.

        Args:
            count: int.
            labels: int32 array `(count,)`, or `None` without classes.
            seed: int.
            temperature: float > 0. Divides the logits.

        Returns:
            int32 array `(count, h, w)`.
        """
        raise NotImplementedError

    def decode_tokens(self, codes):
        """float32 array `(N, H, W, C)` in [0, 1]: pictures of codes `(N, h, w)`."""
        raise NotImplementedError

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        codes = self.tokens_of(batch["images"])
        logits = self.logits_of(codes, batch.get("labels"), training=training)
        return {"logits": logits, "codes": codes}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        logits, codes = y_pred["logits"], y_pred["codes"]
        right = ops.cast(ops.argmax(logits, axis=-1), codes.dtype) == codes
        self.accuracy_tracker.update_state(ops.cast(right, "float32"))
        nats = cross_entropy(logits, codes)
        return replicas.share(replicas.weighted_mean(nats, sample_weight))

    def metric_inputs(self, x, y_pred):
        return y_pred["codes"], y_pred["logits"]

    def score(self, images, labels=None):
        """Cross-entropy of the codes of pictures.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            labels: ints `(N,)`, required with classes.

        Returns:
            float32 array `(N,)`: nats a code, averaged over each picture.
        """
        images = self.target.read(images)
        labels = pictures.own_labels(labels, len(images), self.num_classes)

        def build():
            def score(batch):
                codes = self.tokens_of(batch["images"])
                logits = self.logits_of(codes, batch.get("labels"))
                return ops.mean(cross_entropy(logits, codes), axis=(1, 2))

            return score

        batch = {"images": images}
        if labels is not None:
            batch["labels"] = labels
        return pictures.by_batch(compiled(self, ("score",), build), batch, BATCH)

    def generate(self, count=16, labels=None, seed=0, temperature=1.0):
        """New pictures, code by code in one compiled loop.

        Args:
            count: int.
            labels: int or ints `(count,)`, for a model with classes. Default: 0, 1,
                2, ... in turn.
            seed: int.
            temperature: float > 0. Below 1, likelier codes are drawn more often.

        Returns:
            float32 array `(count, H, W, C)` in [0, 1].

        Raises:
            ValueError: for a label that does not exist, labels without classes, or a
                temperature that is not positive.
        """
        pictures.check_count(count, seed, self.image_shape)
        check_number("temperature", temperature, "above 0", lambda value: value > 0)
        labels = pictures.to_labels(labels, count, self.num_classes)
        return self.decode_tokens(self.draw_codes(count, labels, seed, temperature))


def cross_entropy(logits, codes):
    """float32 `(B, h, w)`: nats of each code, of float32 logits `(B, h, w, K)`."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=codes, logits=logits)
