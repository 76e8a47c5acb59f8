"""SmolLM2, the smallest: a Llama of 135M parameters that answers in English.

Open:  keras_genai.from_preset("HuggingFaceTB/SmolLM2-135M-Instruct"), or
       a folder with its files
Train: python train.py smollm2_135m starts from random weights, on Python's manual
"""

import dataclasses

from keras_genai.layers.rotary import Rotary
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.tasks.language import CausalLM
from zoo import _decoder, _text
from zoo.entry import Entry

STYLE = dataclasses.replace(
    LLAMA,
    num_memory_heads=3,
    tie_embeddings=True,
    norm_epsilon=1e-5,
    rotary=Rotary(base=100_000.0),
)

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=49_152,
        context=8_192,
        depth=30,
        width=576,
        num_heads=9,
        inner_width=1_536,
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
    paper="Ben Allal et al. 2025, SmolLM2, https://arxiv.org/abs/2502.02737",
    hub="HuggingFaceTB/SmolLM2-135M-Instruct",
)
