"""Any Keras language model writes with our samplers, its whole text read again."""

import pathlib
import re

import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.samplers import Beam, Greedy, NoRepeatNgram, Sample, generate

VOCABULARY = 11


def recurrent(length=None, size=VOCABULARY):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(size, 8)(tokens)
    x = keras.layers.GRU(8, return_sequences=True)(x)
    model = keras.Model(tokens, keras.layers.Dense(size)(x))
    for weight in model.weights:
        weight.assign(weight * 3)
    model.jit_generate = False  # compiling takes longer than all of the tests
    return model


def greedy(model, tokens, length):
    tokens = list(tokens)
    while len(tokens) < length:
        tokens.append(int(np.argmax(model(np.array([tokens]))[0, -1])))
    return tokens


@pytest.mark.slow
def test_a_strangers_model_writes_what_its_forward_pass_predicts():
    model = recurrent()
    prompts = [[1, 2, 3], [4]]
    found = generate(model, prompts, max_length=12, sampler=Greedy())
    assert [row.tolist() for row in found] == [greedy(model, p, 12) for p in prompts]
    narrow = generate(model, prompts, max_length=12, sampler=Beam(1))
    assert [row.tolist() for row in narrow] == [row.tolist() for row in found]


@pytest.mark.slow
def test_samplers_rules_streams_and_text_work_with_a_function():
    model = recurrent(size=256)
    tokenizer = tokenizers.byte_level()
    arguments = dict(
        max_length=20, seed=3, sampler=Sample(rules=(NoRepeatNgram(1),)), stop=[0]
    )
    whole = generate(lambda t: model(t), [104, 105], **arguments)
    pieces = list(generate(model, [104, 105], stream=True, **arguments))
    assert np.concatenate(pieces).tolist() == whole.tolist()
    assert len(set(whole.tolist())) == len(whole)
    text = generate(model, "hi", tokenizer=tokenizer, **arguments)
    assert text.startswith("hi")


def test_a_model_of_one_length_goes_on_past_it():
    model = recurrent(length=6)
    found = generate(model, [1, 2], max_length=15, sampler=Greedy())
    assert len(found) == 15
    alone = np.zeros((1, 6), "int32")
    alone[0, :2] = [1, 2]
    assert found[2] == np.argmax(model(alone)[0, 1])


@pytest.mark.parametrize("model", [5, "gpt2", None])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match="`model` must be a language model"):
        generate(model, [1])


def test_a_model_that_returns_no_logits_is_refused():
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, keras.layers.Embedding(3, 1)(tokens)[..., 0])
    with pytest.raises(ValueError, match="`model` must return logits"):
        generate(model, [1])


@pytest.fixture(scope="module")
def guide():
    """The model with two methods of the guide's program: a class."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "guides" / "first_text.md"
    text = page.read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (program,) = [block for block in blocks if "def initial_cache" in block]
    names = {}
    exec(program.partition("\nmine = ")[0], names)

    class Graph(names["OneHead"]):
        jit_generate = False

    return Graph


def test_a_model_with_two_methods_writes_what_its_forward_pass_predicts(guide):
    keras.utils.set_random_seed(0)
    model = guide()
    prompts = [[1, 2, 3], [4]]
    found = generate(model, prompts, max_length=12, sampler=Greedy())
    assert [row.tolist() for row in found] == [greedy(model, p, 12) for p in prompts]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler", [Greedy(), Sample(top_k=5, rules=(NoRepeatNgram(1),)), Beam(3)]
)
def test_a_cache_of_ones_own_writes_as_a_text_read_again(guide, sampler):
    model = guide()
    arguments = dict(max_length=10, sampler=sampler, seed=3)
    cached = generate(model, [[1, 2], [3]], **arguments)
    again = generate(lambda tokens: model(tokens), [[1, 2], [3]], **arguments)
    assert [row.tolist() for row in cached] == [row.tolist() for row in again]


def test_a_model_of_ones_own_goes_on_past_its_context(guide):
    model = guide(vocabulary_size=9, context=8)
    assert len(generate(model, [1, 2], max_length=20)) == 20


class Decoder:
    """Two methods and nothing else; `decode` returns what it is made with."""

    def __init__(self, logits, cache):
        self.answer = np.zeros(logits, "float32"), np.zeros(cache, "float32")

    def initial_cache(self, batch_size, length):
        return np.zeros((batch_size, length), "float32")

    def decode(self, tokens, positions, cache, index):
        return self.answer


@pytest.mark.parametrize(
    ("logits", "cache", "message"),
    [
        ((1, 1, 5), (1, 1), "`model.decode` must return logits"),
        ((1, 5), (1, 2), "`model.decode` must return a cache like the one"),
    ],
)
def test_what_is_no_decoder_is_refused(logits, cache, message):
    with pytest.raises(ValueError, match=message):
        generate(Decoder(logits, cache), [1])
