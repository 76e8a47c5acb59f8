"""Qwen3, the smallest: 600M parameters that answer in a hundred languages.

Open:  keras_genai.from_preset("Qwen/Qwen3-0.6B"), or a folder with its files
Train: python train.py qwen3_600m starts from random weights, on Python's manual
"""

import dataclasses

from keras_genai.layers.rotary import Rotary
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.tasks.language import CausalLM
from zoo import _decoder, _text
from zoo.entry import Entry

STYLE = dataclasses.replace(
    LLAMA,
    num_memory_heads=8,
    tie_embeddings=True,
    normalize_heads=True,
    rotary=Rotary(base=1_000_000.0),
)

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=151_936,
        context=40_960,
        depth=28,
        width=1_024,
        num_heads=16,
        head_dim=128,
        inner_width=3_072,
        style=STYLE,
    ),
    tiny=dict(
        **_decoder.TINY_LLAMA, style=dataclasses.replace(STYLE, num_memory_heads=1)
    ),
    source=_decoder.source,
    embedded=True,
    recipe=_decoder.recipe,
    evaluate=_text.score,
    sample=_decoder.sample,
    family="transformers",
    paper="Yang et al. 2025, Qwen3, https://arxiv.org/abs/2505.09388",
    hub="Qwen/Qwen3-0.6B",
)
