r"""BART that says in one sentence what a paper is about, fine-tuned on SciTLDR.

Train: python train.py bart_scitldr --data-dir DIR_WITH_scitldr \
           --set folder=facebook/bart-large
Needs: pip install "keras_genai[eval]", for ROUGE

`folder` is a folder or a hub name of any pretrained sequence-to-sequence model. Without
it, a small BART begins with random weights, and 1,992 papers teach it little.
"""

from keras_genai.networks.encoder_decoder import BART, EncoderDecoder
from zoo import _summarization
from zoo.entry import Entry

entry = Entry(
    task=_summarization.summarizer,
    networks=dict(network=EncoderDecoder),
    config=dict(
        context=_summarization.LENGTH,
        encoder_depth=3,
        decoder_depth=3,
        width=256,
        num_heads=4,
        style=BART,
    ),
    tiny=dict(encoder_depth=1, decoder_depth=1, width=8, num_heads=2),
    source=_summarization.papers,
    recipe=_summarization.recipe(steps=750, rate=3e-5),
    evaluate=_summarization.score,
    needs=("rouge_score",),
    sample=_summarization.write,
    family="encoder-decoders",
    paper="Lewis et al. 2020, BART, https://arxiv.org/abs/1910.13461; "
    "Cachola et al. 2020, SciTLDR, https://arxiv.org/abs/2004.15011",
    reference=_summarization.REFERENCE,
)
