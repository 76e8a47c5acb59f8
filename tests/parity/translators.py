"""The folders of tests/parity/files/translators, as tokenizers and tiny models."""

import dataclasses
import pathlib

from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.networks import encoder_decoder
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM

FILES = pathlib.Path(__file__).parent / "files/translators"
FAMILY_OF = {
    "marian": "marian",
    "marian_apart": "marian",
    "pegasus": "pegasus",
    "pegasus_json": "pegasus",
    "mbart": "mbart",
    "mbart_json": "mbart",
    "mbart50": "mbart",
    "mbart50_json": "mbart",
    "m2m100": "m2m_100",
    "nllb": "m2m_100",
    "nllb_json": "m2m_100",
}


def opened(name):
    """The `Tokenizer` of a folder."""
    return read_tokenizer(FILES / name, FAMILIES[FAMILY_OF[name]])


STYLES = {
    "marian": encoder_decoder.MARIAN,
    "pegasus": encoder_decoder.PEGASUS,
    "mbart": encoder_decoder.MBART,
    "m2m_100": encoder_decoder.M2M100,
}


def tiny(name):
    """A model with the tokenizer of a folder."""
    tokenizer, style = opened(name), STYLES[FAMILY_OF[name]]
    size, inputs = tokenizer.written.vocabulary_size, None
    if name == "marian_apart":
        inputs = tokenizer.vocabulary_size
        style = dataclasses.replace(style, own_inputs=True)
    network = EncoderDecoder(
        vocabulary_size=size,
        inputs_vocabulary_size=inputs,
        context=64,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        inner_width=8,
        style=style,
    )
    start = tokenizer.pad_token
    if FAMILY_OF[name] == "m2m_100":
        start = tokenizer.end_token
    generation = GenerationSettings(max_length=9, decoder_start_token=start)
    model = Seq2SeqLM(network, generation=generation)
    model.tokenizer = tokenizer
    model.jit_generate = False
    return model
