"""Prompts read by products in 16 bits: near where many are read, and only there."""

import keras
import numpy as np
import pytest

from keras_genai.layers.quantized import quantize, unpack
from keras_genai.layers.reading import read_in
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.samplers import Beam, Greedy
from keras_genai.tasks.language import CausalLM

TOKENS = np.random.default_rng(0).integers(0, 50, (1, 80)).astype("int32")


def make():
    keras.utils.set_random_seed(0)
    sizes = dict(vocabulary_size=50, context=96, depth=2, width=32, num_heads=2)
    return CausalLM(GPT(**sizes, style=LLAMA))


# How many layers take part, and from how many tokens on.
KINDS = {None: (10, 65), "int8": (12, 2), "bfloat16": (12, 2), "int4": (12, 65)}


@pytest.mark.parametrize("kind", KINDS)
def test_many_tokens_are_read_in_16_bits_and_few_are_not(kind):
    model = make()
    if kind:
        quantize(model, kind)
    layers, least = KINDS[kind]
    many, few = model(TOKENS).numpy(), model(TOKENS[:, : least - 1]).numpy()
    assert read_in(model, "bfloat16") == layers
    for tokens, expected in ((TOKENS, many), (TOKENS[:, :least], many[:, :least])):
        error = np.abs(model(tokens) - expected).max()
        assert 1e-4 < error / np.abs(expected).max() < 0.02
    np.testing.assert_array_equal(model(TOKENS[:, : least - 1]), few)
    read_in(model, None)
    np.testing.assert_array_equal(model(TOKENS), many)


def test_an_8_bit_copy_of_4_bits_is_read_from_two_tokens_on():
    model = make()
    quantize(model, "int4")
    expected = model(TOKENS[:, :2]).numpy()
    unpack(model)
    read_in(model, "bfloat16")
    error = np.abs(model(TOKENS[:, :2]) - expected).max()
    assert 1e-4 < error / np.abs(expected).max() < 0.03


def test_what_cannot_be_read_so_is_refused():
    with pytest.raises(ValueError, match="`dtype` must be"):
        read_in(make(), "float32")
    with pytest.raises(ValueError, match="must have Dense layers"):
        read_in(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()]), "bfloat16")


def run_by_xla(model):
    """dict of the parts of `generate` that ran to whether XLA compiled them."""
    return {key[0][0]: key[1] for key in vars(model)["_compiled_loops"]}


@pytest.mark.slow
def test_the_prompt_is_read_outside_of_xla():
    model, arguments = make(), dict(max_length=90, sampler=Greedy())
    expected = model.generate(TOKENS[0], **arguments)
    read_in(model, "bfloat16")
    written = model.generate(TOKENS[0], **arguments)
    assert run_by_xla(model) == {"prefill": False, "advance": True}
    np.testing.assert_array_equal(written[:81], expected[:81])


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Greedy(), Beam(2)], ids=["greedy", "beams"])
def test_several_texts_are_written_outside_of_xla_if_weights_are_narrow(sampler):
    model, arguments = make(), dict(max_length=90, sampler=sampler)
    prompts = [TOKENS[0], TOKENS[0, :40]]
    quantize(model, "bfloat16")
    expected = model.generate(prompts, **arguments)
    read_in(model, "bfloat16")
    written = model.generate(prompts, **arguments)
    assert not any(run_by_xla(model).values())
    for ours, xlas, prompt in zip(written, expected, prompts, strict=True):
        np.testing.assert_array_equal(ours[: len(prompt) + 1], xlas[: len(prompt) + 1])
