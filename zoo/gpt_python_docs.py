"""GPT on the Python documentation, in 512 pieces of words.

Run:  python train.py
Data: `pydoc_data.topics`, which is on every machine that has Python.

Pieces of words let as many steps read twice as much text as characters do, and Muon
learns more from each of them.
"""

import functools

import keras

from keras_genai.data import text
from keras_genai.networks.gpt import GPT, MODERN
from keras_genai.optimizers import muon
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.language import CausalLM
from zoo import _text
from zoo.entry import Entry, Recipe

CONTEXT = 128  # tokens, some two characters each
STEPS = 1_500

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=CONTEXT,
        depth=4,
        width=128,
        num_heads=4,
        dropout=0.1,
        style=MODERN,
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(text.python_docs, length=CONTEXT, tokenizer="bpe:512"),
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=muon(warmup_cosine(3e-3, 100, steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=8,
        steps=STEPS,
        validate_every=250,
    ),
    evaluate=_text.score,
    sample=functools.partial(_text.write, prompt="The statement ", length=250),
    family="transformers",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
)
