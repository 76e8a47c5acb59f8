"""Qwen2, Qwen2.5 and Qwen3 checkpoints: Llama with biases, or with normalised heads.

Reference: Yang et al. 2024, https://arxiv.org/abs/2407.10671; 2025,
https://arxiv.org/abs/2505.09388; the tensors as in transformers' `Qwen2ForCausalLM` and
`Qwen3ForCausalLM`.
"""

import dataclasses

from keras_genai.convert.decoders import (
    FULL,
    SLIDING,
    DecoderSettings,
    check_layer_types,
    decoder_family,
    layer_types,
    local_blocks,
)
from keras_genai.convert.mapping import Count, Token
from keras_genai.data import published
from keras_genai.networks.gpt import LLAMA

# Endings of English verbs, words with what stands before them, single digits, signs.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class QwenSettings(DecoderSettings):
    """What both have: a window for the blocks after the first so many, if for any."""

    vocab_size: Count = 151936
    intermediate_size: Count = 22016
    num_key_value_heads: Count | None = 32
    max_position_embeddings: Count = 32768
    use_sliding_window: bool = False
    sliding_window: Count | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None
    eos_token_id: Token | list[Token] | None = None

    def windows(self):
        """dict of the choices of a `Style` that say how far blocks look back."""
        depth = self.num_hidden_layers
        check_layer_types(self.layer_types, depth)
        window = self.sliding_window if self.use_sliding_window else None
        kinds = self.layer_types
        if kinds is None:
            first = self.max_window_layers
            kinds = [FULL if n < first else SLIDING for n in range(depth)]
            kinds = kinds if window else [FULL] * depth
        if SLIDING not in kinds:
            return {}
        if window is None:
            raise ValueError(
                f"`sliding_window` must be an int where `layer_types` has {SLIDING!r}. "
                f"Received: {window}, use_sliding_window={self.use_sliding_window}"
            )
        return {"window": window, "local_blocks": local_blocks(kinds)}

    @classmethod
    def describe(cls, network, config):
        window = network.style.window
        return config | {
            "use_sliding_window": window is not None,
            "sliding_window": window,
            "layer_types": layer_types(network),
        }


class Qwen2Settings(QwenSettings):
    """The settings of a Qwen2 that change its numbers."""

    @property
    def style(self):
        return dataclasses.replace(
            LLAMA, query_bias=True, **self.shared(), **self.windows()
        )


class Qwen3Settings(QwenSettings):
    """The settings of a Qwen3 that change its numbers."""

    head_dim: Count | None = 128
    attention_bias: bool = False

    @property
    def style(self):
        return dataclasses.replace(
            LLAMA,
            normalize_heads=True,
            query_bias=self.attention_bias,
            output_bias=self.attention_bias,
            **self.shared(),
            **self.windows(),
        )

    @classmethod
    def describe(cls, network, config):
        biased = network.style.bias_of("query")
        return super().describe(network, config) | {"attention_bias": biased}


def read_tokenizer(folder, options, size):
    """Byte-level BPE of vocab.json and merges.txt; digits stand alone."""
    return published.byte_level_bpe(
        folder,
        special=[published.token_text(options.get("eos_token"), "<|endoftext|>")],
        add_prefix_space=bool(options.get("add_prefix_space")),
        size=size,
        words=WORDS,
        options=options,
    )


_SHARED = dict(tokenizer=read_tokenizer, answering_prefix="transformer.")
QWEN2 = decoder_family("qwen2", Qwen2Settings, "Qwen2", **_SHARED)
QWEN3 = decoder_family("qwen3", Qwen3Settings, "Qwen3", **_SHARED)
