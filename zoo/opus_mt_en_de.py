"""OPUS-MT, English to German: a Marian of 74M parameters that translates sentences.

Open:  keras_genai.from_preset("Helsinki-NLP/opus-mt-en-de"), or a folder with its
       files, and then generate("The house is wonderful.")
Train: python train.py opus_mt_en_de starts from random weights, on dates
"""

from keras_genai.networks.encoder_decoder import MARIAN, EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _seq2seq
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=EncoderDecoder),
    config=dict(
        vocabulary_size=58_101,
        context=512,
        encoder_depth=6,
        decoder_depth=6,
        width=512,
        num_heads=8,
        inner_width=2048,
        style=MARIAN,
        # The folder's own settings add its first token, which is padding.
        generation=GenerationSettings(max_length=512, num_beams=4),
    ),
    tiny=dict(
        context=64,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        inner_width=16,
    ),
    source=_seq2seq.source,
    embedded=True,
    recipe=_seq2seq.fine_tuning(steps=300, rate=3e-4),
    evaluate=_seq2seq.score,
    sample=_seq2seq.answer,
    family="encoder-decoders",
    paper="Tiedemann & Thottingal 2020, OPUS-MT, https://aclanthology.org/2020.eamt-1.61",
    hub="Helsinki-NLP/opus-mt-en-de",
)
