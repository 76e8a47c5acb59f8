"""T5-small: every task as text to text, 60M parameters.

Open:  keras_genai.from_preset("google-t5/t5-small"), or a folder with its files
Train: python train.py t5_small starts from random weights, on dates
"""

from keras_genai.networks.t5 import ORIGINAL, T5
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _seq2seq
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=T5),
    config=dict(
        vocabulary_size=32128,
        encoder_depth=6,
        decoder_depth=6,
        width=512,
        num_heads=8,
        head_dim=64,
        inner_width=2048,
        style=ORIGINAL,
        generation=GenerationSettings(max_length=128, num_beams=4),
    ),
    tiny=dict(
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        head_dim=3,
        inner_width=12,
    ),
    source=_seq2seq.source,
    embedded=True,
    recipe=_seq2seq.fine_tuning(steps=300, rate=1e-3),
    evaluate=_seq2seq.score,
    sample=_seq2seq.answer,
    family="encoder-decoders",
    paper="Raffel et al. 2020, https://arxiv.org/abs/1910.10683",
    hub="google-t5/t5-small",
)
