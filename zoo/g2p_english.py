"""English spelling to sounds in IPA (SIGMORPHON 2021) by a transformer.

Run:       python train.py g2p_english --data-dir FOLDER
Other:     python train.py g2p_english --data sigmorphon:fre --data-dir FOLDER
Reference: WER 0.419 on the test words, an ensemble of ten transducers with beam
           search (baseline of the shared task)

33,344 words of Wiktionary train it, a pronunciation each; see
`keras_genai.data.pronunciation.sigmorphon`.
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
    source=functools.partial(
        pronunciation.sigmorphon, max_tokens=_pronunciation.TOKENS
    ),
    reads=str.lower,
    recipe=_pronunciation.recipe(steps=2_500),
    evaluate=_pronunciation.score,
    sample=_pronunciation.write,
    family="encoder-decoders",
    paper="Ashby et al. 2021, https://aclanthology.org/2021.sigmorphon-1.13",
    reference="WER 0.419: ensemble of ten transducers, SIGMORPHON 2021 baseline",
)
