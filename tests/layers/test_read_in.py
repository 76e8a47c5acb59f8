"""Prompts read by products in 16 bits: near where many are read, and only there."""

import keras
import numpy as np
import pytest

from keras_genai.layers.quantized import quantize
from keras_genai.layers.reading import read_in
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.samplers import Greedy
from keras_genai.tasks.language import CausalLM

TOKENS = np.random.default_rng(0).integers(0, 50, (1, 80)).astype("int32")


def make():
    keras.utils.set_random_seed(0)
    sizes = dict(vocabulary_size=50, context=96, depth=2, width=32, num_heads=2)
    return CausalLM(GPT(**sizes, style=LLAMA))


@pytest.mark.parametrize("kind", [None, "int8"])
def test_many_tokens_are_read_in_16_bits_and_few_are_not(kind):
    model = make()
    if kind:
        quantize(model, kind)
    many, few = model(TOKENS).numpy(), model(TOKENS[:, :64]).numpy()
    assert read_in(model, "bfloat16") == 2 * 5 + 1 - (kind is None)
    error = np.abs(model(TOKENS) - many).max()
    assert 0 < error < 0.02 * np.abs(many).max()
    np.testing.assert_array_equal(model(TOKENS[:, :64]), few)
    read_in(model, None)
    np.testing.assert_array_equal(model(TOKENS), many)


def test_what_cannot_be_read_so_is_refused():
    with pytest.raises(ValueError, match="`dtype` must be"):
        read_in(make(), "float32")
    with pytest.raises(ValueError, match="must have Dense layers"):
        read_in(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()]), "bfloat16")


@pytest.mark.slow
def test_the_prompt_is_read_outside_of_xla():
    model, arguments = make(), dict(max_length=90, sampler=Greedy())
    expected = model.generate(TOKENS[0], **arguments)
    read_in(model, "bfloat16")
    written = model.generate(TOKENS[0], **arguments)
    compiled = {key[0][0]: key[1] for key in vars(model)["_compiled_loops"]}
    assert compiled == {"prefill": False, "advance": True}
    np.testing.assert_array_equal(written[:81], expected[:81])
