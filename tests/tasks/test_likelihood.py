"""Log-probabilities of completions are those of the whole model, and nothing else."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.networks.ngram import NGram
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.likelihood import token_log_probabilities
from keras_genai.tasks.seq2seq import Seq2SeqLM

VOCABULARY, LENGTH = 7, 8
TEXT = Text(vocabulary_size=VOCABULARY)
DRAWS = np.random.default_rng(0)
TOKENS = DRAWS.integers(0, VOCABULARY, (3, LENGTH)).astype("int32")
PROMPTS, LENGTHS = np.array([1, 3, 5], "int32"), np.array([8, 6, 6], "int32")
SOURCE = {
    "inputs": DRAWS.integers(0, VOCABULARY, (3, 5)).astype("int32"),
    "inputs_mask": np.arange(5) < np.array([[5], [2], [3]]),
}


def gpt(**settings):
    keras.utils.set_random_seed(0)
    return CausalLM(GPT(context=16, depth=1, width=8, num_heads=2, **settings), TEXT)


def encoder_decoder():
    depths = {"encoder_depth": 1, "decoder_depth": 1}
    return EncoderDecoder(context=16, width=8, num_heads=2, dropout=0.5, **depths)


POLICIES = {
    "gpt": gpt,
    "rnn": lambda: CausalLM(RNN(embedding_dim=4, units=6, num_layers=1), TEXT),
    "transformer": lambda: Seq2SeqLM(encoder_decoder(), TEXT),
    "recurrent pair": lambda: Seq2SeqLM(
        RecurrentEncoderDecoder(embedding_dim=6, units=4), TEXT
    ),
}


def given(policy, tokens=TOKENS):
    """What `token_log_probabilities` takes, as tensors."""
    tokens = ops.convert_to_tensor(tokens)
    if isinstance(policy, CausalLM):
        return tokens
    return {
        **keras.tree.map_structure(ops.convert_to_tensor, SOURCE),
        "targets": tokens,
    }


def expected(policy, temperature=1.0):
    """A float64 array a row: what the whole model says of its completion."""
    inputs = given(policy)
    inputs = inputs[:, :-1] if isinstance(policy, CausalLM) else inputs
    if isinstance(inputs, dict):
        inputs["targets"] = inputs["targets"][:, :-1]
    logits = np.asarray(policy(inputs, training=False), "float64") / temperature
    nats = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return [
        [nats[row, place - 1, TOKENS[row, place]] for place in range(begin, end)]
        for row, (begin, end) in enumerate(zip(PROMPTS, LENGTHS, strict=True))
    ]


@pytest.mark.parametrize(
    ("name", "temperature"), [*((name, 1.0) for name in POLICIES), ("gpt", 0.7)]
)
def test_they_are_those_of_the_whole_model(name, temperature):
    policy = POLICIES[name]()
    nats, mask = token_log_probabilities(
        policy, given(policy), PROMPTS, LENGTHS, temperature
    )
    assert nats.dtype == "float32"
    assert nats.shape == mask.shape == (3, LENGTH - 1)
    wanted = expected(policy, temperature)
    for row, numbers in enumerate(wanted):
        assert np.asarray(mask)[row].sum() == len(numbers)
        np.testing.assert_allclose(nats[row, : len(numbers)], numbers, atol=1e-5)
        assert not np.asarray(nats)[row, len(numbers) :].any()


@pytest.mark.parametrize(
    "name",
    [
        "gpt",
        "rnn",
        pytest.param("transformer", marks=pytest.mark.slow),
        pytest.param("recurrent pair", marks=pytest.mark.slow),
    ],
)
def test_padding_of_any_token_and_length_changes_nothing(name):
    policy = POLICIES[name]()
    more = np.pad(TOKENS, [(0, 0), (0, 3)])
    for row, end in enumerate(LENGTHS):
        more[row, end:] = VOCABULARY - 1
    one, _ = token_log_probabilities(policy, given(policy), PROMPTS, LENGTHS)
    other, _ = token_log_probabilities(policy, given(policy, more), PROMPTS, LENGTHS)
    np.testing.assert_allclose(one, other[:, : LENGTH - 1], atol=1e-5)


def test_the_output_matrix_is_used_for_completions_only(monkeypatch):
    policy, seen = gpt(), []
    logits = policy.network.logits

    def spy(hidden):
        seen.append(tuple(hidden.shape))
        return logits(hidden)

    whole, _ = token_log_probabilities(policy, given(policy), PROMPTS, LENGTHS)
    monkeypatch.setattr(policy.network, "logits", spy)
    nats, mask = token_log_probabilities(
        policy, given(policy), PROMPTS, LENGTHS, length=4
    )
    assert seen == [(3, 4, 8)]
    assert mask.shape == (3, 4)
    np.testing.assert_allclose(nats, whole[:, :4], atol=1e-6)


def test_dropout_is_off_inside_of_a_call_that_trains():
    policy = gpt(dropout=0.5)

    class Trained(keras.layers.Layer):
        def call(self, tokens, training=False):
            drop = keras.layers.Dropout(0.5)
            nats, _ = token_log_probabilities(policy, tokens, PROMPTS, LENGTHS)
            return nats, drop(ops.ones((64,)))

    nats, dropped = Trained()(given(policy), training=True)
    wanted, _ = token_log_probabilities(policy, given(policy), PROMPTS, LENGTHS)
    np.testing.assert_allclose(nats, wanted, atol=1e-6)
    assert not np.asarray(dropped).all()  # what comes after it trains on


def test_what_is_no_policy_is_refused():
    counting = CountingLM(NGram(order=2), TEXT)
    with pytest.raises(TypeError, match="`policy` must be a CausalLM or a Seq2SeqLM"):
        token_log_probabilities(counting, TOKENS, PROMPTS, LENGTHS)
    with pytest.raises(ValueError, match="`temperature` must be a number above 0"):
        token_log_probabilities(gpt(), given(gpt()), PROMPTS, LENGTHS, 0.0)
