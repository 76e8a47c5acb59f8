"""Weights of few bits: near the float ones, of less size, saved as they are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import compat, from_preset
from keras_genai.files.int8 import to_int8
from keras_genai.layers import adapters, few_bits
from keras_genai.layers.quantized import (
    Int4Weights,
    QuantizedDense,
    QuantizedEmbedding,
    quantize,
    size_in_bytes,
    unpack,
)
from keras_genai.networks.gpt import GPT, GPT2, LLAMA
from keras_genai.networks.t5 import T5
from keras_genai.samplers import Beam, Greedy
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
        model.quantize("float8")
    assert not any(weight.dtype == "int8" for weight in model.weights)
    few = tied()
    few.quantize("int4")
    assert few.changes == (Int4Weights(),)
    model.quantize("int8")
    assert any(weight.dtype == "int8" for weight in model.weights)


# Of a kind: the share of float32's size that a tied GPT takes at most, and how far its
# logits may be from the float ones, in shares of the largest.
KINDS = {"int8": (0.3, 0.02), "int4": (0.2, 0.2), "bfloat16": (0.53, 0.01)}


@pytest.mark.parametrize("kind", ["int4", "bfloat16"])
def test_other_kinds_are_near_and_come_back_to_the_bit(kind, tmp_path):
    share, error = KINDS[kind]
    model = tied()
    logits, size = model(TOKENS).numpy(), size_in_bytes(model)
    quantize(model, kind)
    assert np.abs(model(TOKENS) - logits).max() < error * np.abs(logits).max()
    assert size_in_bytes(model) < share * size
    model.save_to_preset(tmp_path / "few")
    loaded = from_preset(tmp_path / "few")
    assert loaded.changes == model.changes
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))
    stored = (tmp_path / "few" / "model.safetensors").stat().st_size
    assert stored < (share + 0.03) * size


def test_smaller_groups_lose_less():
    errors = []
    for group in (32, 64):
        model = tied()
        logits = model(TOKENS).numpy()
        quantize(model, "int4", group)
        assert model.changes == (Int4Weights(group),)
        errors.append(np.square(model(TOKENS) - logits).mean())
    assert errors[0] < errors[1]


def test_a_kind_or_group_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        quantize(tied(), "int3")
    with pytest.raises(ValueError, match="`group` must be"):
        quantize(tied(), "int4", 48)
    with pytest.raises(ValueError, match="`group` must be None"):
        quantize(tied(), "int8", 64)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_and_folded_rows_give_the_product_of_floats(kind, rows, monkeypatch):
    """7 tiles, of which the last two overlap; and rows of which one does not fit."""
    monkeypatch.setattr(few_bits, "TILE", 96 * 5)
    monkeypatch.setattr(few_bits, "LONGEST", 40)
    random = np.random.default_rng(0)
    dense = keras.layers.Dense(33, activation="tanh")
    dense.build((None, 96))
    dense.kernel.assign(random.normal(size=(96, 33)))
    dense.bias.assign(random.normal(size=33))
    table = keras.layers.Embedding(33, 96)
    table.build()
    table.embeddings.assign(dense.kernel.numpy().T)
    layers = keras.Sequential([keras.Input((96,)), dense])
    model = Holder(layers, table)
    quantize(model, kind)
    (few,), table = model.net.layers, model.table
    assert few.kernel.shape[0] == (33 if kind == "int4" else 3 * 33)
    x = random.normal(size=(rows, 96)).astype("float32")
    many = np.concatenate([x, np.zeros((70, 96), "float32")])  # floats of the whole
    for call in (few, table.logits):
        compiled = tf.function(call, jit_compile=True)
        np.testing.assert_allclose(compiled(x), call(many)[:rows], atol=2e-5)
        np.testing.assert_allclose(compiled(many), call(many), atol=2e-5)
    whole = x @ table.embeddings.numpy().T
    np.testing.assert_allclose(table.logits(x), whole, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Greedy(), Beam(3)], ids=["greedy", "beam"])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_beams_write_what_floats_of_the_same_values_write(kind, sampler):
    model, reference = tied(), tied()
    quantize(model, kind)
    values = {}
    for layer in compat.layers_inside(model):
        if isinstance(layer, QuantizedDense):
            kernel = layer(np.eye(64 if "contract" not in layer.name else 256))
            values[layer.kernel.path] = kernel - (
                0 if layer.bias is None else layer.bias
            )
        elif isinstance(layer, QuantizedEmbedding):
            values[layer.table.path] = layer.embeddings
    for weight in reference.weights:
        if weight.path in values:
            weight.assign(values[weight.path])
    prompts = [[5, 6, 7], [9, 2], [100, 3, 4, 5, 6]]
    arguments = dict(max_length=14, sampler=sampler)
    for written, expected in zip(
        model.generate(prompts, **arguments),
        reference.generate(prompts, **arguments),
        strict=True,
    ):
        np.testing.assert_array_equal(written, expected)


@pytest.mark.slow
def test_an_8_bit_copy_of_4_bits_is_near_and_not_saved(tmp_path):
    model = tied()
    quantize(model, "int4")
    size, paths = size_in_bytes(model), [*model.preset_weights()]
    decode = tf.function(model, jit_compile=True)
    packed = decode(TOKENS[:1, :1]).numpy()
    assert unpack(model) == 2 * 5 + 1
    assert (size_in_bytes(model), [*model.preset_weights()]) == (size, paths)
    copied = tf.function(model, jit_compile=True)(TOKENS[:1, :1]).numpy()
    error = np.abs(copied - packed).max()
    assert 0 < error < 0.02 * np.abs(packed).max()
    model.save_to_preset(tmp_path)
    loaded = from_preset(tmp_path)
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))
    with pytest.raises(ValueError, match="weights of 4 bits"):
        unpack(tied())


class Holder(keras.Model):
    """What `quantize` looks into, of two layers."""

    changes = ()

    def __init__(self, net, table):
        super().__init__()
        self.net, self.table = net, table
