"""Gemma 2 and 3 checkpoints, as far as they read text: `GPT` in Gemma's style.

Reference: Gemma Team 2024, https://arxiv.org/abs/2408.00118; 2025,
https://arxiv.org/abs/2503.19786; the tensors as in transformers' `Gemma2ForCausalLM`
and `Gemma3ForCausalLM`.
"""

import dataclasses
from typing import ClassVar, Literal

from keras_genai.convert.decoders import (
    FULL,
    SLIDING,
    Above,
    DecoderSettings,
    check_layer_types,
    decoder_family,
    layer_types,
    local_blocks,
)
from keras_genai.convert.mapping import Count, Token
from keras_genai.convert.rotary import read_rotary, write_rotary
from keras_genai.networks.gpt import GEMMA

LOCAL_THETA, GLOBAL_THETA = 10_000.0, 1_000_000.0


class GemmaSettings(DecoderSettings):
    """What both have."""

    # An older name, which transformers does not read either.
    idle: ClassVar[set] = {"hidden_act", "_sliding_window_pattern"}

    hidden_size: Count = 2304
    intermediate_size: Count = 9216
    num_hidden_layers: Count = 26
    num_attention_heads: Count = 8
    num_key_value_heads: Count | None = 4
    head_dim: Count | None = 256
    hidden_activation: str = "gelu_pytorch_tanh"
    tie_word_embeddings: bool = True
    attention_bias: bool = False
    query_pre_attn_scalar: Above = 256
    sliding_window: Count = 4096
    layer_types: list[str] | None = None
    attn_logit_softcapping: Above | None = None
    final_logit_softcapping: Above | None = None
    use_bidirectional_attention: Literal[False] | None = None
    eos_token_id: Token | list[Token] | None = 1

    @property
    def activation(self):
        return self.hidden_activation

    @property
    def period(self):
        """int: of so many blocks, the last one looks back to the beginning."""
        raise NotImplementedError

    @property
    def style(self):
        depth = self.num_hidden_layers
        check_layer_types(self.layer_types, depth)
        kinds = self.layer_types or [
            SLIDING if (n + 1) % self.period else FULL for n in range(depth)
        ]
        is_local = SLIDING in kinds
        return dataclasses.replace(
            GEMMA,
            query_bias=self.attention_bias,
            output_bias=self.attention_bias,
            attention_scale=self.query_pre_attn_scalar**-0.5,
            attention_cap=self.attn_logit_softcapping,
            logit_cap=self.final_logit_softcapping,
            window=self.sliding_window if is_local else None,
            local_blocks=local_blocks(kinds) if is_local else (True,),
            **self.shared(),
        )

    @classmethod
    def describe(cls, network, config):
        style = network.style
        config = dict(config, hidden_activation=config["hidden_act"])
        config.pop("hidden_act")
        scale = style.attention_scale or network.head_size**-0.5
        return config | {
            "attention_bias": style.bias_of("query"),
            "query_pre_attn_scalar": round(scale**-2),
            "sliding_window": style.window or network.context,
            "layer_types": layer_types(network),
            "attn_logit_softcapping": style.attention_cap,
            "final_logit_softcapping": style.logit_cap,
        }


class Gemma2Settings(GemmaSettings):
    """The settings of a Gemma 2 that change its numbers."""

    vocab_size: Count = 256000
    max_position_embeddings: Count = 8192
    attn_logit_softcapping: Above | None = 50.0
    final_logit_softcapping: Above | None = 30.0

    @property
    def period(self):
        return 2


class Gemma3Settings(GemmaSettings):
    """The settings of the text part of a Gemma 3 that change its numbers."""

    vocab_size: Count = 262208
    max_position_embeddings: Count = 131072
    sliding_window_pattern: Count = 6
    rope_local_base_freq: Above | None = None

    @property
    def period(self):
        return self.sliding_window_pattern

    @property
    def rotary(self):
        stated = (self.rope_parameters or {}).get(FULL) or {}
        theta = self.rope_theta or GLOBAL_THETA
        scheme = {"rope_theta": theta, **stated, **(self.rope_scaling or {})}
        return read_rotary(scheme, self)

    @property
    def style(self):
        stated = (self.rope_parameters or {}).get(SLIDING) or {}
        theta = self.rope_local_base_freq or LOCAL_THETA
        local = read_rotary({"rope_theta": theta, **stated}, self)
        return dataclasses.replace(
            super().style, normalize_heads=True, local_rotary=local
        )

    @classmethod
    def describe(cls, network, config):
        style = network.style
        config = super().describe(network, config)
        config["rope_parameters"] = {
            FULL: write_rotary(style.rotary),
            SLIDING: write_rotary(style.local_rotary or style.rotary),
        }
        return config


GEMMA2 = decoder_family("gemma2", Gemma2Settings, "Gemma2", answers=False)
GEMMA3 = decoder_family(
    "gemma3_text", Gemma3Settings, "Gemma3", stem="Gemma3Text", answers=False
)
