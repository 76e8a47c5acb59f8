"""GPT on the Python documentation, one token a character.

Run:  python train.py
Data: `pydoc_data.topics`, which is on every machine that has Python.
"""

import functools

import keras

from keras_genai.data import text
from keras_genai.networks.gpt import GPT, Style
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.language import CausalLM
from zoo import _text
from zoo.entry import Entry, Recipe

CONTEXT = 128  # characters
STEPS = 1_500

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=CONTEXT,
        depth=4,
        width=128,
        num_heads=4,
        style=Style(positions="rotary", norm="rms", use_bias=False),
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(text.python_docs, length=CONTEXT),
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(3e-3, 100, steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=8,
        steps=STEPS,
        validate_every=250,
    ),
    evaluate=_text.score,
    sample=functools.partial(_text.write, prompt="The "),
    family="transformers",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
)
