"""Every public layer keeps what all layers promise; see `tests/harness.py`.

This file is a program, too; see `tests/two_cpus.py`.
"""

import functools

import keras
import numpy as np
import pytest
from harness import (
    POLICIES,
    ROWS,
    Case,
    check_config,
    check_file,
    check_gradients,
    check_parts_take_the_policy,
    check_policy,
    check_symbolic,
    check_xla,
    distances_of_replicas,
    public_classes,
)
from two_cpus import findings, report

from keras_genai import layers
from keras_genai.layers import (
    adaptive_augmentation,
    conditional_normalization,
    conditioning,
    convolution,
    convolution_block,
    denoising,
    dense,
    dilated,
    embedding,
    equalized,
    feedforward,
    latent,
    masked,
    modulated,
    normalization,
    picture_encoder,
    point_sets,
    pool,
    positions,
    recurrent,
    recurrent_attention,
    recurrent_stacks,
    spectral,
    speech,
    stacks,
    temporal,
    waves,
)
from keras_genai.layers.attention import Attention, MemoryProjection
from keras_genai.layers.rms import OffsetRMSNormalization
from keras_genai.layers.spec_augment import SpecAugment
from keras_genai.layers.transformer import Block

WIDTH, LENGTH, SOURCE, UNITS, CLASSES = 8, 5, 6, 4, 3


def draw(*shape, seed=0):
    rows = np.random.default_rng(seed).normal(size=(ROWS, *shape))
    return rows.astype("float32")


def ints(*shape, most):
    rows = np.random.default_rng(0).integers(0, most, (ROWS, *shape))
    return rows.astype("int32")


TEXT, MEMORY = draw(LENGTH, WIDTH), draw(SOURCE, WIDTH + 4, seed=1)
REAL = np.arange(SOURCE) < np.array([[4], [6], [1], [5]])
LABELS = ints(most=CLASSES)
PICTURES = np.tanh(draw(8, 8, 2))
VECTOR = draw(UNITS)
HEADS = draw(2, LENGTH, 4)


def case(kind, *arguments, inputs=TEXT, call=None, draws=False, **options):
    """Of a class, its arguments, and a function of the layer and single tensors."""

    def spread(layer, tensors):
        tensors = tensors if isinstance(tensors, list) else [tensors]
        return layer(*tensors) if call is None else call(layer, *tensors)

    make = functools.partial(kind, *arguments, **options)
    return Case(lambda dtype: make(dtype=dtype), inputs, spread, draws)


def norm(name):
    return keras.layers.RMSNormalization(epsilon=1e-3, dtype="float32", name=name)


def block(dtype, across=None, **options):
    if across is not None:
        options["cross_attention"] = Attention(2, across, dtype=dtype)
    parts = Attention(2, 4, dtype=dtype), FeedForward(16, "gelu", dtype=dtype)
    return Block(*parts, norm, dtype=dtype, **options)


def stack(kind, dtype, **options):
    return stacks.make_stack(
        kind,
        1,
        WIDTH,
        "stack",
        dtype=dtype,
        num_heads=2,
        hidden=9,
        activation="relu",
        initializer=keras.initializers.GlorotUniform,
        **options,
    )


def biased_stack(kind, dtype):
    made = stack(kind, dtype, pre_norm=True)
    bias = positions.RelativePositionBias(
        2, 4, 8, causal=kind is stacks.DecoderStack, dtype=dtype
    )
    return kind(made.blocks, made.norm, bias, dtype=dtype)


def attention_of_distances(dtype):
    keys = positions.RelativeKeys(2, 4, 3, dtype=dtype, name="relative_keys")
    return Attention(2, 4, relative_keys=keys, dtype=dtype)


def attend(layer, x, memory):
    return layer(x, layer.project_memory(memory))


def look_across(layer, x, memory):
    return layer(x, memory=layer.cross_attention.project_memory(memory))[0]


def read(layer, x, memory, real):
    return layer(x, layer.project_memory(memory, real))


def decode(layer, x, memory, real):
    states = [x[:, 0, :UNITS] for _ in layer.zero_states(1)]
    state = layer.initial_state(states)
    return layer(x, state, layer.project_memory(memory, real))


