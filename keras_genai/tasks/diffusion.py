"""Diffusion: pictures from noise, by a network that learnt to remove it."""

from typing import Annotated, Any

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_number
from keras_genai.declared import Positive, Rate, part
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.modalities.points import Points
from keras_genai.networks.base import Network
from keras_genai.registry import register
from keras_genai.samplers.diffusion import Ancestral, DPMSolver, Sampler
from keras_genai.schedules import CosineNoise, spread_evenly
from keras_genai.tasks import latent, pictures
from keras_genai.tasks.denoising import Wish, path, walk
from keras_genai.tasks.editing import Editing
from keras_genai.tasks.exporting import Denoiser
from keras_genai.tasks.hiding import can_be_open, hide
from keras_genai.tasks.picture_task import PictureTask
from keras_genai.tasks.predictions import MinSNR, Velocity
from keras_genai.tasks.trajectories import Trajectories

QUARTERS = 4  # of the time, each with a loss of its own in the logs
VALIDATION_SEED = 20_200_619
PREDICTIONS = "keras_genai.tasks.predictions"
Codec = Annotated[Any, part("features_of", "VQVAE")]


@register
class Diffusion(Editing, PictureTask):
    """A model of pictures that removes noise step by step.

    Schedule, prediction, weighting and sampler are objects that know nothing of it, nor
    of each other. What samples are made from is told to the network, in a dict by the
    modalities' keys.

    Args:
        network: a `DenoisingNetwork`, such as `UNet` or `DiT`, or another one with the
            same call arguments.
        target: `Image`; `Video`, whose frames the network sees as channels; or
            `Points`, objects in space, which it sees as a picture one pixel wide.
        given: any of `Label`, `Text` with a length, and an `Image` with another key,
            such as `condition`; one, a tuple, or nothing.
        schedule: object of `keras_genai.schedules`.
        prediction: object of `keras_genai.tasks.predictions`, what the network says.
        weighting: object of the same module.
        label_dropout: float. Share of examples whose labels and texts are hidden in
            training, so that the model knows samples of any kind, too; guidance needs
            them. Of several kinds, as large a share again is hidden one by one.
        codec: trained `VQVAE` or `None`. If given, its latents are what is noised and
            denoised. It is not trained, and saved along.
        latent_scale: float, by which latents are multiplied, or `None`: 1 over the
            deviation of the codec's codebook.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1], and of what is given:
            `labels`, int `(B,)`; `tokens`, int `(B, length)`, 0 where nothing is;
            `condition`, float `(B, H, W, C')` in [0, 1]. Other keys are ignored.
        training: bool. If `False`, the same noise is added in every call.

    Returns:
        dict of float32 `(B,)`: `error`, mean squared error of the network's output;
        `weight`; `time`, the noise levels in [0, 1]. This is what `predict` gives, too:
        pictures come from `generate` and its likes. Metrics of `compile` compare the
        error with 0.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range, or a batch is of another shape.

    Reference: Ho et al. 2020, https://arxiv.org/abs/2006.11239; Ho & Salimans 2022
        (guidance), https://arxiv.org/abs/2207.12598; Rombach et al. 2022 (codec,
        texts), https://arxiv.org/abs/2112.10752
    """

    network: Network
    target: Image | Points
    given: tuple[Modality, ...] = ()
    schedule: Annotated[Any, part("log_snr", "keras_genai.schedules")] = CosineNoise()
    prediction: Annotated[Any, part("clean_factor", PREDICTIONS)] = Velocity()
    weighting: Annotated[Any, part("__call__", PREDICTIONS)] = MinSNR()
    label_dropout: Rate = 0.1
    codec: Codec | None = None
    latent_scale: Positive | None = None

    decoding = "30 steps of DPMSolver, without guidance"

    @property
    def options(self):
        guides = self.label_dropout and self._texts
        return ("negative",) if guides else ()

    @property
    def verbs(self):
        return ("edit",) if len(self.image_shape) == 3 else ()

    @property
    def sample_shape(self):
        """`(H, W, C)` of what is noised and denoised."""
        return (
            self.target.grid_shape if self.codec is None else latent.shape(self.codec)
        )

    @property
    def network_sizes(self):
        return {**super().network_sizes, "sample_shape": self.sample_shape}

    def check(self):
        super().check()
        for kind in self.given:
            if None in kind.fields[kind.key].shape:
                raise ValueError(
                    "`given` must be of one size, such as Text(tokenizer, length=16). "
                    f"Received: {type(kind).__name__} of any"
                )
        if self.codec is not None and self.codec.target.shape != self.target.shape:
            raise ValueError(
                f"`codec` must be of pictures {self.target.shape}, as the target is. "
                f"Received: one of {self.codec.target.shape}"
            )

    def make(self):
        self.jit_generate = self.network.jit_generate
        if self.codec is not None:
            self.codec.trainable = False
            if self.latent_scale is None:
                self.latent_scale = latent.scale(self.codec)
        self.seed_generator = replicas.SeedGenerator(name="seed_generator")
        self.quarters = [
            keras.metrics.Mean(name=f"quarter_{index + 1}") for index in range(QUARTERS)
        ]

    def call(self, inputs, training=False):
        batch = self.read(inputs)
        clean = self.to_latents(batch[self.target.key])
        time, noise = self._draw(ops.shape(clean), training)
        alpha, sigma = self.schedule.alpha(time), self.schedule.sigma(time)
        wide = [ops.reshape(x, (-1, 1, 1, 1)) for x in (alpha, sigma)]
        noisy = wide[0] * clean + wide[1] * noise
        if training:
            batch = hide(batch, self.given, self.label_dropout, self.seed_generator)
        condition = self.told(batch)
        output = self.network(self.prediction.scale(*wide) * noisy, time, condition)
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

    def denoise(self, noisy, time, levels, condition):
        """The clean pictures that the model sees in noisy ones.

        Args:
            noisy: float32 `(B, *sample_shape)`.
            time: float32 `(B,)`.
            levels: `(alpha, sigma)` at that time, float32, broadcast against `noisy`.
            condition: dict, what `told` returned.

        Returns:
            float32 `(B, *sample_shape)`.
        """
        scaled = self.prediction.scale(*levels) * noisy
        output = ops.cast(self.network(scaled, time, condition), "float32")
        return self.prediction.clean(output, noisy, *levels)

    def told(self, batch):
        """What the network is told of a batch: dict by the keys of `given`."""
        return {kind.key: kind.told(batch[kind.key]) for kind in self.given}

    def exportable(self):
        return Denoiser(self)

    def to_latents(self, images):
        """Pictures in [0, 1] as what is noised: in [-1, 1], or the codec's latents."""
        images = ops.cast(images, "float32")
        if self.codec is None:
            return self.target.told(images)
        latents = latent.encode(self.codec, images)
        return ops.stop_gradient(latents) * self.latent_scale

    def to_images(self, latents):
        """The inverse of `to_latents`, in [0, 1]."""
        if self.codec is not None:
            return latent.decode(self.codec, latents / self.latent_scale)
        return self.target.from_grid(ops.clip((latents + 1) / 2, 0, 1))

    def generate(
        self,
        count=16,
        guidance=1.0,
        steps=30,
        sampler=None,
        seed=0,
        progress=None,
        negative=None,
        **given,
    ):
        """New pictures.

        Args:
            count: int.
            guidance: float. 1 is the model as it is; above, pictures are more typical
                of what is given; at 0 that does not matter.
            steps: int.
            sampler: object of `keras_genai.samplers.diffusion`. Default: `DPMSolver()`.
            seed: int.
            progress: bool. Whether to show a bar; `None`: if a person watches.
            negative: str, list of str, or int tokens, what pictures shall not show, by
                models that are given texts: guidance leads away from it, instead of
                away from what is typical of no text. `None`: from the latter.
            **given: what the pictures shall be made from, each once for all of them or
                a row each: `labels`, int or ints `(count,)`, by default 0, 1, 2, ... in
                turn; `prompts`, str, list of str, or int tokens `(count, length)`, by
                default any text.

        Returns:
            float32 array `(count, H, W, C)` in [0, 1].

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if one is out of range, or the model lacks what it needs.
        """
        if self._needed is not None:
            raise ValueError(
                "`generate` must be `restore` for this model, which is given "
                f"{self._needed.argument}. Received: {count=}"
            )
        pictures.check_count(count, seed, self.image_shape)
        condition = self._rows(given, count, in_turn=True)
        wish = self._wish(condition, guidance, steps, sampler, seed, progress, negative)
        return walk(self, wish, count)

    def trajectories(
        self, count=16, guidance=1.0, steps=30, sampler=None, seed=0, **given
    ):
        """New pictures, and the way that each came.

        Args:
            count, guidance, steps, seed: see `generate`.
            sampler: likewise. Default: `Ancestral()`, whose steps are drawn.
            **given: as in `generate`, and pictures to restore. Default: any.

        Returns:
            `Trajectories`.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: as `generate`.
        """
        pictures.check_count(count, seed, self.image_shape)
        condition = self._rows(given, count)
        sampler = Ancestral() if sampler is None else sampler
        wish = self._wish(condition, guidance, steps, sampler, seed, False)
        noisy, images = path(self, wish, count)
        return Trajectories(images, noisy, condition)

    def _draw(self, shape, training):
        """Times `(B,)`, spread evenly over a batch, and noise.

        Outside of training they are always the same ones.
        """
        seed = self.seed_generator if training else VALIDATION_SEED
        noise = keras.random.normal(shape, dtype="float32", seed=seed)
        return self.schedule.times(spread_evenly(shape[0], seed)), noise

    @property
    def _texts(self):
        """list of the modalities that are given and are texts."""
        return [kind for kind in self.given if kind.argument == "prompts"]

    @property
    def _needed(self):
        """The `Modality` that cannot be left open: pictures to restore, or `None`."""
        return next((kind for kind in self.given if kind.null is None), None)

    def _rows(self, given, count, in_turn=False):
        """dict of arrays with a row a sample, by the keys of `self.given`."""
        kinds = {kind.argument: kind for kind in self.given}
        for name, value in given.items():
            if name not in kinds and value is not None:
                raise ValueError(
                    f"`{name}` must be `None` for this model, which is given "
                    f"{', '.join(kinds) or 'nothing'}. Received: {name}={value!r}"
                )
        rows = {}
        for name, kind in kinds.items():
            if given.get(name) is not None:
                rows[kind.key] = kind.rows(given[name], count, name)
            else:
                rows[kind.key] = (kind.in_turn if in_turn else kind.anything)(count)
        return rows

    def _wish(self, condition, guidance, steps, sampler, seed, progress, negative=None):
        """The part of a `Wish` that all public methods share, checked."""
        check_integer("steps", steps, 1)
        check_number("guidance", guidance, "a number >= 0", lambda x: x >= 0)
        if guidance != 1 and not (self.label_dropout and can_be_open(self.given)):
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
        free = None if negative is None else self._free(condition, guidance, negative)
        return Wish(condition, guidance, steps, sampler, seed, progress, free=free)

    def _free(self, condition, guidance, negative):
        """dict of arrays by key: what guidance leads away from."""
        if not self._texts or guidance == 1:
            raise ValueError(
                "`negative` must be `None` for a model that is given no texts, and "
                f"where `guidance` is 1. Received: {negative=}, {guidance=}"
            )
        free = {}
        for kind in self.given:
            count = len(condition[kind.key])
            if kind in self._texts:
                free[kind.key] = kind.rows(negative, count, "negative")
            elif kind.null is None:
                free[kind.key] = condition[kind.key]
            else:
                free[kind.key] = kind.anything(count)
        return free
