"""Every layer of language models is a layer of Keras: in models, files and configs."""

import keras
import numpy as np
import pytest

from keras_genai.layers.attention import Attention
from keras_genai.layers.dense import Dense
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import FeedForward, GatedFeedForward
from keras_genai.layers.positions import LearnedPositions, RelativePositionBias
from keras_genai.layers.recurrent import GRU, LSTM, SimpleRNN
from keras_genai.layers.recurrent_attention import BahdanauAttention, LuongAttention
from keras_genai.layers.recurrent_stacks import AttentiveDecoder, BidirectionalStack
from keras_genai.layers.stacks import DecoderStack, EncoderStack, make_stack
from keras_genai.layers.transformer import Block

WIDTH, LENGTH, SOURCE, UNITS = 8, 5, 6, 4


def norm(name):
    return keras.layers.RMSNormalization(epsilon=1e-3, name=name)


def block(**options):
    return Block(Attention(2, 4), FeedForward(16, "gelu"), norm, **options)


def stack(kind):
    return make_stack(
        kind,
        1,
        WIDTH,
        "stack",
        num_heads=2,
        hidden=9,
        activation="relu",
        initializer=keras.initializers.GlorotUniform,
    )


def attend(layer, x, memory, mask):
    return layer(x, layer.project_memory(memory))


def decode(layer, x, memory, mask):
    states = [x[:, 0, :UNITS] for _ in layer.stack]
    return layer(x, states, layer.project_memory(memory, mask))[0]


def look_across(layer, x, memory, mask):
    return layer(x, memory=layer.cross_attention.project_memory(memory))[0]


LAYERS = {
    "attention": (lambda: Attention(2, 4), attend),
    "grouped attention": (
        lambda: Attention(4, 2, num_memory_heads=2, normalize=True, use_bias=False),
        attend,
    ),
    "block": (block, lambda layer, x, memory, mask: layer(x)[0]),
    "block with options": (
        lambda: block(cross_attention=Attention(2, 3), pre_norm=False, dropout=0.25),
        look_across,
    ),
    "encoder": (lambda: stack(EncoderStack), lambda layer, x, *_: layer(x)),
    "decoder": (
        lambda: stack(DecoderStack),
        lambda layer, x, memory, mask: layer(x, layer.project_memory(memory, mask)),
    ),
    "feed-forward": (lambda: FeedForward(9, "silu"), lambda layer, x, *_: layer(x)),
    "gated": (lambda: GatedFeedForward(9, "silu"), lambda layer, x, *_: layer(x)),
    "dense": (lambda: Dense(3, "tanh"), lambda layer, x, *_: layer(x)),
    "SimpleRNN": (lambda: SimpleRNN(UNITS), lambda layer, x, *_: layer(x)[0]),
    "LSTM": (lambda: LSTM(UNITS), lambda layer, x, *_: layer(x)[0]),
    "GRU": (lambda: GRU(UNITS), lambda layer, x, *_: layer(x)[0]),
    "Bahdanau": (
        lambda: BahdanauAttention(UNITS),
        lambda layer, x, memory, mask: layer(x, memory, mask)[0],
    ),
    "Luong": (
        lambda: LuongAttention("concat"),
        lambda layer, x, memory, mask: layer(x, memory, mask)[0],
    ),
    "bidirectional": (
        lambda: BidirectionalStack(UNITS, 2, "lstm", 0.1),
        lambda layer, x, memory, mask: layer(memory, mask)[0],
    ),
    "attentive decoder": (lambda: AttentiveDecoder(UNITS, 1, "gru"), decode),
}


def model_of(layer, call):
    x = keras.Input((LENGTH, WIDTH))
    memory = keras.Input((SOURCE, WIDTH))
    mask = keras.Input((SOURCE,), dtype="bool")
    return keras.Model([x, memory, mask], call(layer, x, memory, mask))


def batch():
    draws = np.random.default_rng(0)
    mask = np.arange(SOURCE) < np.array([[4], [6]])
    x = draws.normal(size=(2, LENGTH, WIDTH)).astype("float32")
    return [x, draws.normal(size=(2, SOURCE, WIDTH)).astype("float32"), mask]


# Keras hands its variables to h5py, which asks NumPy for a copy in the old way.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_a_functional_model_is_saved_and_loaded_whole(name, tmp_path):
    make, call = LAYERS[name]
    model = model_of(make(), call)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.count_params() == model.count_params() > 0
    np.testing.assert_array_equal(again(batch()), model(batch()))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_from_its_config(name):
    layer = LAYERS[name][0]()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    "layer",
    [
        TokenEmbedding(5, 3, name="table"),
        LearnedPositions(4, 3, name="positions"),
        RelativePositionBias(2, 8, 16, causal=True, name="bias"),
    ],
)
def test_tables_come_back_from_their_configs(layer):
    assert (
        type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    )