def bare(kind, *arguments, **options):
    """Of a layer that wraps a linear one without a bias."""
    return lambda dtype, **more: functools.partial(
        kind, keras.layers.Dense(UNITS, use_bias=False, dtype=dtype), *arguments
    )(dtype=dtype, **options, **more)


FeedForward = feedforward.FeedForward
READ = [TEXT, MEMORY, REAL]
MEMORY_READ = [MEMORY, REAL]
LOOK = {"inputs": READ}
CASES = {
    "AdaptiveAugmentation": case(
        adaptive_augmentation.AdaptiveAugmentation, inputs=PICTURES
    ),
    "Attention": case(Attention, 2, 4, inputs=[TEXT, MEMORY], call=attend),
    "Attention, of distances": Case(
        attention_of_distances,
        [TEXT, TEXT],
        lambda layer, tensors: attend(layer, *tensors),
    ),
    "Attention, grouped": case(
        Attention,
        4,
        2,
        num_memory_heads=2,
        normalize=True,
        use_bias=False,
        scale=0.5,
        inputs=[TEXT, MEMORY],
        call=attend,
    ),
    "AttentiveDecoder": case(
        recurrent_stacks.AttentiveDecoder, UNITS, 2, call=decode, **LOOK
    ),
    "AttentiveDecoder, Luong's": case(
        recurrent_stacks.AttentiveDecoder,
        UNITS,
        1,
        "lstm",
        "concat",
        call=decode,
        **LOOK,
    ),
    "BahdanauAttention": case(recurrent_attention.BahdanauAttention, UNITS, **LOOK),
    "BatchNormalization": case(normalization.BatchNormalization, inputs=PICTURES),
    "BidirectionalStack": case(
        recurrent_stacks.BidirectionalStack,
        UNITS,
        2,
        "simple",
        0.1,
        inputs=[MEMORY, REAL],
    ),
    "ConvolutionBlock": case(
        convolution_block.ConvolutionBlock,
        2,
        inputs=[MEMORY, np.ones((*MEMORY.shape[:2], 1), "float32")],
    ),
    "PictureEncoder": case(
        picture_encoder.PictureEncoder, (4, 8), blocks=1, inputs=PICTURES
    ),
    "SpeechEncoder": case(
        speech.SpeechEncoder,
        4,
        units=3,
        num_layers=1,
        augmentation=SpecAugment(),
        inputs=[MEMORY, REAL],
        call=lambda layer, mels, real: layer(mels, real)[0],
    ),
    "Block": Case(block, TEXT, lambda layer, x: layer(x)),
    "Block, across": Case(
        functools.partial(block, across=3, pre_norm=False, dropout=0.25),
        [TEXT, MEMORY],
        lambda layer, inputs: look_across(layer, *inputs),
    ),
    "ClassEmbedding": case(conditioning.ClassEmbedding, CLASSES, UNITS, inputs=LABELS),
    "Conditioning": case(
        conditioning.Conditioning, WIDTH, UNITS, CLASSES, inputs=[VECTOR[:, 0], LABELS]
    ),
    "Conditioning, of texts": case(
        conditioning.Conditioning,
        WIDTH,
        UNITS,
        CLASSES,
        text_width=UNITS,
        inputs=[VECTOR[:, 0], LABELS, VECTOR],
    ),
    "ConditionalBatchNormalization": case(
        conditional_normalization.ConditionalBatchNormalization,
        CLASSES,
        inputs=[PICTURES, LABELS],
    ),
    "CrossAttention": case(
        denoising.CrossAttention, 2, inputs=[PICTURES, *MEMORY_READ]
    ),
    "DecoderStack": Case(
        functools.partial(stack, stacks.DecoderStack),
        READ,
        lambda layer, inputs: read(layer, *inputs),
    ),
    "DecoderStack, biased": Case(
        functools.partial(biased_stack, stacks.DecoderStack),
        READ,
        lambda layer, inputs: read(layer, *inputs),
    ),
    "Dense": case(dense.Dense, 3, "tanh"),
    "DiTBlock": case(denoising.DiTBlock, 2, 12, inputs=[TEXT, VECTOR]),
    "DiTBlock, of texts": case(
        denoising.DiTBlock, 2, 12, reads=True, inputs=[TEXT, VECTOR, *MEMORY_READ]
    ),
    "Downsample": case(convolution.Downsample, UNITS, inputs=PICTURES),
    "EncoderStack": Case(functools.partial(stack, stacks.EncoderStack), TEXT),
    "EncoderStack, biased": Case(
        functools.partial(biased_stack, stacks.EncoderStack),
        [MEMORY, REAL],
        lambda layer, inputs: layer(inputs[0], stacks.memory_mask(inputs[1])),
    ),
    "Equalized": case(bare(equalized.Equalized, bias=0.5, speed=0.1)),
    "FeedForward": case(FeedForward, 9, "silu"),
    "InducedBlock": case(
        point_sets.InducedBlock,
        2,
        12,
        10,
        reads=True,
        inputs=[TEXT, draw(3, 2 * WIDTH, seed=2), VECTOR, *MEMORY_READ],
    ),
    "GRU": case(recurrent.GRU, UNITS),
    "GatedFeedForward": case(feedforward.GatedFeedForward, 9, "silu", use_bias=False),
    "GaussianSampling": case(
        latent.GaussianSampling,
        inputs=[VECTOR, draw(UNITS, seed=1)],
        call=lambda layer, mean, spread: layer(mean, spread, samples=2, seed=3),
        draws=True,
    ),
    "GroupNorm": case(
        convolution.GroupNorm, inputs=[PICTURES, VECTOR[:, :2], VECTOR[:, 2:]]
    ),
    "GumbelSoftmax": case(latent.GumbelSoftmax, True, inputs=VECTOR),
    "ImagePool": case(pool.ImagePool, 2 * ROWS, (8, 8, 2), inputs=PICTURES),
    "LSTM": case(recurrent.LSTM, UNITS),
    "LearnedPositions": case(
        positions.LearnedPositions, 7, UNITS, inputs=ints(LENGTH, most=7)
    ),
    "LuongAttention": case(recurrent_attention.LuongAttention, **LOOK),
    "LuongAttention, additive": case(
        recurrent_attention.LuongAttention, "concat", **LOOK
    ),
    "SinusoidalPositions": case(
        waves.SinusoidalPositions, 7, UNITS, inputs=ints(LENGTH, most=7)
    ),
    "SinusoidalPositions, tensor2tensor": case(
        waves.SinusoidalPositions, 7, 5, "tensor2tensor", inputs=ints(LENGTH, most=7)
    ),
    "MaskedBlock": Case(
        lambda dtype: masked.MaskedBlock(WIDTH, 0.1, CLASSES, dtype=dtype),
        [draw(4, 4, WIDTH), LABELS],
        lambda layer, inputs: layer(*inputs),
    ),
    "MaskedConvolution": case(masked.MaskedConvolution, UNITS, 3, inputs=PICTURES),
    "MemoryProjection": Case(
        lambda dtype: MemoryProjection(Attention(2, 4, dtype=dtype), dtype=dtype), TEXT
    ),
    "ModulatedConvolution": case(
        modulated.ModulatedConvolution, UNITS, 3, inputs=[PICTURES, VECTOR[:, :2]]
    ),
    "Modulation": case(conditioning.Modulation, 2, 3, inputs=VECTOR),
    "NoiseEmbedding": case(
        conditioning.NoiseEmbedding, WIDTH, UNITS, inputs=np.abs(VECTOR[:, 0])
    ),
    "PictureAttention": case(convolution.PictureAttention, 2, inputs=PICTURES),
    "PeriodicPositions": case(
        positions.PeriodicPositions, (2, 3), UNITS, inputs=ints(LENGTH, most=9)
    ),
    "RelativeKeys": case(
        positions.RelativeKeys,
        2,
        4,
        3,
        inputs=[HEADS],
    ),
    "RelativeKeys, of distances": case(
        positions.RelativeKeys,
        2,
        4,
        3,
        inputs=[HEADS, ints(LENGTH, SOURCE, most=9)],
    ),
    "OffsetRMSNormalization": case(OffsetRMSNormalization),
    "RelativePositionBias": case(
        positions.RelativePositionBias,
        2,
        4,
        8,
        inputs=[ints(LENGTH, most=9), ints(SOURCE, most=9)],
    ),
    "CausalConv1D": case(dilated.CausalConv1D, UNITS, 3, 2),
    "GatedResidual": case(
        dilated.GatedResidual, UNITS, 3, 2, 2, inputs=[TEXT, VECTOR[:, None]]
    ),
    "ResidualBlock": case(
        convolution.ResidualBlock, UNITS, 0.1, inputs=[PICTURES, VECTOR]
    ),
    "SimpleRNN": case(recurrent.SimpleRNN, UNITS),
    "SpectralNormalization": case(bare(spectral.SpectralNormalization)),
    "TemporalBlock": case(temporal.TemporalBlock, UNITS, 2, 2),
    "TemporalBlock, as wide": case(temporal.TemporalBlock, WIDTH, 3),
    "TextEncoder": case(
        conditioning.TextEncoder, 7, WIDTH, 1, inputs=ints(LENGTH, most=7)
    ),
    "TokenEmbedding": case(
        embedding.TokenEmbedding, 7, UNITS, inputs=ints(LENGTH, most=7)
    ),
    "TokenEmbedding, large": case(
        embedding.TokenEmbedding,
        embedding.LARGEST_PRODUCT + 1,
        UNITS,
        inputs=ints(LENGTH, most=embedding.LARGEST_PRODUCT),
    ),
    "WeightNormalizedConv1D": case(temporal.WeightNormalizedConv1D, UNITS, 3, 2),
    "UNetBlock": case(
        denoising.UNetBlock,
        WIDTH,
        0.1,
        2,
        looks=True,
        reads=True,
        inputs=[PICTURES, VECTOR, *MEMORY_READ],
    ),
    "Upsample": case(convolution.Upsample, UNITS, inputs=PICTURES),
    "VectorQuantizer": case(latent.VectorQuantizer, 5, UNITS, inputs=TEXT[..., :UNITS]),
}
# Made of a layer that has its weights, in its place; what they do is in the tests of
# their modules. No config makes them: that of the model says how they came about.
REPLACEMENTS = {
    "AdaptedDense",
    "LowRankPair",
    "Quantized",
    "QuantizedDense",
    "QuantizedEmbedding",
    "WholeCopy",
}
BASES = {"Recurrent", "RecurrentAttention", "Stack"}  # of layers that are in the table

