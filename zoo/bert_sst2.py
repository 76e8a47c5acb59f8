"""Small BERT from scratch that tells praise from blame in film reviews, on SST-2.

Train: python train.py bert_sst2_mlm --data-dir DIR_WITH_sst2, and then
       python train.py bert_sst2 --data-dir DIR_WITH_sst2
Aim:   above the floor that is printed beside it, of words and letters

Hidden tokens and averaged weights keep it from learning 6,920 sentences by heart.
"""

import functools

from keras_genai.data import sentiment
from zoo import _sentiment
from zoo.entry import Entry

entry = Entry(
    task=_sentiment.on_trained,
    given=("tokens",),
    config=dict(dropout=0.3),
    tiny={},
    source=functools.partial(
        sentiment.sst2,
        length=_sentiment.LENGTH,
        tokenizer=_sentiment.TOKENIZER,
        token_dropout=0.3,
    ),
    recipe=_sentiment.recipe(
        steps=800, rate=2e-3, keep_best=False, use_ema=True, ema_momentum=0.99
    ),
    evaluate=_sentiment.score,
    sample=_sentiment.judge,
    family="encoders",
    paper="Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805",
    needs=("sklearn",),
    parts=dict(trained="bert_sst2_mlm"),
)
