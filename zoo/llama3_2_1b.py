"""Llama 3.2, the smallest: 1.2B parameters that answer in eight languages.

Open:  keras_genai.from_preset("meta-llama/Llama-3.2-1B-Instruct"), or
       a folder with its files
Train: python train.py llama3_2_1b starts from random weights, on Python's manual
"""

import dataclasses

from keras_genai.layers.rotary import Llama3Rotary
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.tasks.language import CausalLM
from zoo import _decoder, _text
from zoo.entry import Entry

STYLE = dataclasses.replace(
    LLAMA,
    num_memory_heads=8,
    tie_embeddings=True,
    norm_epsilon=1e-5,
    rotary=Llama3Rotary(base=500_000.0, factor=32.0),
)

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=128_256,
        context=131_072,
        depth=16,
        width=2_048,
        num_heads=32,
        inner_width=8_192,
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
    paper="Grattafiori et al. 2024, Llama 3, https://arxiv.org/abs/2407.21783",
    hub="meta-llama/Llama-3.2-1B-Instruct",
)
