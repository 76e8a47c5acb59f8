"""A model learns more tokens without forgetting what it says of the others."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.data.turns import CHATML
from keras_genai.layers import adapters, quantized
from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT, GPT2, LLAMA
from keras_genai.networks.ngram import NGram
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.vocabulary import add_tokens

TOKENIZER = tokenizers.characters("abcdef", "<pad>", "<s>", "</s>")
SIZE = TOKENIZER.vocabulary_size
TOKENS = np.random.default_rng(0).integers(0, SIZE, (2, 5)).astype("int32")
NETWORKS = {
    "tied": lambda: GPT(context=8, depth=1, width=8, num_heads=2, style=GPT2),
    "untied": lambda: GPT(context=8, depth=1, width=8, num_heads=2, style=LLAMA),
    "recurrent": lambda: RNN(embedding_dim=6, units=4, num_layers=1),
}


def language_model(name="tied", **settings):
    keras.utils.set_random_seed(0)
    return CausalLM(NETWORKS[name](), Text(TOKENIZER), **settings)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_it_says_of_old_tokens_stays(name):
    model = language_model(name)
    grown = add_tokens(model, CHATML.tokens)
    assert grown.vocabulary_size == grown.tokenizer.vocabulary_size == SIZE + 2
    assert model.vocabulary_size == SIZE
    old, new = model(TOKENS), ops.convert_to_numpy(grown(TOKENS))
    np.testing.assert_allclose(new[..., :SIZE], old, atol=1e-6)
    # A new one is near the mean of them, and no other is the same.
    mean, spread = new[..., :SIZE].mean(-1), new[..., :SIZE].std()
    assert np.abs(new[..., SIZE:] - mean[..., None]).max() < 0.2 * spread
    assert (new[..., SIZE] != new[..., SIZE + 1]).all()
    np.testing.assert_array_equal(add_tokens(model, CHATML.tokens)(TOKENS), new)


def test_marks_are_read_and_the_format_is_saved(tmp_path):
    model = add_tokens(language_model(), CHATML.tokens)
    model.turns = CHATML
    assert model.tokenizer.encode("<|im_start|>a").tolist() == [SIZE, 0]
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.turns == CHATML
    ids = np.array([[SIZE, 0, SIZE + 1]], "int32")
    np.testing.assert_array_equal(loaded(ids), model(ids))
    assert loaded.tokenizer.to_json() == model.tokenizer.to_json()


def test_rows_that_a_network_has_to_spare_are_used_first():
    network = GPT(vocabulary_size=SIZE + 8, context=8, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(TOKENIZER))
    grown = add_tokens(model, CHATML.tokens)
    assert grown.vocabulary_size == SIZE + 8
    np.testing.assert_array_equal(grown(TOKENS), model(TOKENS))


def test_both_sides_of_an_encoder_decoder_know_them():
    network = EncoderDecoder(
        context=8, encoder_depth=1, decoder_depth=1, width=8, num_heads=2
    )
    model = Seq2SeqLM(network, Text(TOKENIZER))
    grown = add_tokens(model, CHATML.tokens)
    inputs = {
        "inputs": np.full((1, 5), SIZE + 1, "int32"),
        "inputs_mask": np.ones((1, 5), bool),
        "targets": np.full((1, 2), SIZE, "int32"),
    }
    assert grown(inputs).shape == (1, 2, SIZE + 2)
    inputs = {**inputs, "inputs": TOKENS[:1], "targets": TOKENS[:1, :3]}
    np.testing.assert_allclose(grown(inputs)[..., :SIZE], model(inputs), atol=1e-6)


def test_adapters_come_along():
    model = language_model()
    adapters.add(model, rank=2)
    for weight in model.trainable_weights:
        weight.assign(ops.ones_like(weight))
    grown = add_tokens(model, CHATML.tokens)
    np.testing.assert_allclose(grown(TOKENS)[..., :SIZE], model(TOKENS), atol=1e-6)
    assert adapters.installed(grown) == adapters.installed(model)


def test_models_without_vectors_of_tokens_are_refused():
    counting = CountingLM(NGram(order=2), Text(TOKENIZER))
    bare = CausalLM(GPT(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2))
    for model in (counting, bare):
        with pytest.raises(ValueError, match="`model` must have a tokenizer and a"):
            add_tokens(model, CHATML.tokens)
    small = language_model()
    quantized.quantize(small)
    with pytest.raises(ValueError, match="`model` must have float weights"):
        add_tokens(small, CHATML.tokens)
