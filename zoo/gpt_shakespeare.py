"""GPT on Tiny Shakespeare by nanoGPT's recipe for a CPU, one token a character.

Run:       python train.py gpt_shakespeare --data-dir FOLDER_WITH_input.txt
Reference: validation loss 1.88 after 2,000 steps (nanoGPT's own estimate).
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

CONTEXT = 64  # characters
STEPS = 2_000

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=CONTEXT,
        depth=4,
        width=128,
        num_heads=4,
        style=Style(use_bias=False),
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(text.shakespeare, length=CONTEXT),
    alphabet=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(1e-3, 100, steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=12,
        steps=STEPS,
        log_every=50,
        validate_every=500,
    ),
    evaluate=_text.score_like_nanogpt,
    sample=functools.partial(_text.write, prompt="ROMEO:"),
    family="transformers",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    reference="1.88 by nanoGPT's estimate, 20 random batches (karpathy/nanoGPT)",
)
