"""`generate` of a model with an encoder, on a model small enough to check by hand."""

import dataclasses
import re
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_language import Letters

from keras_genai.data import tokenizers
from keras_genai.declared import LATER, Count
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import Field
from keras_genai.modalities.text import Text
from keras_genai.networks.sequence_pair import SequencePairNetwork
from keras_genai.samplers import (
    Beam,
    GenerationSettings,
    Greedy,
    NoSourceNgram,
    Sample,
)
from keras_genai.tasks.seq2seq import Seq2SeqLM

START, END = 8, 9
SETTINGS = GenerationSettings(
    max_length=12, decoder_start_token=START, end_tokens=(END,)
)


class Echo(SequencePairNetwork):
    """Says its input again, and then `END`; its memory is the input."""

    context: int | None = None

    vocabulary_size: ClassVar = 10
    jit_generate: ClassVar = False

    def make(self):
        self.sharpness = self.add_weight((), initializer="ones", name="sharpness")
        self.traces = []

    def encode(self, inputs, inputs_mask):
        return {"tokens": tf.where(inputs_mask, inputs, END)}

    def hidden(self, targets, memory):
        places = tf.range(tf.shape(targets)[1])[None]
        return self._said(memory["tokens"], places)

    def logits(self, hidden):
        return 9.0 * self.sharpness * hidden

    def empty_cache(self, batch_size, length):
        return {"last": tf.zeros((batch_size,), tf.int32)}

    def decode(self, tokens, positions, cache, index):
        self.traces.append(tuple(tokens.shape))
        memory = cache["memory"]["tokens"]
        rows = tf.repeat(memory, tokens.shape[0] // memory.shape[0], axis=0)
        place = tf.reduce_max(positions, axis=1, keepdims=True)
        return self.logits(self._said(rows, place))[:, 0], cache

    def _said(self, memory, places):
        padded = tf.pad(memory, [[0, 0], [0, 20]], constant_values=END)
        rows = tf.shape(padded)[0]
        places = tf.broadcast_to(places, (rows, tf.shape(places)[1]))
        said = tf.gather(padded, places, batch_dims=1)
        return tf.one_hot(said, 10)


def make(context=None, generation=SETTINGS):
    return Seq2SeqLM(Echo(context=context), generation=generation)


def lists(rows):
    return [row.tolist() for row in rows]


@pytest.fixture(scope="module")
def echo():
    return make()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [None, Greedy(), Beam(2), Sample(top_k=1)])
def test_results_are_what_follows_the_start_token(echo, sampler):
    found = echo.generate([[1, 2, 3], [4]], sampler=sampler)
    assert lists(found) == [[1, 2, 3, END], [4, END]]
    assert echo.generate([5, 6], sampler=sampler).tolist() == [5, 6, END]


def test_lengths_count_the_start_token(echo):
    assert echo.generate([1, 2, 3, 4], max_length=3).tolist() == [1, 2]
    # The length of the settings: 12 tokens with the start token.
    assert len(echo.generate([1] * 15)) == 11


def test_rules_see_what_the_encoder_read(echo):
    sampler = Greedy((NoSourceNgram(1),))
    rows = [[1, 2], [3, 3, 3, 4]]
    found = echo.generate(rows, 6, sampler)
    for row, said in zip(rows, found, strict=True):
        assert not set(row) & set(said.tolist())
    beams = echo.generate(rows, 6, Beam(3, rules=(NoSourceNgram(1),)))
    assert not set(rows[1]) & set(beams[1].tolist())


def test_inputs_and_lengths_of_similar_size_are_one_trace():
    model = make()
    model.generate([[1, 2], [3]])
    model.generate([[1] * 9, [2] * 14], max_length=11, sampler=Greedy())
    assert model.network.traces == [(2, 1), (2, 1)]  # prefill and loop


def test_text_comes_as_text_and_streams():
    model = make()
    model.tokenizer = Letters(*"abcdefgh", "<", ">", start_token=START, end_token=END)
    model.generation = GenerationSettings(max_length=12)
    assert model.generate("cab") == "cab"
    assert model.generate(["cab", "e"]) == ["cab", "e"]
    pieces = list(model.generate("abcdefgh", stream=True))
    assert "".join(pieces) == "abcdefgh"
    assert len(pieces) > 1
    assert model.generate("abcdefgh", stop="de") == "abc"
    assert model.generate("abcdefgh", stop=[3]) == "abc"


