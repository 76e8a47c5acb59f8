"""Flan-T5-base: T5 v1.1 tuned on instructions, 250M parameters.

Open:  keras_genai.from_preset("google/flan-t5-base"), or a folder with its files
Train: python train.py flan_t5_base starts from random weights, on dates
"""

from keras_genai.networks.t5 import T5, V1_1
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _seq2seq
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=T5),
    config=dict(
        vocabulary_size=32128,
        encoder_depth=12,
        decoder_depth=12,
        width=768,
        num_heads=12,
        head_dim=64,
        inner_width=2048,
        style=V1_1,
        generation=GenerationSettings(max_length=128),
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
    paper="Chung et al. 2022, https://arxiv.org/abs/2210.11416",
    hub="google/flan-t5-base",
)
