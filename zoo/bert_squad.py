r"""BERT that finds the answers to questions in a text, fine-tuned on SQuAD.

Train: python train.py bert_squad --data-dir DIR_WITH_JSON_FILES \
           --set folder=google-bert/bert-base-uncased
Ask:   python -m zoo answer bert_squad --context FILE_OR_TEXT "Who wrote it?"

The files are train-v1.1.json and dev-v1.1.json, or others of their format. `folder` is
a folder or a hub name of any BERT; without it, a small one begins with random weights.
"""

import functools

from keras_genai.networks.bert import BERT
from zoo import _answering
from zoo.entry import Entry

LENGTH = 384

entry = Entry(
    task=_answering.reader,
    networks=dict(network=BERT),
    given=("tokens",),
    config=dict(context=LENGTH, depth=4, width=256, num_heads=4),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(
        _answering.source("squad"),
        tokenizer="wordpiece:30000",
        length=LENGTH,
        stride=128,
    ),
    recipe=_answering.recipe(steps=11_000, rate=3e-5, batch_size=16),
    evaluate=_answering.score,
    sample=_answering.read,
    family="encoders",
    paper="Devlin et al. 2019, section 4.2, https://arxiv.org/abs/1810.04805",
    reference="exact match 80.8, F1 88.5 of BERT-base on the development set, %",
)
