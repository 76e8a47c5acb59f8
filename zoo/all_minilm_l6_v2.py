"""MiniLM of six layers: a vector a sentence, 23M parameters.

Open:  keras_genai.from_preset("sentence-transformers/all-MiniLM-L6-v2"), or a folder
       with its files, and then embed(texts) and similarity(texts, others)
Train: python train.py all_minilm_l6_v2 --data-dir DIR_WITH_sst2 starts from random
       weights; without a folder on forty sentences of this package
"""

from keras_genai.networks.bert import BERT
from keras_genai.tasks.embedding import SentenceEmbedder
from zoo import _similarity
from zoo.entry import Entry

entry = Entry(
    task=SentenceEmbedder,
    networks=dict(network=BERT),
    given=("tokens",),
    config=dict(context=512, depth=6, width=384, num_heads=12, max_length=256),
    tiny=dict(context=48, depth=1, width=8, num_heads=2),
    source=_similarity.opinions,
    embedded=True,
    recipe=_similarity.recipe(steps=500, rate=1e-4),
    evaluate=_similarity.score,
    sample=_similarity.compare,
    family="encoders",
    paper=(
        "Wang et al. 2020, MiniLM, https://arxiv.org/abs/2002.10957; Reimers & "
        "Gurevych 2019, Sentence-BERT, https://arxiv.org/abs/1908.10084"
    ),
    hub="sentence-transformers/all-MiniLM-L6-v2",
)
