"""Diffusion: pictures from noise, by a network that learnt to remove it."""

import keras
import numpy as np
from keras import ops

from keras_genai import registry, replicas
from keras_genai.checks import check_integer, check_number, check_size
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text
from keras_genai.samplers.diffusion import DPMSolver, Sampler
from keras_genai.schedules import CosineNoise
from keras_genai.tasks import latent, pictures
from keras_genai.tasks.denoising import Wish, walk
from keras_genai.tasks.editing import Editing
from keras_genai.tasks.exporting import Denoiser
from keras_genai.tasks.picture_task import PictureTask
from keras_genai.tasks.predictions import MinSNR, Velocity

QUARTERS = 4  # of the time, each with a loss of its own in the logs
VALIDATION_SEED = 20_200_619


class Diffusion(Editing, PictureTask):
    """A model of pictures that removes noise step by step.

    A subclass fills in `forward`, the network. Schedule, prediction, weighting and
    sampler are objects that know nothing of it, nor of each other.

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` of videos, whose frames the network
            sees as channels.
        num_classes: int or `None`. If given, pictures are conditioned on labels.
        condition_shape: `(H, W, C')` or `None`. If given, on another picture, too.
        schedule: object of `keras_genai.schedules`. Default: `CosineNoise()`.
        prediction: object of `keras_genai.tasks.predictions`, what the network says.
            Default: `Velocity()`.
        weighting: object of the same module. Default: `MinSNR()`.
        label_dropout: float. Share of labels hidden in training, so that the model
            knows pictures of any class, too; guidance needs them.
        vocabulary_size: int or `None`. If given, pictures are conditioned on texts
            instead of labels.
        text_length: int, in tokens. Longer texts are refused.
        codec: trained `VQVAE` or `None`. If given, its latents are what is noised and
            denoised. It is not trained, and saved along.
        latent_scale: float, by which latents are multiplied, or `None`: 1 over the
            deviation of the codec's codebook.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1]; with classes
            `labels`, int `(B,)`; with texts `tokens`, int `(B, text_length)`, 0 where
            nothing is; with a condition `condition`, float `(B, H, W, C')` in [0, 1].
            Other keys are ignored.
        training: bool. If `False`, the same noise is added in every call.

    Returns:
        dict of float32 `(B,)`: `error`, mean squared error of the network's output;
        `weight`; `time`, the noise levels in [0, 1]. This is what `predict` gives, too:
        pictures come from `generate` and its likes. Metrics of `compile` compare the
        error with 0.

    Raises:
        ValueError: if an argument is out of range, or a batch is of another shape.

    Reference: Ho et al. 2020, https://arxiv.org/abs/2006.11239; Ho & Salimans 2022
        (guidance), https://arxiv.org/abs/2207.12598; Rombach et al. 2022 (codec),
        https://arxiv.org/abs/2112.10752
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs
    decoding = "30 steps of DPMSolver, without guidance"

    def __init__(
        self,
        image_shape,
        num_classes=None,
        condition_shape=None,
        schedule=None,
        prediction=None,
        weighting=None,
        label_dropout=0.1,
        vocabulary_size=None,
        text_length=16,
        codec=None,
        latent_scale=None,
        **kwargs,
    ):
        # bfloat16 cannot tell neighbouring greys: pictures enter in float32.
        super().__init__(autocast=False, **kwargs)
        self.image_shape = pictures.check_image_shape(image_shape, ranks=(3, 4))
        self.num_classes = num_classes
        self.condition_shape = None
        if condition_shape is not None:
            self.condition_shape = pictures.check_image_shape(
                condition_shape, "condition_shape"
            )
        self.vocabulary_size = vocabulary_size
        self.text_length = text_length
        self.schedule = CosineNoise() if schedule is None else schedule
        self.prediction = Velocity() if prediction is None else prediction
        self.weighting = MinSNR() if weighting is None else weighting
        self.label_dropout = label_dropout
        self.codec = codec
        self.latent_scale = latent_scale
        self.sample_shape = self.image_shape
        if len(self.image_shape) == 4:
            frames, *sides, channels = self.image_shape
            self.sample_shape = (*sides, frames * channels)
        self._check()
        if codec is not None:
            codec.trainable = False
            self.sample_shape = latent.shape(codec)
            if latent_scale is None:
                self.latent_scale = latent.scale(codec)
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")
        self.quarters = [
            keras.metrics.Mean(name=f"quarter_{index + 1}") for index in range(QUARTERS)
        ]

    def _check(self):
        pictures.check_classes(self.num_classes)
        if self.vocabulary_size is not None:
            check_size("vocabulary_size", self.vocabulary_size, most=2**31)
            check_size("text_length", self.text_length)
        predictions = "keras_genai.tasks.predictions"
        for name, needs, module in (
            ("schedule", "log_snr", "keras_genai.schedules"),
            ("prediction", "clean_factor", predictions),
            ("weighting", "__call__", predictions),
        ):
            pictures.check_part(name, getattr(self, name), needs, module)
        if self.codec is not None:
            pictures.check_part("codec", self.codec, "features_of", "VQVAE")
        if self.latent_scale is not None:
            check_number("latent_scale", self.latent_scale, "above 0", lambda x: x > 0)
        if self.num_classes and self.vocabulary_size:
            raise ValueError(
                "`num_classes` must be None with a `vocabulary_size`. "
                f"Received: num_classes={self.num_classes}"
            )
        check_number(
            "label_dropout", self.label_dropout, "in [0, 1)", lambda x: 0 <= x < 1
        )
        if self.condition_shape and self.condition_shape[:2] != self.sample_shape[:2]:
            raise ValueError(
                "`condition_shape` must have the sides of `image_shape`. "
                f"Received: {self.condition_shape} and {self.image_shape}"
            )
        if self.codec is None:
            return
        if self.condition_shape or self.codec.image_shape != self.image_shape:
            raise ValueError(
                "`codec` must be trained on pictures of `image_shape`, and "
                "`condition_shape` be None. Received: a codec of "
                f"{self.codec.image_shape} for {self.image_shape}, "
                f"condition_shape={self.condition_shape}"
            )

    @property
    def given(self):
        kinds = super().given
        if self.vocabulary_size:
            text = Text(self.tokenizer, self.vocabulary_size, self.text_length)
            kinds = *kinds, text
        if self.condition_shape:
            kinds = *kinds, Image(self.condition_shape, "condition")
        return kinds

    def forward(self, noisy, noise_level, labels, condition, training=False):
        """The network's output.

        Args:
            noisy: float32 `(B, *sample_shape)`, of deviation about 1.
            noise_level: float32 `(B,)`, the time in [0, 1].
            labels: int32 `(B,)`, `num_classes` for any class; int32 `(B, text_length)`
                of tokens, all 0 for any text; `None` if the model has neither.
            condition: float32 `(B, H, W, C')` in [-1, 1], or `None`.
            training: bool.

        Returns:
            float `(B, *sample_shape)`.
        """
        raise NotImplementedError

    def call(self, inputs, training=False):
        images, labels, condition = self._read(inputs)
        clean = self.to_latents(images)
        time, noise = self._draw(ops.shape(clean), training)
        alpha, sigma = self.schedule.alpha(time), self.schedule.sigma(time)
        wide = [ops.reshape(x, (-1, 1, 1, 1)) for x in (alpha, sigma)]
        noisy = wide[0] * clean + wide[1] * noise
        if training and labels is not None and self.label_dropout:
            labels = self._hide(labels)
        scaled = self.prediction.scale(*wide) * noisy
        output = self.forward(scaled, time, labels, condition, training=training)
        target = self.prediction.target(clean, noise, *wide)
        error = ops.mean(ops.square(ops.cast(output, "float32") - target), (1, 2, 3))
        factor = self.prediction.clean_factor(alpha, sigma)
        weight = self.weighting(alpha, sigma, factor)
        return {"error": error, "weight": weight, "time": time}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        losses = replicas.weigh(y_pred["weight"] * y_pred["error"], sample_weight)
        quarter = ops.floor(y_pred["time"] * QUARTERS)
        quarter = ops.minimum(quarter, QUARTERS - 1)
        for index, tracker in enumerate(self.quarters):
            tracker.update_state(losses, ops.cast(quarter == index, "float32"))
        return replicas.share(ops.mean(losses))

    def metric_inputs(self, x, y_pred):
        error = y_pred["error"][:, None]  # metrics take the mean of what a row has
        return ops.zeros_like(error), error

    def denoise(self, noisy, level, labels=None, condition=None):
        """The clean picture that the model sees in a noisy one.

        Args:
            noisy: float32 `(B, *sample_shape)`.
            level: `Level` of `keras_genai.samplers.diffusion`.
            labels, condition: see `forward`.

        Returns:
            float32 `(B, *sample_shape)`.
        """
        time = ops.ones((ops.shape(noisy)[0],), dtype="float32") * level.time
        scaled = self.prediction.scale(level.alpha, level.sigma) * noisy
        output = ops.cast(self.forward(scaled, time, labels, condition), "float32")
        return self.prediction.clean(output, noisy, level.alpha, level.sigma)

    def exportable(self):
        return Denoiser(self)

    def to_latents(self, images):
        """Pictures in [0, 1] as what is noised: in [-1, 1], or the codec's latents."""
        images = ops.cast(images, "float32")
        if self.codec is None:
            return 2 * self.frames_to_channels(images) - 1
        latents = latent.encode(self.codec, images)
        return ops.stop_gradient(latents) * self.latent_scale

    def to_images(self, latents):
        """The inverse of `to_latents`, in [0, 1]."""
        if self.codec is not None:
            return latent.decode(self.codec, latents / self.latent_scale)
        images = ops.clip((latents + 1) / 2, 0, 1)
        if len(self.image_shape) == 3:
            return images
        frames, *sides, channels = self.image_shape
        images = ops.reshape(images, (-1, *sides, frames, channels))
        return ops.moveaxis(images, -2, 1)

    def frames_to_channels(self, images):
        """Videos `(B, F, H, W, C)` as `(B, H, W, F * C)`; pictures as they are."""
        if len(self.image_shape) == 3:
            return images
        frames, *sides, _ = self.image_shape
        images = ops.moveaxis(images, 1, -2)  # (B, H, W, F, C)
        return ops.reshape(images, (-1, *sides, frames * images.shape[-1]))

    def generate(
        self,
        count=16,
        labels=None,
        guidance=1.0,
        steps=30,
        sampler=None,
        seed=0,
        progress=None,
    ):
        """New pictures.

        Args:
            count: int.
            labels: int or ints `(count,)` for a model with classes; str or list of str
                for one with texts. Default: 0, 1, 2, ... in turn, or any text.
            guidance: float. 1 is the model as it is; above, pictures are more typical
                of their label; at 0 labels do not matter.
            steps: int.
            sampler: object of `keras_genai.samplers.diffusion`. Default: `DPMSolver()`.
            seed: int.
            progress: bool. Whether to show a bar; `None`: if a person watches.

        Returns:
            float32 array `(count, H, W, C)` in [0, 1].

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if one is out of range, or the model lacks what it needs.
        """
        if self.condition_shape:
            raise ValueError(
                "`generate` must be `restore` for this model, built with "
                f"condition_shape={self.condition_shape}. Received: {count=}"
            )
        pictures.check_count(count, seed, self.image_shape)
        labels = self._labels(labels, count, in_turn=True)
        wish = self._wish(labels, guidance, steps, sampler, seed, progress)
        return walk(self, wish, count)

    def _read(self, inputs):
        """Images, labels and condition of a batch, as `forward` wants them."""
        batch = self.read(inputs)
        images, labels = batch["images"], batch.get("labels")
        if self.vocabulary_size:
            labels = batch["tokens"]
        if not self.condition_shape:
            return images, labels, None
        return images, labels, 2 * batch["condition"] - 1

    def _draw(self, shape, training):
        """Times `(B,)`, spread evenly over a batch, and noise; always the same ones
        outside of training."""
        seed = self.seed_generator if training else VALIDATION_SEED
        noise = keras.random.normal(shape, dtype="float32", seed=seed)
        start = keras.random.uniform((), dtype="float32", seed=seed)
        count = ops.cast(shape[0], "float32")
        places = (ops.arange(shape[0], dtype="float32") + start) / count
        return self.schedule.times(places), noise

    def _hide(self, labels):
        """Labels of which some became "any"."""
        shape = (ops.shape(labels)[0],) + (1,) * (len(labels.shape) - 1)
        hidden = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return ops.where(hidden < self.label_dropout, self.null_label, labels)

    @property
    def null_label(self):
        """int: the label, or the token, that says nothing."""
        return self.num_classes or 0

    def _labels(self, labels, count, in_turn=False):
        """int32 array: labels `(count,)`, tokens `(count, text_length)`, or `None`."""
        if self.vocabulary_size:
            return texts_to_tokens(
                labels, count, self.text_length, self.tokenizer, self.vocabulary_size
            )
        if labels is None and self.num_classes and not in_turn:
            return np.full((count,), self.null_label, "int32")
        return pictures.to_labels(labels, count, self.num_classes)

    def _wish(self, labels, guidance, steps, sampler, seed, progress):
        """The part of a `Wish` that all public methods share, checked."""
        check_integer("steps", steps, 1)
        check_number("guidance", guidance, "a number >= 0", lambda x: x >= 0)
        if guidance != 1 and (labels is None or not self.label_dropout):
            raise ValueError(
                "`guidance` must be 1 for a model without classes or texts, or trained "
                f"with label_dropout=0. Received: {guidance=}"
            )
        sampler = DPMSolver() if sampler is None else sampler
        if not isinstance(sampler, Sampler):
            raise TypeError(
                "`sampler` must be an object of keras_genai.samplers.diffusion. "
                f"Received: {sampler!r}"
            )
        return Wish(labels, guidance, steps, sampler, seed, progress)

    def preset_weights(self):
        """The weights of the network, and of the codec behind `codec/`. See `Task`."""
        weights = super().preset_weights()
        if self.codec is None:
            return weights
        theirs = {id(variable) for variable in self.codec.weights}
        own = {
            path: variable
            for path, variable in weights.items()
            if id(variable) not in theirs
        }
        inner = self.codec.preset_weights()
        return own | {f"codec/{path}": each for path, each in inner.items()}

    def get_config(self):
        parts = ("schedule", "prediction", "weighting", "codec")
        return {
            **super().get_config(),
            "image_shape": list(self.image_shape),
            "num_classes": self.num_classes,
            "condition_shape": self.condition_shape and list(self.condition_shape),
            "vocabulary_size": self.vocabulary_size,
            "text_length": self.text_length,
            **{name: registry.to_plain(getattr(self, name)) for name in parts},
            "label_dropout": self.label_dropout,
            "latent_scale": self.latent_scale,
        }


