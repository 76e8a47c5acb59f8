"""What the pretrained sequence-to-sequence entries of the zoo have in common."""

import keras
import numpy as np

from keras_genai.data import translation
from keras_genai.optimizers import adamw
from keras_genai.samplers import Greedy
from keras_genai.schedules import warmup_cosine
from zoo.entry import Recipe

# The pairs that every entry can be fine-tuned on without a download.
source = translation.dates
EXAMPLE = "Tuesday, January 5, 2021"


def fine_tuning(steps, rate=3e-4):
    """A `Recipe` that adapts whole weights."""
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=adamw(warmup_cosine(rate, steps // 10, steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            weighted_metrics=[],
        ),
        batch_size=16,
        steps=steps,
    )


def score(model, splits, count=200):
    """Share of held-out texts that greedy decoding gets right, to the letter."""
    inputs, targets = (splits.held_out[key][:count] for key in ("inputs", "targets"))
    length = 1 + max(len(model.tokenizer.encode(text)) for text in targets) + 1
    found = model.generate(inputs.tolist(), max_length=length, sampler=Greedy())
    right = [
        text.strip() == target for text, target in zip(found, targets, strict=True)
    ]
    return {"exact_match": float(np.mean(right))}


def answer(model, seed, text=EXAMPLE):
    """What the model makes of one text, by its own decode settings."""
    compiled, model.jit_generate = model.jit_generate, False  # not worth it for one
    try:
        return model.generate(text, seed=seed)
    finally:
        model.jit_generate = compiled
