"""Dates to ISO 8601 after so few steps that about half are right.

Run:  python train.py seq2seq_dates_base
Then: python train.py seq2seq_dates_grpo goes on from rewards alone
"""

import functools

from keras_genai.data import translation
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _translation, seq2seq_dates
from zoo.entry import Entry, Recipe
from zoo.seq2seq_dates import DATES

STEPS = 190

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=RecurrentEncoderDecoder),
    config=seq2seq_dates.entry.config,
    tiny=seq2seq_dates.entry.tiny,
    source=translation.dates,
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: _translation.compiled(
            4e-3, 100, steps, smoothing=0.0, weight_decay=0.01
        ),
        batch_size=128,
        steps=STEPS,
    ),
    evaluate=_translation.score_dates,
    sample=functools.partial(_translation.write, texts=DATES),
    plot=functools.partial(_translation.plot, text=DATES[0]),
    family="alignment",
    notes="""\
It learned for so few steps that it is often wrong: seq2seq_dates_grpo goes on from
here. Nothing rewarded it. It reads dates as eight countries write them, and knows of
nothing else.""",
    paper="Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473",
)
