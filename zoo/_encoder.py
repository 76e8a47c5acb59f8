"""What the masked language models of the zoo have in common."""

import functools

import keras

from keras_genai.data import masking
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from zoo.entry import Recipe

source = functools.partial(masking.python_docs, length=64)


def recipe(steps, rate, batch_size=8):
    """Pre-training: the loss is the mean over the hidden tokens."""
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=adamw(warmup_cosine(rate, max(1, steps // 10), steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=batch_size,
        steps=steps,
        log_every=50,
    )


def score(model, splits):
    """Nats per hidden token of the held-out text."""
    loss = model.evaluate(splits.validation.epoch(), verbose=0)
    return {"nats_per_hidden_token": float(loss)}


def fill(model, seed, text="This is the [MASK] of the function."):
    """What the model puts in a gap; nothing is drawn, so `seed` has no part."""
    text = text.replace("[MASK]", model.tokenizer.core.id_to_token(model.mask_token))
    (guesses,) = model.fill(text)
    return f"{text} {', '.join(guess.token for guess in guesses)}"
