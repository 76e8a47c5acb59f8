"""LSTM that tells praise from blame in film reviews, from scratch on SST-2.

Train: python train.py lstm_sst2 --data-dir DIR_WITH_sst2
Aim:   above the floor that is printed beside it, of words and letters
"""

import functools

from keras_genai.data import sentiment
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.tasks.classification import SequenceClassifier
from zoo import _sentiment
from zoo.entry import Entry

entry = Entry(
    task=SequenceClassifier,
    networks=dict(network=RecurrentEncoder),
    given=("tokens",),
    config=dict(embedding_dim=128, units=96, dropout=0.5, token_dropout=0.2),
    tiny=dict(embedding_dim=8, units=8),
    source=functools.partial(
        sentiment.sst2, length=_sentiment.LENGTH, tokenizer="wordpiece:10000"
    ),
    recipe=_sentiment.recipe(steps=2_000, rate=1e-3),
    evaluate=_sentiment.score,
    sample=_sentiment.judge,
    family="encoders",
    paper="Hochreiter & Schmidhuber 1997, Long Short-Term Memory",
    needs=("sklearn",),
)
