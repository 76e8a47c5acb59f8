"""CLIP with a ViT-B/32: texts that fit pictures, classes that nobody trained, 151M.

Open:  keras_genai.from_preset("openai/clip-vit-base-patch32"), or a folder with its
       files
Use:   python -m zoo rank clip_vit_base_patch32 a.jpg --text "a cat" --text "a dog"
Train: python train.py clip_vit_base_patch32 --data-dir FOLDER starts from random
       weights, on emoji and their captions
"""

import functools

from keras_genai.data.emoji import emoji
from keras_genai.networks.gpt import GPT, Style
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.contrastive import Contrastive
from zoo import _clip
from zoo.entry import Entry, Recipe

STEPS = 300

entry = Entry(
    task=Contrastive,
    networks=dict(image_encoder=_clip.vit, text_encoder=GPT),
    given=("tokens",),
    config=dict(
        vocabulary_size=49408,
        context=77,
        depth=12,
        width=512,
        num_heads=8,
        style=Style(feedforward="quick_gelu"),
        embedding_size=512,
    ),
    tiny=dict(
        patch=16,
        image_depth=1,
        image_width=8,
        image_heads=2,
        depth=1,
        width=8,
        num_heads=2,
        embedding_size=4,
    ),
    source=functools.partial(emoji, augment=True),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(1e-4, max(1, steps // 20), steps)),
            jit_compile=True,
        ),
        batch_size=64,
        steps=STEPS,
    ),
    evaluate=_clip.score,
    sample=_clip.retrieve,
    family="encoders",
    paper="Radford et al. 2021, CLIP, https://arxiv.org/abs/2103.00020",
    hub="openai/clip-vit-base-patch32",
)
