r"""T5 that says in one sentence what a paper is about, fine-tuned on SciTLDR.

Train: python train.py t5_scitldr --data-dir DIR_WITH_scitldr \
           --set folder=google/flan-t5-small
Needs: pip install "keras_genai[eval]", for ROUGE

Every abstract has `summarize: ` before it, as in T5's pre-training. Without `folder`, a
small T5 begins with random weights, and 1,992 papers teach it little.
"""

import functools

from keras_genai.networks.t5 import T5, V1_1
from zoo import _summarization
from zoo.entry import Entry

PREFIX = "summarize: "

entry = Entry(
    task=_summarization.summarizer,
    networks=dict(network=T5),
    config=dict(
        encoder_depth=3,
        decoder_depth=3,
        width=256,
        num_heads=4,
        head_dim=64,
        inner_width=512,
        style=V1_1,
    ),
    tiny=dict(
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        head_dim=4,
        inner_width=16,
    ),
    source=functools.partial(_summarization.papers, prefix=PREFIX),
    recipe=_summarization.recipe(steps=750, rate=3e-4),
    evaluate=_summarization.score,
    needs=("rouge_score",),
    sample=functools.partial(_summarization.write, prefix=PREFIX),
    family="encoder-decoders",
    paper="Raffel et al. 2020, T5, https://arxiv.org/abs/1910.10683; "
    "Cachola et al. 2020, SciTLDR, https://arxiv.org/abs/2004.15011",
    reference=_summarization.REFERENCE,
)
