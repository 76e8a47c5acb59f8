"""English spelling to American sounds (CMUdict) by an encoder-decoder transformer.

Run:       python train.py g2p_cmudict --data-dir FOLDER
Try:       python -m zoo translate g2p_cmudict Photograph
Reference: WER 0.335 and PER 0.061 of an 8-gram transducer on the same words
           (balacoon/en_us_pronunciation); a Transformer of 3 x 256 has WER 0.302 on
           CMU Sphinx's own split (cmusphinx/g2p-seq2seq)

FOLDER has CMUdict and the two published word lists; see
`keras_genai.data.pronunciation.cmudict`. A word is right if it is any of its
pronunciations in the dictionary. In code words are given in small letters, because
capitals are sounds; what is typed after `translate` may have both.
"""

import functools

from keras_genai.data import pronunciation
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _pronunciation
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=EncoderDecoder),
    config=_pronunciation.CONFIG,
    tiny=_pronunciation.TINY,
    source=functools.partial(pronunciation.cmudict, max_tokens=_pronunciation.TOKENS),
    alphabet=True,
    reads=str.lower,
    recipe=_pronunciation.recipe(steps=6_000),
    evaluate=_pronunciation.score,
    sample=_pronunciation.write,
    family="encoder-decoders",
    paper="Vaswani et al. 2017, https://arxiv.org/abs/1706.03762",
    reference="WER 0.335, PER 0.061: 8-gram transducer, balacoon/en_us_pronunciation",
)
