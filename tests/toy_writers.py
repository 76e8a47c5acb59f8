"""Small language models with opinions, and what is asked of them."""

import keras
import numpy as np

from keras_genai.data import tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT, Style
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.rnn import RNN
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

CONTEXT = 48


def gpt(jit=False, **options):
    """A GPT of bytes. Without XLA, which would compile for longer than a test runs."""
    keras.utils.set_random_seed(0)
    sizes = dict(context=CONTEXT, depth=1, width=16, num_heads=2)
    network = GPT(**{**sizes, **options})
    return opinionated(CausalLM(network, Text(tokenizers.byte_level())), jit)


def windowed():
    """A GPT whose first block keeps the nearest tokens only."""
    style = Style(positions="rotary", window=20, local_blocks=(True, False))
    return gpt(style=style, depth=2)


def rnn():
    """A recurrent network, without any limit of its own."""
    keras.utils.set_random_seed(0)
    network = RNN(embedding_dim=12, units=16, num_layers=2)
    return opinionated(CausalLM(network, Text(tokenizers.byte_level())), factor=3)


def pair(network):
    """A model with an encoder that has a rule of its own."""
    settings = GenerationSettings(decoder_start_token=3, no_repeat_ngram_size=2)
    text = Text(tokenizers.byte_level())
    return opinionated(Seq2SeqLM(network, text, generation=settings), factor=3)


def encoder_decoder():
    """A transformer that reads one text and writes another."""
    keras.utils.set_random_seed(0)
    depths = dict(encoder_depth=1, decoder_depth=1)
    return pair(EncoderDecoder(context=CONTEXT, width=16, num_heads=2, **depths))


def recurrent_pair():
    """The same, recurrent."""
    keras.utils.set_random_seed(0)
    return pair(RecurrentEncoderDecoder(embedding_dim=8, units=8))


def opinionated(model, jit=False, factor=8):
    """The model with larger weights: chances that differ, so that tokens do not tie."""
    for weight in model.trainable_variables:
        weight.assign(weight * factor)
    model.jit_generate = jit
    return model


def words(count, least=1, most=16, vocabulary_size=256, seed=0):
    """list of int arrays: prompts of unequal lengths."""
    random = np.random.default_rng(seed)
    lengths = random.integers(least, most, count)
    return [random.integers(0, vocabulary_size, length) for length in lengths]