def texts_to_tokens(texts, count, length, tokenizer, vocabulary_size):
    """Texts a user gave, or tokens, as a model with texts reads them.

    Args:
        texts: str, list of `count` str, int `(count, length)`, or `None`: any text.
        count: int.
        length: int, in tokens.
        tokenizer: `Tokenizer` or `None`. Needed for str.
        vocabulary_size: int.

    Returns:
        int32 array `(count, length)`, 0 where nothing is.

    Raises:
        ValueError: if a text is too long, or their number another.
    """
    if texts is None:
        return np.zeros((count, length), "int32")
    if isinstance(texts, str):
        texts = [texts] * count
    if all(isinstance(text, str) for text in texts):
        if tokenizer is None:
            raise ValueError(
                "`labels` must be int tokens, because this model has no `tokenizer`. "
                f"Received: {texts!r}"
            )
        rows = [list(tokenizer.encode(text)) for text in texts]
        if len(rows) == count and max(map(len, rows)) <= length:
            texts = [row + [0] * (length - len(row)) for row in rows]
    tokens = np.asarray(texts) if not isinstance(texts[0], str) else np.zeros(0)
    known = tokens.shape == (count, length) and tokens.dtype.kind in "iu"
    if not known or tokens.min() < 0 or tokens.max() >= vocabulary_size:
        raise ValueError(
            f"`labels` must be {count} texts of at most {length} tokens from 0 to "
            f"{vocabulary_size - 1}. Received: {texts!r}"
        )
    return tokens.astype("int32")
