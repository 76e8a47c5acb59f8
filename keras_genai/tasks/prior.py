"""Priors over the codes of a trained tokenizer: how a VQ-VAE comes to generate."""

import numpy as np
from keras import ops

from keras_genai import registry
from keras_genai.registry import register
from keras_genai.samplers.rules import LogitBias
from keras_genai.samplers.tokens import Sample
from keras_genai.tasks import pictures
from keras_genai.tasks.codes import CodeModel


class CodePrior(CodeModel):
    """A frozen codec and a model of its codes, trained on pictures and saved together.

    Args:
        codec: a `Task` with `tokens_of`, `decode_tokens`, `grid_shape`, `num_codes`
            and `image_shape`, for instance a trained `VQVAE`. It is frozen for good.
        prior: the model of its codes.
        num_classes: int or `None`. If given, the prior is conditioned on labels.

    Call arguments, returns: see `CodeModel`.
    """

    def __init__(self, codec, prior, num_classes=None, **kwargs):
        super().__init__(
            codec.image_shape, codec.grid_shape, codec.num_codes, num_classes, **kwargs
        )
        codec.trainable = False
        self.codec = codec
        self.prior = prior
        self.built = True

    def tokens_of(self, images):
        return self.codec.tokens_of(images)

    def decode_tokens(self, codes):
        return self.codec.decode_tokens(codes)

    def preset_weights(self):
        """The weights of both models, by part and path. See `Task`."""
        return {
            f"{part}/{path}": variable
            for part, model in (("codec", self.codec), ("prior", self.prior))
            for path, variable in model.preset_weights().items()
        }

    def get_config(self):
        return {
            **super().get_config(),
            "codec": registry.to_plain(self.codec),
            "prior": registry.to_plain(self.prior),
        }


@register
class GridPrior(CodePrior):
    """A prior that models grids, such as `PixelCNN`.

    Args:
        codec: see `CodePrior`.
        prior: a `CodeModel` of as many codes on the same grid.

    Raises:
        ValueError: if grids or numbers of codes differ.
    """

    def __init__(self, codec, prior, **kwargs):
        pictures.check_part("codec", codec, "decode_tokens", "VQVAE")
        if prior.grid_shape != codec.grid_shape or prior.num_codes != codec.num_codes:
            raise ValueError(
                f"`prior` must model grids {codec.grid_shape} of {codec.num_codes} "
                f"codes. Received: {prior.grid_shape} of {prior.num_codes}"
            )
        super().__init__(codec, prior, prior.num_classes, **kwargs)

    def logits_of(self, codes, labels=None, training=False):
        return self.prior.logits_of(codes, labels, training=training)

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        return self.prior.draw_codes(count, labels, seed, temperature)


@register
class SequencePrior(CodePrior):
    """A prior that models sequences, such as `GPT`: the grid is read row by row.

    Args:
        codec: see `CodePrior`.
        prior: a `CausalLM` whose vocabulary is the codes, then one token that begins
            a picture, or one for each class.
        num_classes: int or `None`. If given, a picture begins with its class's token.

    Raises:
        ValueError: if the prior's vocabulary or context does not fit.
    """

    def __init__(self, codec, prior, num_classes=None, **kwargs):
        pictures.check_part("codec", codec, "decode_tokens", "VQVAE")
        vocabulary = codec.num_codes + (num_classes or 1)
        length = codec.grid_shape[0] * codec.grid_shape[1]
        too_short = prior.context is not None and prior.context < length
        if prior.vocabulary_size != vocabulary or too_short:
            raise ValueError(
                f"`prior` must have vocabulary_size={vocabulary} and context of at "
                f"least {length}. Received: {prior.vocabulary_size} and {prior.context}"
            )
        super().__init__(codec, prior, num_classes, **kwargs)

    def logits_of(self, codes, labels=None, training=False):
        height, width = self.grid_shape
        flat = ops.reshape(codes, (-1, height * width))
        first = ops.zeros_like(flat[:, :1]) + self.num_codes
        if labels is not None:
            first = first + ops.cast(labels, "int32")[:, None]
        tokens = ops.concatenate([first, flat[:, :-1]], axis=1)
        logits = self.prior(tokens, training=training)[..., : self.num_codes]
        return ops.reshape(logits, (-1, height, width, self.num_codes))

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        height, width = self.grid_shape
        starts = np.zeros(count, "int32") if labels is None else labels
        beginnings = range(self.num_codes, self.prior.vocabulary_size)
        never = LogitBias({token: float("-inf") for token in beginnings})
        starts = pictures.padded_rows(starts, pictures.few_sizes(count))
        rows = self.prior.generate(
            [[self.num_codes + int(start)] for start in starts],
            max_length=1 + height * width,
            sampler=Sample(temperature=temperature, rules=(never,)),
            seed=seed,
            strip_prompt=True,
        )
        return np.stack(rows[:count]).reshape(count, height, width)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
