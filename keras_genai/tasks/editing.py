"""What a diffusion model does with pictures it is given."""

import numpy as np

from keras_genai.checks import check_integer, check_number
from keras_genai.samplers.diffusion import Ancestral
from keras_genai.tasks.denoising import bits_per_dimension, search_noise, walk


class Editing:
    """The half of `Diffusion` that starts from pictures: edit, inpaint, restore ..."""

    def edit(
        self,
        images,
        strength=0.6,
        guidance=1.0,
        steps=30,
        sampler=None,
        seed=0,
        progress=None,
        negative=None,
        **given,
    ):
        """Pictures like given ones: some noise is added, then removed.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            strength: float in (0, 1]. The time to start at; 1 keeps nothing.
            guidance, steps, sampler, seed, progress: see `generate`.
            negative: see `generate`.
            **given: as in `generate`. Default: any.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].

        Reference: Meng et al. 2022 (SDEdit), https://arxiv.org/abs/2108.01073
        """
        check_number("strength", strength, "in (0, 1]", lambda x: 0 < x <= 1)
        images = self.target.read(images)
        condition = self._rows(given, len(images))
        wish = self._wish(condition, guidance, steps, sampler, seed, progress, negative)
        wish = wish._replace(start=images, strength=float(strength))
        return walk(self, wish, len(images))

    def inpaint(
        self,
        images,
        mask,
        guidance=1.0,
        steps=30,
        sampler=None,
        seed=0,
        resample=5,
        progress=None,
        negative=None,
        **given,
    ):
        """Paints a part of pictures anew, so that it fits the rest.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            mask: bool `(H, W)` or `(N, H, W)`, of videos `(F, H, W)` or
                `(N, F, H, W)`. True where to paint.
            guidance, steps, seed, progress: see `generate`.
            sampler: as in `generate`, but one that looks at one level only. Default:
                `Ancestral()`.
            resample: int. Times that each step is made; more fits better.
            negative: see `generate`.
            **given: as in `generate`. Default: any.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1], unchanged where `mask` is False.

        Reference: Lugmayr et al. 2022 (RePaint), https://arxiv.org/abs/2201.09865
        """
        images = self.target.read(images)
        mask = _to_mask(mask, images.shape)
        check_integer("resample", resample, 1)
        if self.codec is not None:
            raise ValueError("`inpaint` must be asked of a model without a `codec`")
        condition = self._rows(given, len(images))
        sampler = Ancestral() if sampler is None else sampler
        wish = self._wish(condition, guidance, steps, sampler, seed, progress, negative)
        if sampler.multistep:
            raise ValueError(
                "`sampler` must look at one level only to inpaint: Ancestral, DDIM, "
                f"Euler or Heun. Received: {sampler!r}"
            )
        wish = wish._replace(known=images, mask=mask, resample=resample)
        return np.where(mask, walk(self, wish, len(images)), images)

    def restore(
        self,
        condition,
        guidance=1.0,
        steps=30,
        sampler=None,
        seed=0,
        draws=1,
        progress=None,
        negative=None,
        **given,
    ):
        """The pictures behind damaged ones, by a model that is given such pictures.

        Args:
            condition: uint8, or float in [0, 1], `(N, H, W, C')`.
            guidance, steps, sampler, seed, progress: see `generate`. Few steps come
                near the mean of all pictures that may be meant, which has the least
                squared error; many steps draw one of them, which is sharper.
            draws: int. So many results are averaged.
            negative: see `generate`.
            **given: what else is given, as in `generate`. Default: any.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].

        Reference: Saharia et al. 2021 (SR3), https://arxiv.org/abs/2104.07636; 2022
            (Palette), https://arxiv.org/abs/2111.05826
        """
        kind = self._needed
        if kind is None:
            raise ValueError(
                "`restore` must be asked of a model that is given pictures. Received: "
                f"one given {[kind.argument for kind in self.given]}"
            )
        check_integer("draws", draws, 1)
        count = len(kind.read(condition, "condition"))
        rows = self._rows({**given, kind.argument: condition}, count)
        total = np.zeros((count, *self.image_shape), "float32")
        for draw in range(draws):
            wish = self._wish(
                rows, guidance, steps, sampler, seed + draw, progress, negative
            )
            total += walk(self, wish, count)
        return total / draws

    def invert(self, images, steps=50, refinements=4, **given):
        """The noise from which `DDIM()` makes pictures in as many steps.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            steps: int.
            refinements: int. Denoisings a step.
            **given: as in `generate`. Default: any.

        Returns:
            float32 array `(N, *sample_shape)`; `reconstruct` leads back.
        """
        images = self.target.read(images)
        condition = self._rows(given, len(images))
        check_integer("refinements", refinements, 1)
        wish = self._wish(condition, 1.0, steps, None, 0, False)
        return search_noise(self, wish._replace(start=images), refinements)

    def reconstruct(self, noise, guidance=1.0, steps=50, sampler=None, **given):
        """The pictures of given noise, such as `invert` returned.

        Args:
            noise: float32 `(N, *sample_shape)`.
            guidance, steps, sampler: see `generate`. `DDIM()` undoes `invert`.
            **given: as in `generate`. Default: any.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].
        """
        noise = np.asarray(noise, "float32")
        if noise.shape[1:] != self.sample_shape or not len(noise):
            raise ValueError(
                f"`noise` must be (batch, {', '.join(map(str, self.sample_shape))}). "
                f"Received: shape {noise.shape}"
            )
        condition = self._rows(given, len(noise))
        wish = self._wish(condition, guidance, steps, sampler, 0, False)
        return walk(self, wish._replace(noise=noise), len(noise))

    def variational_bound(self, images, steps=1000, draws=None, seed=0, **given):
        """Bits per dimension that a picture of 256 greys costs at most.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            steps: int. Of the diffusion.
            draws: int or `None` (all). So many of the steps are looked at, chosen by
                chance; the result is right on average.
            seed: int.
            **given: as in `generate`, and the pictures to restore. Default: any.

        Returns:
            float64 array `(N,)`.

        Reference: Ho et al. 2020, eq. 5 and section 3.3
        """
        if self.codec is not None:
            raise ValueError(
                "`variational_bound` must be asked of a model without a `codec`"
            )
        images = self.target.read(images)
        condition = self._rows(given, len(images))
        wish = self._wish(condition, 1.0, steps, None, seed, False)
        wish = wish._replace(start=images)
        return bits_per_dimension(self, wish, draws)


def _to_mask(mask, shape):
    """bool array of pictures' `shape`, where to paint."""
    mask = np.asarray(mask)
    if mask.ndim == len(shape) and mask.shape[-1] == 1:
        mask = mask[..., 0]
    if mask.dtype != bool or mask.shape not in (shape[1:-1], shape[:-1]):
        raise ValueError(
            f"`mask` must be bool {shape[1:-1]} or {shape[:-1]}. "
            f"Received: {mask.dtype} {mask.shape}"
        )
    return np.broadcast_to(mask[..., None], shape)
