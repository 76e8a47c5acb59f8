"""A transformer that says what an emoji shows, behind the same convolutions.

Run:       python train.py caption_transformer_emoji --data-dir FOLDER
           python -m zoo caption caption_transformer_emoji a.png b.png
Goal:      that of `caption_emoji`, whose data and figures these are.
"""

import functools

from keras_genai.data.emoji import emoji
from keras_genai.networks.vision_encoder_decoder import VisionEncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _captioning
from zoo.entry import Entry

STEPS = 1_500

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=VisionEncoderDecoder),
    target="tokens",
    given=("images",),
    config=dict(
        context=26,
        widths=(32, 96),
        blocks=2,
        stride=2,
        encoder_depth=1,
        decoder_depth=2,
        width=128,
        num_heads=4,
        dropout=0.2,
        generation=GenerationSettings(max_length=26, num_beams=4),
    ),
    tiny=dict(
        widths=(4, 8),
        blocks=1,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
    ),
    source=functools.partial(emoji, augment=True),
    feed=_captioning.as_pairs,
    fits=_captioning.fits,
    recipe=_captioning.recipe(STEPS),
    evaluate=_captioning.score,
    sample=functools.partial(
        _captioning.write, source=functools.partial(emoji, stand_in=True)
    ),
    family="captioning",
    paper="Li et al. 2021, TrOCR: Transformer-based Optical Character Recognition with "
    "Pre-trained Models",
    notes=_captioning.NOTES,
    needs=("sacrebleu",),
)