def test_padding_has_no_part_in_the_loss():
    model = make()
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        weighted_metrics=[],
    )
    rows = np.array([[1, 2, 3, 4]], "int32")
    losses = []
    for padding in (0, 3):
        wide = np.pad(rows, ((0, 0), (0, padding)))
        mask = np.arange(4 + padding)[None] < 4
        x = {"inputs": wide, "inputs_mask": mask, "targets": wide}
        weight = mask.astype("float32")
        losses.append(model.evaluate(x, wide, sample_weight=weight, verbose=0))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"inputs": "ab"}, ValueError, "this model has no `tokenizer`"),
        ({"inputs": []}, ValueError, "`prompts` must not be empty"),
        ({"inputs": [10]}, ValueError, "tokens from 0 to 9. Received: 10"),
        ({"inputs": [1] * 9}, ValueError, "`inputs` must have at most context=8"),
        ({"max_length": 9}, ValueError, "`max_length` must have at most context=8"),
        ({"max_length": 1}, ValueError, "`max_length` must be an int >= 2"),
        ({"sampler": "greedy"}, TypeError, "`sampler` must be a Greedy, Sample or"),
        ({"seed": 0.5}, TypeError, "`seed` must be an int"),
        ({"sampler": Beam(), "stream": True}, ValueError, "`stream` must be False"),
        ({"stop": 10}, ValueError, "`stop` must hold tokens from 0 to 9"),
    ],
)
def test_bad_arguments_say_what_is_allowed(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make(context=8).generate(**{"inputs": [1, 2], **arguments})


def test_somebody_must_say_what_the_decoder_starts_with():
    model = make()
    model.generation = GenerationSettings()
    with pytest.raises(ValueError, match="decoder_start_token` must be"):
        model.generate([1])


class Numbers(Field):
    """Pairs of numbers, as many as there are."""

    kinds, shape = "f", (None, 2)


@dataclasses.dataclass(frozen=True)
class Strokes(Modality):
    """How a pen moves: sequences of pairs of numbers."""

    key = "strokes"

    @property
    def fields(self):
        return {self.key: Numbers()}

    def read(self, value, name=None):
        return [np.asarray(row, "float32") for row in value]


class Reader(SequencePairNetwork):
    """Says at all places what the mean of what it read says."""

    vocabulary_size: Count = LATER

    def make(self):
        self.dense = keras.layers.Dense(self.vocabulary_size, name="dense")
        self.dense.build((None, 2))

    def encode(self, inputs, inputs_mask):
        real = tf.cast(inputs_mask, inputs.dtype)[:, :, None]
        return tf.reduce_sum(inputs * real, 1) / tf.reduce_sum(real, 1)

    def hidden(self, targets, memory):
        return tf.repeat(memory[:, None], tf.shape(targets)[1], axis=1)

    def logits(self, hidden):
        return self.dense(hidden)


def test_what_is_read_need_not_be_text():
    special = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")
    letters = tokenizers.characters("ab", **special)
    model = Seq2SeqLM(Reader(), Text(letters), given=Strokes())
    pairs = [([[1.0, 2.0]] * 3, "aa"), ([[-1.0, 0.5]] * 5, "b")] * 2
    data = model.loader(pairs, batch_size=4, shuffle=False)
    ((batch, _, _),) = data.epoch()
    assert batch["inputs"].shape == (4, 6, 2)
    assert batch["inputs"].dtype == "float32"
    np.testing.assert_array_equal(np.sum(batch["inputs_mask"], axis=1), [3, 5, 3, 5])
    specs = model.input_specs()
    assert specs["inputs"].shape == (None, None, 2)
    assert specs["inputs"].dtype == "float32"
    model.compile("adam")
    assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()
    again = Seq2SeqLM.from_config(model.get_config())
    assert again.given == (Strokes(),)
    with pytest.raises(ValueError, match="`given` must be one modality"):
        Seq2SeqLM(Reader(), Text(letters), given=(Strokes(), Text(letters)))
