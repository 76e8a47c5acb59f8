"""GPT on the Python documentation and small talk, before it learns to answer.

Run: python train.py gpt_chat_base, and then python train.py gpt_chat
"""

import functools

import keras

from keras_genai.data import dialogue
from keras_genai.networks.gpt import GPT, MODERN
from keras_genai.optimizers import muon
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.language import CausalLM
from zoo import _dialogue, _text
from zoo.entry import Entry, Recipe

STEPS = 1_200

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=_dialogue.LENGTH,
        depth=6,
        width=192,
        num_heads=6,
        dropout=0.1,
        style=MODERN,
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(
        dialogue.background, length=_dialogue.LENGTH, tokenizer=_dialogue.TOKENIZER
    ),
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=muon(warmup_cosine(3e-3, 100, steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=8,
        steps=STEPS,
        validate_every=500,
    ),
    evaluate=_text.score,
    sample=functools.partial(_text.write, prompt="The statement ", length=150),
    family="alignment",
    notes="""\
It goes on with texts like the documentation of Python, or small talk written as two
lines. It does not answer yet: gpt_chat goes on from here. Nothing rewarded it.""",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
)
