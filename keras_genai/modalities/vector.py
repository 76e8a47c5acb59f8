"""Vector: what a model makes of a sample so that near ones mean the same."""

import dataclasses

from keras_genai.modalities.base import Modality
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Vector(Modality):
    """Vectors of samples.

    A task that makes them of texts has `embed(texts)`, `count_tokens(texts)` and
    `longest_text`.
    """

    key, noun = "vectors", "vectors"
