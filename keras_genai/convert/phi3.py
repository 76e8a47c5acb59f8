"""Phi-3 checkpoints: Mistral, whose matrices stand side by side in the files.

Reference: Abdin et al. 2024, https://arxiv.org/abs/2404.14219; the tensors as in
transformers' `Phi3ForCausalLM`.
"""

import dataclasses
import functools
from typing import ClassVar

from keras_genai.convert import decoders
from keras_genai.convert.decoders import Above, DecoderSettings, decoder_family
from keras_genai.convert.mapping import Count, Token, fused, linear
from keras_genai.networks.gpt import LLAMA


class Phi3Settings(DecoderSettings):
    """The settings of a Phi-3 that change its numbers."""

    turns_part: ClassVar[bool] = True
    fixed: ClassVar[dict] = {
        **DecoderSettings.fixed,
        "attention_bias": False,
        "layer_types": None,
    }

    vocab_size: Count = 32064
    hidden_size: Count = 3072
    intermediate_size: Count = 8192
    max_position_embeddings: Count = 4096
    rms_norm_eps: Above = 1e-5
    sliding_window: Count | None = None
    eos_token_id: Token | list[Token] | None = 32000

    @property
    def style(self):
        return dataclasses.replace(LLAMA, window=self.sliding_window, **self.shared())

    @classmethod
    def describe(cls, network, config):
        if network.head_size * network.num_heads != network.width:
            raise ValueError(f"Phi3 has whole heads. Received: {network.head_size}")
        config = config | {"sliding_window": network.style.window}
        config.pop("head_dim")
        return config


def _block(ours, theirs, network):
    heads = network.num_heads * network.head_size
    attention, inner = f"{theirs}.self_attn", f"{theirs}.mlp"
    return [
        *fused(f"{ours}/attention", f"{attention}.qkv_proj", heads),
        *linear(f"{ours}/attention/output", f"{attention}.o_proj", bias=False),
        *linear(f"{ours}/feedforward/expand", f"{inner}.gate_up_proj", bias=False),
        *linear(f"{ours}/feedforward/contract", f"{inner}.down_proj", bias=False),
    ]


rules = functools.partial(decoders.rules, block=_block)
FAMILY = decoder_family("phi3", Phi3Settings, "Phi3", rules, answers=False)