# How far float32 sums over halves of a batch may be from those over all of it, in
# shares of the largest number; 2.3e-5 was seen of this one, 1.2e-6 of all others.
ROUNDING = {"Conditioning, of texts": 5e-5}

every_layer = pytest.mark.parametrize("name", CASES)


def test_no_public_layer_is_left_out():
    public = set(public_classes(layers, keras.layers.Layer))
    assert {name.partition(",")[0] for name in CASES} == public - REPLACEMENTS - BASES


@every_layer
def test_a_layer_comes_back_from_its_config(name):
    check_config(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@every_layer
def test_a_layer_computes_in_the_dtype_it_is_given(name, policy):
    check_policy(CASES[name], policy)


@every_layer
def test_parts_of_a_layer_take_its_policy(name):
    check_parts_take_the_policy(CASES[name])


@every_layer
def test_every_weight_of_a_layer_has_a_gradient(name):
    check_gradients(CASES[name])


@pytest.mark.slow
@every_layer
def test_a_layer_is_part_of_a_functional_model(name):
    check_symbolic(CASES[name])


@pytest.mark.slow
@every_layer
def test_xla_computes_what_a_layer_does_without_it(name):
    check_xla(CASES[name])


@pytest.mark.slow
@every_layer
def test_a_layer_is_saved_and_loaded_whole(name, tmp_path):
    check_file(CASES[name], tmp_path / "model.keras")


def compare(strategy):
    return {
        name: distances_of_replicas(case, strategy)
        for name, case in CASES.items()
        if not case.draws  # each replica draws numbers of its own
    }


@pytest.mark.slow
def test_two_replicas_compute_what_one_device_does():
    found = findings(__file__)
    assert len(found) == len(CASES) - 1
    apart = {
        name: max(far)
        for name, far in found.items()
        if max(far) > ROUNDING.get(name, 1e-5)
    }
    assert not apart


if __name__ == "__main__":
    report(compare)
