"""Small BERT that guesses hidden words of SST-2's sentences; first stage of bert_sst2.

Train: python train.py bert_sst2_mlm --data-dir DIR_WITH_sst2
"""

import dataclasses
import functools

from keras_genai.data import sentiment
from keras_genai.networks.bert import BERT
from keras_genai.tasks.masked import MaskedLM
from zoo import _encoder, _sentiment
from zoo.entry import Entry

entry = Entry(
    task=MaskedLM,
    networks=dict(network=BERT),
    target="tokens",  # also where the sentences have labels
    config=dict(context=_sentiment.LENGTH, depth=2, width=128, num_heads=4),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(
        sentiment.sst2_masked, length=_sentiment.LENGTH, tokenizer=_sentiment.TOKENIZER
    ),
    recipe=dataclasses.replace(
        _encoder.recipe(steps=4_800, rate=1e-3, batch_size=64),
        log_every=100,
        validate_every=800,
    ),
    evaluate=_encoder.score,
    sample=functools.partial(_encoder.fill, text="this is a [MASK] film ."),
    family="encoders",
    paper="Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805",
)
