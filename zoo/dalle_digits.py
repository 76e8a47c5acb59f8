"""DALL-E on scikit-learn's digits, one or two, where a caption says.

Run:       python train.py vqvae_captioned_digits
           python train.py dalle_digits
           python -m zoo sample dalle_digits --prompt "a three left of a seven"
Goal:      95 % of the digits are read where the caption has them.
"""

import functools

import keras

from keras_genai.data.captions import captioned_digits
from keras_genai.networks.gpt import GPT
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.dalle import DALLE
from zoo import _captions, _dalle
from zoo.entry import Entry, Recipe

STEPS = 5_000
DRAWN = dict(guidance=3.0, temperature=0.5)  # read best in validation pictures
SHOWN = (
    "a three left of a seven",
    "a seven left of a three",
    "a three above a seven",
    "a three below a seven",
    "a bright nine above a dim four",
    "a dim nine above a bright four",
    "a zero right of an eight",
    "a five",
)

entry = Entry(
    task=DALLE,
    networks=dict(network=GPT),
    given=("tokens",),
    config=dict(depth=3, width=128, num_heads=4, dropout=0.1),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=captioned_digits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=keras.optimizers.AdamW(
                warmup_cosine(1e-3, 200, steps, final=0.05),
                beta_2=0.99,
                weight_decay=0.1,
                clipnorm=1.0,
            ),
            jit_compile=True,
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
        keep_best=True,
    ),
    evaluate=functools.partial(_dalle.score_digits, **DRAWN),
    sample=functools.partial(_captions.draw, count=32, prompts=SHOWN, **DRAWN),
    family="autoregressive pictures",
    paper="Ramesh et al. 2021, Zero-Shot Text-to-Image Generation",
    parts=dict(codec="vqvae_captioned_digits"),
    embedded=True,
)
