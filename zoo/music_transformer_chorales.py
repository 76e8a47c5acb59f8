"""Transformer with relative attention on chorales of Bach, four voices in sixteenths.

Run:       python train.py music_transformer_chorales --data-dir FOLDER
Then:      python -m zoo harmonize music_transformer_chorales MELODY.mid
           python -m zoo continue music_transformer_chorales BEGINNING.mid
Reference: 0.335 nats a note of the validation pieces (Huang et al. 2018), as others
           quote it; 0.417 without relative attention.

FOLDER has Jsb16thSeparated.npz, itself or in its folder music.
"""

import functools

from keras_genai.data import chorales
from keras_genai.networks.gpt import GPT, Style
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.voices import NoteLM
from zoo import _music
from zoo.entry import Entry, Recipe

STEPS = 4_000

entry = Entry(
    task=NoteLM,
    networks=dict(network=GPT),
    config=dict(
        depth=4,
        width=192,
        num_heads=6,
        dropout=0.1,
        style=Style(positions="relative"),
        periods=(4, 16, 64),  # the voice; its place in a quarter; its place in a bar
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(chorales.chorales, steps=128, transpose=_music.TRANSPOSE),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(1e-3, 200, steps)),
            jit_compile=True,
        ),
        batch_size=4,
        steps=STEPS,
        log_every=50,
        validate_every=500,
        keep_best=True,
    ),
    evaluate=_music.score_notes,
    sample=_music.play,
    family="music",
    paper="Huang et al. 2018, Music Transformer, https://arxiv.org/abs/1809.04281; "
    "Shaw et al. 2018, https://arxiv.org/abs/1803.02155",
    reference="0.335 nats a note of validation, voices in series (Huang et al. 2018, "
    "as others quote it)",
    notes="Nats a note are of one voice in one sixteenth, given all notes before it in "
    "the order soprano, alto, tenor, bass; a note that is held counts in every "
    "sixteenth. Harmonies are drawn from left to right: they know of a melody only "
    "what has been heard.",
)
