"""8-bit weights: near the float ones, a quarter of their size, saved as they are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import from_preset
from keras_genai.files.int8 import to_int8
from keras_genai.layers import adapters
from keras_genai.layers.quantized import quantize, size_in_bytes
from keras_genai.networks.gpt import GPT, GPT2, LLAMA
from keras_genai.networks.t5 import T5
from keras_genai.samplers import Greedy
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

TOKENS = np.random.default_rng(0).integers(0, 300, (4, 16)).astype("int32")


def tied(style=GPT2):
    keras.utils.set_random_seed(1)
    sizes = dict(vocabulary_size=300, context=16, depth=2, width=64, num_heads=2)
    return CausalLM(GPT(**sizes, style=style))


def untied():
    return tied(LLAMA)


def nats(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return float(loss(TOKENS[:, 1:], model(TOKENS[:, :-1])))


def test_every_value_is_within_half_a_step():
    matrix = np.random.default_rng(0).normal(size=(5, 40)).astype("float32")
    matrix[2] = 0
    values, scale = to_int8(matrix)
    assert values.dtype == np.int8
    assert scale.shape == (5,)
    error = np.abs(values * scale[:, None] - matrix)
    assert (error <= scale[:, None] * 0.501).all()
    assert (np.abs(values[[0, 1, 3, 4]]).max(axis=1) == 127).all()


@pytest.mark.parametrize("make", [tied, untied])
def test_logits_stay_close_in_a_third_of_the_size(make):
    model = make()
    logits, before, size = model(TOKENS).numpy(), nats(model), size_in_bytes(model)
    assert quantize(model) == 2 * 5 + (1 if make is tied else 2)
    assert np.abs(model(TOKENS) - logits).max() < 0.02 * np.abs(logits).max()
    assert abs(nats(model) - before) < 2e-3
    assert size_in_bytes(model) < 0.3 * size
    assert not model.trainable_weights


def test_the_preset_is_small_and_comes_back_to_the_bit(tmp_path):
    model = tied()
    model.save_to_preset(tmp_path / "float")
    quantize(model)
    model.save_to_preset(tmp_path / "int8")
    loaded = from_preset(tmp_path / "int8")
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))
    sizes = [
        (tmp_path / name / "model.safetensors").stat().st_size
        for name in ("float", "int8")
    ]
    assert sizes[1] < 0.3 * sizes[0]


@pytest.mark.slow
def test_generate_writes_with_them_what_a_float_model_of_their_values_writes():
    model, reference = tied(), tied()
    quantize(model)
    for path, weight in reference.preset_weights().items():
        stored = model.preset_weights()[path]
        if stored.dtype == "int8":
            scale = model.preset_weights()[path.rpartition("/")[0] + "/scale"]
            value = stored.numpy() * scale.numpy()[:, None]
            weight.assign(value if "embedding" in path else value.T)
    arguments = dict(max_length=12, sampler=Greedy())
    np.testing.assert_array_equal(
        model.generate([5, 6, 7], **arguments),
        reference.generate([5, 6, 7], **arguments),
    )


def test_the_token_table_of_both_sides_is_one():
    network = T5(
        vocabulary_size=100,
        encoder_depth=1,
        decoder_depth=1,
        width=16,
        num_heads=2,
        head_dim=8,
        inner_width=32,
    )
    model = Seq2SeqLM(network)
    inputs = {
        "inputs": TOKENS % 100,
        "inputs_mask": np.ones(TOKENS.shape, bool),
        "targets": TOKENS % 100,
    }
    logits = model(inputs).numpy()
    quantize(model)
    tables = [path for path in model.preset_weights() if "embedding" in path]
    assert len(tables) == 2
    assert np.abs(model(inputs) - logits).max() < 0.05 * np.abs(logits).max()


def test_what_cannot_be_quantized_is_refused():
    model = tied()
    adapters.add(model, rank=1)
    with pytest.raises(ValueError, match="must be merged"):
        quantize(model)
    adapters.merge(model)
    quantize(model)
    with pytest.raises(ValueError, match="twice"):
        quantize(model)


@pytest.mark.slow
def test_a_single_vector_in_xla_gets_what_many_get_outside():
    model = untied()
    quantize(model)
    compiled = tf.function(model, jit_compile=True)
    for row in TOKENS:
        np.testing.assert_allclose(
            compiled(row[None, :1]), model(row[None])[:, :1], atol=1e-5
        )


def test_quantize_of_keras_is_ours_or_refused():
    model = tied()
    with pytest.raises(ValueError, match=r"layers.quantized.quantize"):
        model.quantize("int4")
    assert not any(weight.dtype == "int8" for weight in model.weights)
    model.quantize("int8")
    assert any(weight.dtype == "int8" for weight in model.weights)
