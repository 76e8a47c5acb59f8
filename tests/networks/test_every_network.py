"""Every network keeps what all networks promise; see `tests/harness.py`."""

import keras
import numpy as np
import pytest
from harness import (
    POLICIES,
    ROWS,
    Case,
    check_config,
    check_config_alone,
    check_file,
    check_parts_take_the_policy,
    check_policy,
    check_symbolic,
    check_xla,
    public_classes,
)

from keras_genai import networks
from keras_genai.networks.gpt import GPT
from keras_genai.networks.vae import ConvolutionalAutoencoder, DenseAutoencoder

VOCABULARY, LENGTH, SHAPE, CLASSES = 11, 5, (8, 8, 1), 3
DRAWS = np.random.default_rng(0)


def ints(*shape, most=VOCABULARY):
    return DRAWS.integers(1, most, (ROWS, *shape)).astype("int32")


def pictures(*shape):
    return DRAWS.random((ROWS, *shape), "float32")


TOKENS, PICTURES, LABELS = ints(LENGTH), pictures(*SHAPE), np.arange(ROWS) % CLASSES


def case(kind, *inputs, call=None, **settings):
    """Of a class, its fields, and what it is called with."""
    if call is None:
        return Case(
            lambda dtype: kind(dtype=dtype, **settings),
            list(inputs),
            lambda layer, inputs: layer(*inputs),
        )
    return Case(lambda dtype: kind(dtype=dtype, **settings), list(inputs), call)


def there_and_back(network, inputs):
    """What an autoencoder says of pictures, from the mean of their codes."""
    mean, log_variance = network.encode(*inputs)
    return mean, log_variance, network.decode(mean, *inputs[1:])


CASES = {
    "GPT": case(
        GPT,
        TOKENS,
        vocabulary_size=VOCABULARY,
        context=8,
        depth=1,
        width=8,
        num_heads=2,
    ),
    "DenseAutoencoder": case(
        DenseAutoencoder,
        PICTURES,
        LABELS,
        call=there_and_back,
        image_shape=SHAPE,
        output_channels=2,
        num_classes=CLASSES,
        latent_size=3,
        hidden=(9,),
    ),
    "ConvolutionalAutoencoder": case(
        ConvolutionalAutoencoder,
        PICTURES,
        call=there_and_back,
        image_shape=SHAPE,
        output_channels=1,
        latent_size=3,
        filters=(4, 4),
        hidden=5,
    ),
}
BASES = {"Autoencoder", "LanguageNetwork", "Network"}
REFUSE_FLOAT16: set[str] = set()


every_network = pytest.mark.parametrize("name", CASES)


def test_no_public_network_is_left_out():
    public = public_classes(networks, keras.layers.Layer)
    assert set(CASES) == set(public) - BASES


@every_network
def test_a_config_makes_one_of_the_same_config_and_weights(name):
    check_config_alone(CASES[name])


@pytest.mark.slow
@every_network
def test_it_comes_back_from_its_config(name):
    check_config(CASES[name])


@pytest.mark.slow
@every_network
def test_parts_take_its_policy(name):
    check_parts_take_the_policy(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@every_network
def test_it_computes_in_the_dtype_it_is_given(name, policy):
    if policy == "mixed_float16" and name in REFUSE_FLOAT16:
        pytest.skip("refuses float16")
    check_policy(CASES[name], policy)


@pytest.mark.slow
@every_network
def test_it_is_part_of_a_functional_model(name):
    check_symbolic(CASES[name])


@pytest.mark.slow
@every_network
def test_xla_computes_what_it_does_without(name):
    check_xla(CASES[name])


@pytest.mark.slow
@every_network
def test_it_is_saved_and_loaded_whole(name, tmp_path):
    check_file(CASES[name], tmp_path / "model.keras")
