"""Which one or two digits a picture shows, where, and how bright: embedded.

Run:       python train.py caption_digits
           python -m zoo sample caption_digits
Goal:      95 % of the captions of unseen pairs are true.
"""

import functools

from keras_genai.data.captions import captioned_digits
from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _captioning
from zoo.entry import Entry

STEPS = 2_500

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=RecurrentCaptioner),
    target="tokens",
    given=("images",),
    config=dict(
        widths=(32, 64),
        blocks=1,
        stride=1,
        embedding_dim=64,
        units=128,
        dropout=0.2,
        generation=GenerationSettings(max_length=14, num_beams=4),
    ),
    tiny=dict(widths=(4, 8), embedding_dim=8, units=6),
    source=captioned_digits,
    feed=_captioning.as_pairs,
    fits=_captioning.fits,
    recipe=_captioning.recipe(STEPS, rate=2e-3),
    evaluate=_captioning.score_digits,
    sample=functools.partial(_captioning.write, source=captioned_digits),
    plot=functools.partial(_captioning.plot, source=captioned_digits),
    family="captioning",
    paper="Xu et al. 2015, Show, Attend and Tell: Neural Image Caption Generation with "
    "Visual Attention",
    notes="It knows two digits of 8 x 8 pixels on black, beside or above each other, "
    "and says that of all other pictures, too.",
    embedded=True,
)
