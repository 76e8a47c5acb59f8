"""Mistral checkpoints: Llama whose blocks look back no farther than a window.

Reference: Jiang et al. 2023, https://arxiv.org/abs/2310.06825; the tensors as in
transformers' `MistralForCausalLM`.
"""

import dataclasses
from typing import ClassVar

from keras_genai.convert.decoders import DecoderSettings, decoder_family
from keras_genai.convert.mapping import Count
from keras_genai.networks.gpt import LLAMA


class MistralSettings(DecoderSettings):
    """The settings of a Mistral that change its numbers."""

    # transformers passes over it, and warns.
    fixed: ClassVar[dict] = {**DecoderSettings.fixed, "layer_types": None}

    intermediate_size: Count = 14336
    num_key_value_heads: Count | None = 8
    max_position_embeddings: Count = 131072
    sliding_window: Count | None = 4096

    @property
    def style(self):
        return dataclasses.replace(LLAMA, window=self.sliding_window, **self.shared())

    @classmethod
    def describe(cls, network, config):
        return config | {"sliding_window": network.style.window}


FAMILY = decoder_family("mistral", MistralSettings, "Mistral")
