"""CLIP on emoji: which caption fits which picture.

Run:       python train.py clip_emoji --data-dir FOLDER
           python -m zoo sample clip_emoji --data-dir FOLDER --prompt "red fruit"
           python -m zoo rank clip_emoji a.png b.png --text "cat" --text "dog"
Goal:      of 40 % of the captions the picture is among the nearest five of all test
           pictures, which are of pairs of motif and tone, or of motifs, that never
           train; by chance 1.3 %.
"""

import functools

from keras_genai.data.emoji import emoji
from keras_genai.networks.gpt import GPT
from keras_genai.networks.residual_encoder import ResidualEncoder
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.contrastive import Contrastive
from zoo import _clip
from zoo._averaging import averaged
from zoo.entry import Entry, Recipe

STEPS = 1_500

entry = Entry(
    task=Contrastive,
    networks=dict(image_encoder=ResidualEncoder, text_encoder=GPT),
    given=("tokens",),
    config=dict(
        widths=(64, 128, 256),
        stride=2,
        depth=2,
        width=128,
        num_heads=4,
        dropout=0.1,
        embedding_size=64,
    ),
    tiny=dict(widths=(4, 8), depth=1, width=8, num_heads=2, embedding_size=4),
    source=functools.partial(emoji, augment=True),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(
                warmup_cosine(1e-3, max(1, steps // 20), steps, final=0.05),
                **averaged(steps),
            ),
            jit_compile=False,
        ),
        batch_size=256,
        steps=STEPS,
        steps_per_execution=5,
        log_every=50,
        validate_every=100,
        keep_best=True,
    ),
    evaluate=_clip.score,
    sample=_clip.retrieve,
    family="encoders",
    paper="Radford et al. 2021, Learning Transferable Visual Models From Natural "
    "Language Supervision",
    notes="It learned from 3,215 pictures and knows their words only. It finds "
    "pictures that exist, and makes none.",
)
