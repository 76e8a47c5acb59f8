"""DALL-E on emoji: a GPT over words and the codes of vqvae_emoji.

Run:       python train.py vqvae_emoji --data-dir DIR
           python train.py clip_emoji --data-dir DIR
           python train.py dalle_emoji --data-dir DIR
           python -m zoo sample dalle_emoji --prompt "a firefighter, dark skin tone"
Goal:      the tone of 85 % of unseen pairs of a motif and a tone is as asked.
"""

import functools

import keras

from keras_genai.data.emoji import emoji
from keras_genai.networks.gpt import GPT
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.dalle import DALLE
from zoo import _captions, _dalle, _emoji
from zoo.entry import Entry, Recipe

STEPS = 5_000
DRAWN = dict(guidance=2.0, temperature=0.7)

entry = Entry(
    task=DALLE,
    networks=dict(network=GPT),
    given=("tokens",),
    config=dict(depth=4, width=192, num_heads=6, dropout=0.2),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(emoji, augment=True),
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
    evaluate=functools.partial(_dalle.score, **DRAWN),
    sample=functools.partial(_captions.draw, count=32, prompts=_emoji.SHOWN, **DRAWN),
    family="autoregressive pictures",
    paper="Ramesh et al. 2021, Zero-Shot Text-to-Image Generation",
    parts=dict(codec="vqvae_emoji", ranker="clip_emoji"),
)
