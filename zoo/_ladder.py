"""The rungs on Tiny Shakespeare that differ in one number or one word."""

import functools

import keras

from keras_genai.data import text
from keras_genai.networks.ngram import NGram
from keras_genai.networks.rnn import RNN
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.truncated import TruncatedLM
from zoo import _text
from zoo.entry import Entry, Recipe

# Own reference: shared protocol of docs/results.md, interpolated modified
# Kneser-Ney with discounts from counts of counts.
NGRAM_NATS = {1: 3.347, 2: 2.484, 3: 2.038, 4: 1.719, 5: 1.561, 6: 1.523, 7: 1.5165}


def counting(steps=1):
    """Arguments of `compile` for a model that has no optimizer."""
    return dict(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def ngram(order):
    """`Entry` of a modified Kneser-Ney model of Tiny Shakespeare."""
    return Entry(
        task=CountingLM,
        networks=dict(network=NGram),
        config=dict(order=order),
        tiny={},
        source=text.shakespeare,
        alphabet=True,
        recipe=Recipe(compile=counting),
        evaluate=_text.score,
        sample=functools.partial(_text.write, prompt="ROMEO:"),
        family="n-grams",
        paper="Chen & Goodman 1998, An Empirical Study of Smoothing Techniques",
        reference=f"{NGRAM_NATS[order]} nats per character",
    )


def recurrent(cell, units, steps, peak=2e-3, dropout=0.0, layers=2):
    """`Entry` of a recurrent model of Tiny Shakespeare, its state carried along."""
    return Entry(
        task=TruncatedLM,
        networks=dict(network=RNN),
        config=dict(
            embedding_dim=units,
            units=units,
            num_layers=layers,
            cell=cell,
            dropout=dropout,
            lanes=32,
        ),
        tiny=dict(embedding_dim=8, units=8, num_layers=1),
        source=functools.partial(text.shakespeare, length=64, stream=True),
        alphabet=True,
        recipe=Recipe(
            compile=lambda steps=steps: dict(
                optimizer=adamw(warmup_cosine(peak, 100, steps, final=0.02)),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=True,
            ),
            batch_size=32,
            steps=steps,
            validate_every=500,
        ),
        evaluate=_text.score,
        sample=functools.partial(_text.write, prompt="ROMEO:"),
        family="recurrent networks",
        paper="Mikolov et al. 2010, Recurrent neural network based language model",
        reference="1.5165, the 7-gram's figure",
    )
