"""What published decoders of the zoo have in common: they can be trained anew, too."""

import functools

import keras

from keras_genai.data import text
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from zoo import _text
from zoo.entry import Recipe

STEPS = 300
TINY = dict(context=64, depth=1, width=8, num_heads=2)
TINY_LLAMA = dict(**TINY, head_dim=4, inner_width=8)  # with a style of its own

source = functools.partial(text.python_docs, length=64, tokenizer="bpe:4000")
sample = functools.partial(_text.write, prompt="The ")
recipe = Recipe(
    compile=lambda steps=STEPS: dict(
        optimizer=adamw(warmup_cosine(6e-4, max(1, steps // 10), steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    ),
    batch_size=4,
    steps=STEPS,
)
