"""Priors over the codes of a trained codec: how a VQ-VAE comes to generate."""

from typing import Annotated, Any

import numpy as np
from keras import ops

from keras_genai.declared import Later, part
from keras_genai.modalities.base import Modality
from keras_genai.networks.base import Network
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register
from keras_genai.samplers.generation import generate
from keras_genai.samplers.penalties import LogitBias
from keras_genai.samplers.tokens import Sample
from keras_genai.tasks import grid_draws, pictures
from keras_genai.tasks.codes import CodeModel

Codec = Annotated[Any, part("decode_tokens", "VQVAE")]


class CodePrior(CodeModel):
    """A frozen codec and a network of its codes, trained on pictures, saved together.

    Its fields are a `network`; the `codec`, a trained task with `tokens_of`,
    `decode_tokens`, `grid_shape`, `num_codes` and `target`, such as a `VQVAE`, which is
    frozen for good; and `given`, a `Label` or nothing.

    Call arguments, returns: see `CodeModel`.
    """

    @property
    def target(self):
        """`Modality`: what the codec decodes to."""
        return self.codec.target

    @property
    def grid_shape(self):
        return self.codec.grid_shape

    @property
    def num_codes(self):
        return self.codec.num_codes

    def make(self):
        super().make()
        self.codec.trainable = False
        self.jit_generate = self.network.jit_generate

    def tokens_of(self, images):
        return self.codec.tokens_of(images)

    def decode_tokens(self, codes):
        return self.codec.decode_tokens(codes)


@register
class GridPrior(CodePrior):
    """A prior whose network reads grids.

    Args:
        network: of codes, such as `PixelCNN`.
        codec: see `CodePrior`.
        given: `Label`, for a prior that is conditioned on labels, or nothing.
    """

    network: Network
    codec: Codec
    given: tuple[Modality, ...] = ()

    def logits_of(self, codes, labels=None, training=False):
        return self.network(codes, labels, training=training)

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        return grid_draws.draw(self, count, labels, seed, temperature)


@register
class SequencePrior(CodePrior):
    """A prior whose network reads sequences: the grid is read row by row.

    The vocabulary is the codes, then one token that begins a picture, or one for each
    class.

    Args:
        network: `LanguageNetwork`, such as `GPT`.
        codec: see `CodePrior`.
        given: `Label`, for pictures that begin with their class's token, or nothing.

    Raises:
        ValueError: if the network's vocabulary or context does not fit.
    """

    network: LanguageNetwork
    codec: Codec
    given: tuple[Modality, ...] = ()

    @property
    def network_sizes(self):
        tokens = self.num_codes + (self.num_classes or 1)
        sizes = {**super().network_sizes, "vocabulary_size": tokens}
        if isinstance(self.network.context, Later):
            sizes["context"] = self.length
        return sizes

    @property
    def length(self):
        """int: codes of a picture."""
        return self.grid_shape[0] * self.grid_shape[1]

    def check(self):
        super().check()
        context = self.network.context
        if context is not None and context < self.length:
            raise ValueError(
                f"`network` must have a context of at least {self.length}. "
                f"Received: {context}"
            )

    def logits_of(self, codes, labels=None, training=False):
        height, width = self.grid_shape
        flat = ops.reshape(codes, (-1, height * width))
        first = ops.zeros_like(flat[:, :1]) + self.num_codes
        if labels is not None:
            first = first + ops.cast(labels, "int32")[:, None]
        tokens = ops.concatenate([first, flat[:, :-1]], axis=1)
        logits = self.network(tokens, training=training)[..., : self.num_codes]
        return ops.reshape(logits, (-1, height, width, self.num_codes))

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        height, width = self.grid_shape
        starts = np.zeros(count, "int32") if labels is None else labels
        beginnings = range(self.num_codes, self.network.vocabulary_size)
        never = LogitBias({token: float("-inf") for token in beginnings})
        starts = pictures.padded_rows(starts, pictures.few_sizes(count))
        rows = generate(
            self.network,
            [[self.num_codes + int(start)] for start in starts],
            max_length=1 + height * width,
            sampler=Sample(temperature=temperature, rules=(never,)),
            seed=seed,
            strip_prompt=True,
        )
        return np.stack(rows[:count]).reshape(count, height, width)
