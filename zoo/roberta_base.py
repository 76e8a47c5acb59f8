"""RoBERTa-base: BERT trained longer, on byte pairs, 125M parameters.

Open:  keras_genai.from_preset("FacebookAI/roberta-base"), or a folder with its files;
       `task="SequenceClassifier"` puts a new head on it
Train: python train.py roberta_base starts from random weights, on Python's manual
"""

from keras_genai.networks.bert import BERT, ROBERTA
from keras_genai.tasks.masked import MaskedLM
from zoo import _encoder
from zoo.entry import Entry

entry = Entry(
    task=MaskedLM,
    networks=dict(network=BERT),
    config=dict(
        context=512, depth=12, width=768, num_heads=12, num_segments=1, style=ROBERTA
    ),
    tiny=dict(context=64, depth=1, width=8, num_heads=2),
    source=_encoder.source,
    embedded=True,
    recipe=_encoder.recipe(steps=300, rate=1e-4),
    evaluate=_encoder.score,
    sample=_encoder.fill,
    family="encoders",
    paper="Liu et al. 2019, RoBERTa, https://arxiv.org/abs/1907.11692",
    hub="FacebookAI/roberta-base",
)
