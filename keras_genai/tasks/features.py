"""FeatureExtractor: the vectors of texts as they are, for what is built on them."""

from typing import ClassVar

from keras import ops

from keras_genai.modalities.base import Modality
from keras_genai.modalities.text import Text
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import TextTask


@register
class FeatureExtractor(TextTask):
    """A network without a head: what it makes of every token, and of the whole.

    Args:
        network: any `TokenNetwork`.
        given: `Text`.

    Call arguments:
        inputs, training: see `TextTask`.

    Returns:
        dict of float32 `hidden`, `(B, T, W)`, and `pooled`, `(B, W)`. What stands at
        padding means nothing.
    """

    network: TokenNetwork
    given: tuple[Modality, ...] = (Text(),)

    reads_pooled: ClassVar = True

    def default_loss(self):
        return None

    def call(self, inputs, training=False):
        hidden, mask = self.hidden(inputs)
        pooled = self.network.pooled(hidden, mask)
        return {"hidden": ops.cast(hidden, "float32"), "pooled": pooled}
