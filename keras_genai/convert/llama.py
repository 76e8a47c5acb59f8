"""Llama 2 and 3 checkpoints, SmolLM and all others of the kind: `GPT` in their style.

Reference: Touvron et al. 2023, https://arxiv.org/abs/2307.09288; Grattafiori et al.
2024, https://arxiv.org/abs/2407.21783; the tensors as in transformers'
`LlamaForCausalLM`.
"""

import dataclasses
from typing import ClassVar

from keras_genai.convert.decoders import DecoderSettings, decoder_family
from keras_genai.networks.gpt import LLAMA


class LlamaSettings(DecoderSettings):
    """The settings of a Llama that change its numbers."""

    idle: ClassVar[set] = {"max_sequence_length"}  # of the first files

    attention_bias: bool = False
    mlp_bias: bool = False

    @property
    def style(self):
        return dataclasses.replace(
            LLAMA,
            query_bias=self.attention_bias,
            output_bias=self.attention_bias,
            feedforward_bias=self.mlp_bias,
            **self.shared(),
        )

    @classmethod
    def describe(cls, network, config):
        style = network.style
        return config | {
            "attention_bias": style.bias_of("query"),
            "mlp_bias": style.bias_of("feedforward"),
        }


FAMILY = decoder_family(
    "llama", LlamaSettings, "Llama", answering_prefix="transformer."
)
