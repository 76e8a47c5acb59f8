"""Small BERT from scratch that finds the answers to questions in a text.

Train: python train.py bert_answers
Ask:   python -m zoo answer bert_answers --context FILE_OR_TEXT "Who moved to Cairo?"

Made-up lives of people with real names, no download. The people of the test are in no
text that was trained on: to answer, the model has to find the name in the text. That it
has not learned yet: it finds what could answer a question, but of two people it takes
either.
"""

import functools

from keras_genai.networks.bert import BERT
from keras_genai.optimizers import muon
from zoo import _answering
from zoo.entry import Entry

LENGTH = 72  # tokens: nearly every text is one window

entry = Entry(
    task=_answering.reader,
    networks=dict(network=BERT),
    given=("tokens",),
    config=dict(context=LENGTH, depth=3, width=128, num_heads=4, dropout=0.0),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(_answering.source("people"), length=LENGTH),
    embedded=True,
    recipe=_answering.recipe(
        steps=2_000,
        rate=3e-3,
        batch_size=32,
        # What makes logits and what is looked up is not for Muon.
        optimizer=functools.partial(muon, exclude=("span", "positions")),
    ),
    evaluate=_answering.score,
    sample=_answering.read,
    family="encoders",
    paper="Devlin et al. 2019, section 4.2, https://arxiv.org/abs/1810.04805",
)
