"""BART-large, fine-tuned to summarise news (CNN and Daily Mail).

Open:  keras_genai.from_preset("facebook/bart-large-cnn"), or a folder with its files
Train: python train.py bart_large_cnn starts from random weights, on dates
"""

from keras_genai.networks.encoder_decoder import BART, EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _seq2seq
from zoo.entry import Entry

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=EncoderDecoder),
    config=dict(
        vocabulary_size=50264,
        context=1024,
        encoder_depth=12,
        decoder_depth=12,
        width=1024,
        num_heads=16,
        inner_width=4096,
        style=BART,
        # As in fairseq's evaluation; the folder's own settings add its first token.
        generation=GenerationSettings(
            max_length=140,
            min_length=55,
            num_beams=4,
            length_penalty=2.0,
            early_stopping=True,
            no_repeat_ngram_size=3,
        ),
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
    recipe=_seq2seq.fine_tuning(steps=300, rate=3e-5),
    evaluate=_seq2seq.score,
    sample=_seq2seq.answer,
    family="encoder-decoders",
    paper="Lewis et al. 2020, BART, https://arxiv.org/abs/1910.13461",
    hub="facebook/bart-large-cnn",
)
