"""DistilBERT fine-tuned to tell praise from blame, on SST-2: 67M parameters.

Open:  keras_genai.from_preset of its hub name, or a folder with its files, and then
       classify("a film to remember")
Train: python train.py distilbert_sst2 --data-dir DIR_WITH_sst2 starts from random
       weights; without a folder on forty sentences of this package
"""

from keras_genai.networks.bert import BERT, DISTILBERT
from keras_genai.tasks.classification import SequenceClassifier
from zoo import _sentiment
from zoo.entry import Entry

entry = Entry(
    task=SequenceClassifier,
    networks=dict(network=BERT),
    given=("tokens",),
    config=dict(
        context=512,
        depth=6,
        width=768,
        num_heads=12,
        num_segments=None,
        style=DISTILBERT,
        dropout=0.1,
    ),
    tiny=dict(context=48, depth=1, width=8, num_heads=2),
    source=_sentiment.shipped,
    embedded=True,
    recipe=_sentiment.recipe(steps=1_000, rate=1e-4),
    evaluate=_sentiment.score,
    sample=_sentiment.judge,
    family="encoders",
    paper="Sanh et al. 2019, DistilBERT, https://arxiv.org/abs/1910.01108",
    hub="distilbert/distilbert-base-uncased-finetuned-sst-2-english",
    needs=("sklearn",),
)
