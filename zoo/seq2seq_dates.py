"""Dates as people write them to ISO 8601, by a recurrent network with attention.

Run: python train.py seq2seq_dates

The dates are written by Babel, in the formats of eight locales: no download.
`samples/plot.png` in the run folder shows where the model looked while it wrote: at the
year first, then at the month, then at the day.
"""

import functools

from keras_genai.data import translation
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _translation
from zoo.entry import Entry, Recipe

STEPS = 1_500
DATES = (
    "Tuesday, January 5, 2021",
    "mercredi 14 juillet 1976",
    "23 de outubro de 1987",
    "09.11.1989",
)

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=RecurrentEncoderDecoder),
    config=dict(
        embedding_dim=32,
        units=96,
        dropout=0.0,
        generation=GenerationSettings(max_length=12),
    ),
    tiny=dict(embedding_dim=8, units=6),
    source=translation.dates,
    embedded=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: _translation.compiled(
            4e-3, 100, steps, smoothing=0.0, weight_decay=0.01
        ),
        batch_size=128,
        steps=STEPS,
        log_every=50,
        validate_every=500,
    ),
    evaluate=_translation.score_dates,
    sample=functools.partial(_translation.write, texts=DATES),
    plot=functools.partial(_translation.plot, text=DATES[0]),
    family="encoder-decoders",
    paper="Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473",
    reference="exact match above 0.99 within five minutes on two cores",
)
