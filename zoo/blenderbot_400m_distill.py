"""Blenderbot of 400M parameters, distilled from the one of 2.7B: open-domain chat.

Open:  keras_genai.from_preset("facebook/blenderbot-400M-distill"), or its folder
Train: python train.py blenderbot_400m_distill starts from random weights, on dates
"""

from keras_genai.data import turns
from keras_genai.networks.encoder_decoder import BLENDERBOT, EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _seq2seq
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=EncoderDecoder),
    config=dict(
        vocabulary_size=8008,
        context=128,
        encoder_depth=2,
        decoder_depth=12,
        width=1280,
        num_heads=32,
        inner_width=5120,
        style=BLENDERBOT,
        turns=turns.BLENDERBOT,
        generation=GenerationSettings(
            max_length=60,
            min_length=20,
            num_beams=10,
            length_penalty=0.65,
            no_repeat_ngram_size=3,
            encoder_no_repeat_ngram_size=3,
        ),
    ),
    tiny=dict(
        context=64,
        encoder_depth=1,
        decoder_depth=2,
        width=8,
        num_heads=2,
        inner_width=16,
    ),
    source=_seq2seq.source,
    embedded=True,
    recipe=_seq2seq.fine_tuning(steps=300, rate=7e-6),
    evaluate=_seq2seq.score,
    sample=_seq2seq.answer,
    family="encoder-decoders",
    paper="Roller et al. 2021, Recipes for building an open-domain chatbot, "
    "https://arxiv.org/abs/2004.13637",
    hub="facebook/blenderbot-400M-distill",
)
