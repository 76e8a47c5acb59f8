"""Gemma 3, the smallest: 270M parameters, most of them a table of tokens.

Open:  keras_genai.from_preset("google/gemma-3-270m-it"), or a folder with its files
Train: python train.py gemma3_270m starts from random weights, on Python's manual
"""

import dataclasses

from keras_genai.layers.rotary import Rotary
from keras_genai.networks.gpt import GEMMA, GPT
from keras_genai.tasks.language import CausalLM
from zoo import _decoder, _text
from zoo.entry import Entry

STYLE = dataclasses.replace(
    GEMMA,
    num_memory_heads=1,
    normalize_heads=True,
    attention_scale=256**-0.5,
    rotary=Rotary(base=1_000_000.0),
    window=512,
    local_blocks=(True, True, True, True, True, False),
    local_rotary=Rotary(),
)

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=262_144,
        context=32_768,
        depth=18,
        width=640,
        num_heads=4,
        head_dim=256,
        inner_width=2_048,
        style=STYLE,
    ),
    tiny=_decoder.TINY_LLAMA
    | dict(
        depth=2, style=dataclasses.replace(STYLE, window=16, local_blocks=(True, False))
    ),
    source=_decoder.source,
    embedded=True,
    recipe=_decoder.recipe,
    evaluate=_text.score,
    sample=_decoder.sample,
    family="transformers",
    paper="Gemma Team 2025, Gemma 3, https://arxiv.org/abs/2503.19786",
    hub="google/gemma-3-270m-it",
)
