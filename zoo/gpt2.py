"""GPT-2, the small one: continues any English text, 124M parameters.

Open:  keras_genai.from_preset("openai-community/gpt2"), or a folder with its files
Train: python train.py gpt2 starts from random weights, on Python's manual
"""

import functools

import keras

from keras_genai.data import text
from keras_genai.networks.gpt import GPT
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.language import CausalLM
from zoo import _text
from zoo.entry import Entry, Recipe

STEPS = 300

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        vocabulary_size=50257,
        context=1024,
        depth=12,
        width=768,
        num_heads=12,
        dropout=0.1,
    ),
    tiny=dict(context=64, depth=1, width=8, num_heads=2),
    source=functools.partial(text.python_docs, length=64, tokenizer="bpe:4000"),
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(6e-4, max(1, steps // 10), steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=4,
        steps=STEPS,
    ),
    evaluate=_text.score,
    sample=functools.partial(_text.write, prompt="The "),
    family="transformers",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    hub="openai-community/gpt2",
)
