"""Diffusion of emoji by their captions, people among them in the tones asked for.

Run:       python train.py text_ddpm_emoji --data-dir FOLDER
           python -m zoo sample text_ddpm_emoji --prompt "firefighter, dark skin tone"
Goal:      90 % of the pictures have the skin tone of their captions, which are of pairs
           of motif and tone that never train.
"""

import functools

from keras_genai.data.emoji import emoji
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion
from zoo import _captions, _diffusion, _emoji
from zoo.entry import Entry, Recipe

STEPS = 15_000
GUIDANCE = 3.0

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("tokens",),
    config=dict(
        width=48,
        multipliers=(1, 2, 2),
        blocks=1,
        attention_at=(1, 2),
        num_heads=2,
        dropout=0.1,
    ),
    tiny=dict(width=8, multipliers=(1,), attention_at=()),
    source=functools.partial(emoji, augment=True),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            # It stops where a run a third as long again still learns.
            optimizer=_diffusion.adam(steps * 4 // 3),
            jit_compile=False,
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=2_000,
    ),
    evaluate=functools.partial(_emoji.score, guidance=GUIDANCE),
    sample=functools.partial(
        _captions.draw, count=32, prompts=_emoji.SHOWN, guidance=GUIDANCE
    ),
    family="diffusion",
    paper="Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion "
    "Models",
    notes="It learned from 3,215 pictures: of a caption that trained, it draws about "
    "the picture that it saw. The tone of a person is what the caption says; without "
    "one, people are yellow, as Twemoji draws them.",
)
