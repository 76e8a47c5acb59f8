"""Small language models with opinions, and what is asked of them."""

import keras
import numpy as np

from keras_genai.data import tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM

CONTEXT = 48


def gpt(jit=False, **options):
    """A GPT of bytes. Without XLA, which would compile for longer than a test runs."""
    keras.utils.set_random_seed(0)
    sizes = dict(context=CONTEXT, depth=1, width=16, num_heads=2)
    network = GPT(**{**sizes, **options})
    return opinionated(CausalLM(network, Text(tokenizers.byte_level())), jit)


def opinionated(model, jit=False, factor=8):
    """The model with larger weights: chances that differ, so that tokens do not tie."""
    for weight in model.trainable_variables:
        weight.assign(weight * factor)
    model.jit_generate = jit
    return model


def words(count, least=1, most=30, vocabulary_size=256, seed=0):
    """list of int arrays: prompts of unequal lengths."""
    random = np.random.default_rng(seed)
    lengths = random.integers(least, most, count)
    return [random.integers(0, vocabulary_size, length) for length in lengths]
