"""One vector a sentence, so that sentences that mean the same are near."""

import numpy as np
from keras import ops

from keras_genai.registry import register
from keras_genai.tasks.encoder import BATCH, EncoderTask, mean_of_tokens


@register
class SentenceEmbedder(EncoderTask):
    """One vector a text: the mean of its hidden vectors, of length one.

    Args:
        backbone: see `EncoderTask`.

    Call arguments:
        inputs: what the backbone is called with; or, to be trained on the similarity of
            pairs, a dict of two of these, `first` and `second`.
        training: bool.

    Returns:
        float32 `(B, width)`; for pairs the cosines, `(B,)`.

    Reference: Reimers & Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084
    """

    def __init__(self, backbone, **kwargs):
        super().__init__(backbone, **kwargs)
        self.built = True

    def call(self, inputs, training=False):
        if isinstance(inputs, dict) and "first" in inputs:
            first = self._embed(inputs["first"], training)
            second = self._embed(inputs["second"], training)
            return ops.sum(first * second, axis=-1)
        return self._embed(inputs, training)

    def _embed(self, inputs, training):
        hidden = self.backbone(inputs, training=training)["hidden"]
        mask = inputs.get("tokens_mask") if isinstance(inputs, dict) else None
        mean = mean_of_tokens(hidden, mask)
        # The length of a zero vector has no gradient.
        return mean * ops.rsqrt(ops.sum(ops.square(mean), -1, keepdims=True) + 1e-12)

    def embed(self, texts, batch_size=BATCH):
        """Vectors of texts; the product of two is their cosine.

        Args:
            texts: str, or list of str.
            batch_size: int. Texts that are read at once.

        Returns:
            float32 `(width,)`, or `(N, width)`.
        """
        if isinstance(texts, str):
            return self.embed([texts], batch_size)[0]
        return np.stack(self._read(self._encode(texts), batch_size))

    def similarity(self, texts, others):
        """Cosines of the angles between texts.

        Args:
            texts: list of str.
            others: list of str.

        Returns:
            float32 `(len(texts), len(others))`, from -1 to 1.
        """
        return self.embed(list(texts)) @ self.embed(list(others)).T
