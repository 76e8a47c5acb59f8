"""BERT-base, uncased: an encoder that guesses hidden words, 110M parameters.

Open:  keras_genai.from_preset("google-bert/bert-base-uncased"), or a folder with its
       files; `task="SequenceClassifier"` puts a new head on it
Train: python train.py bert_base_uncased starts from random weights, on Python's manual
"""

from keras_genai.networks.bert import BERT
from keras_genai.tasks.masked import MaskedLM
from zoo import _encoder
from zoo.entry import Entry

entry = Entry(
    task=MaskedLM,
    networks=dict(network=BERT),
    config=dict(context=512, depth=12, width=768, num_heads=12),
    tiny=dict(context=64, depth=1, width=8, num_heads=2),
    source=_encoder.source,
    embedded=True,
    recipe=_encoder.recipe(steps=300, rate=1e-4),
    evaluate=_encoder.score,
    sample=_encoder.fill,
    family="encoders",
    paper="Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805",
    hub="google-bert/bert-base-uncased",
)
