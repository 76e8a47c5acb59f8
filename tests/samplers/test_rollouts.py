"""Completions that a policy draws to learn from."""

import numpy as np
import pytest
from toy_strings import LENGTHS, OTHER, STRINGS, N, nats, policy

from keras_genai.data.tokenizers import characters
from keras_genai.data.turns import CHATML
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.samplers.places import MinLength
from keras_genai.samplers.rollouts import completions, roll
from keras_genai.samplers.session import Session
from keras_genai.samplers.tokens import Beam, Greedy, Sample
from keras_genai.tasks.language import CausalLM

ONE = [[0]]
POLICY = policy(OTHER)


def drawn(count, seed=0, **given):
    return roll(POLICY, ONE, count, 3, seed, stop=(0,), **given)


def test_strings_are_drawn_as_often_as_they_are_likely():
    rollout = drawn(4000)
    rows = [
        STRINGS.index(tuple(rollout.generated(row).tolist()))
        for row in range(len(rollout))
    ]
    shares = np.bincount(rows, minlength=N) / len(rows)
    assert 0.5 * np.abs(shares - np.exp(nats(OTHER))).sum() < 0.04
    assert np.array_equal(rollout.ended, np.array(rows) < 13)
    assert np.array_equal(rollout.completion_lengths, LENGTHS[rows])
    assert not rollout.tokens[np.arange(4)[None] >= rollout.lengths[:, None]].any()


def test_rollouts_of_one_seed_are_equal_and_of_others_not():
    first, again, other = drawn(4000), drawn(4000), drawn(4000, seed=1)
    assert np.array_equal(first.tokens, again.tokens)
    assert np.array_equal(first.lengths, again.lengths)
    assert not np.array_equal(first.tokens, other.tokens)


@pytest.fixture(scope="module")
def writer():
    tokenizer = characters("abcd.")
    network = GPT(context=12, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(tokenizer))
    model.jit_generate = False  # compiling takes longer than all of the tests
    return model


def test_completions_of_unequal_prompts_have_one_length_each(writer):
    stop = writer.tokenizer.encode(".").tolist()
    rollout = roll(writer, ["a", "abcd"], 3, 5, seed=0, stop=stop)
    assert rollout.prompt_lengths.tolist() == [1, 1, 1, 4, 4, 4]
    assert (rollout.completion_lengths <= 5).all()
    assert (rollout.completion_lengths[~rollout.ended] == 5).all()
    texts = completions(rollout, writer.tokenizer, set(stop))
    lengths = rollout.completion_lengths - rollout.ended
    assert [len(text) for text in texts] == lengths.tolist()
    assert not any("." in text for text in texts)


def test_a_turn_of_a_conversation_ends_by_its_mark():
    marks = ("<|im_start|>", "<|im_end|>")
    tokenizer = characters("abc", end_token="$").with_tokens(marks)
    network = GPT(context=12, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(tokenizer), turns=CHATML)
    known = tokenizer.special_tokens
    assert model.end_tokens() == {tokenizer.end_token, known["<|im_end|>"]}
    assert model.end_tokens((1,)) == model.end_tokens() | {1}
    assert CausalLM(network, Text(tokenizer)).end_tokens() == {tokenizer.end_token}


@pytest.mark.parametrize(
    "sampler",
    [
        Greedy(),
        Beam(2),
        Sample(top_k=3),
        Sample(top_p=0.9),
        Sample(min_p=0.1),
        Sample(typical_p=0.9),
        Sample(rules=(MinLength(3),)),
    ],
)
def test_samplers_that_change_probabilities_are_refused(sampler):
    with pytest.raises(ValueError, match="must be drawn from the probabilities"):
        drawn(1, sampler=sampler)


def test_completions_beyond_the_context_are_refused(writer):
    with pytest.raises(ValueError, match="`length` must be at most 10, for a prompt"):
        roll(writer, ["ab"], length=11)


def test_numbers_out_of_range_are_refused(writer):
    with pytest.raises(ValueError, match="`count` must be an int >= 1"):
        roll(writer, ["a"], count=0)
    with pytest.raises(ValueError, match="`stop` must hold tokens"):
        roll(writer, ["a"], length=2, stop=(99,))


@pytest.mark.slow
def test_a_prompt_is_read_once_for_all_of_its_completions(writer, monkeypatch):
    decode, rows = writer.decode, []

    def spy(tokens, *others):
        rows.append(tuple(tokens.shape))
        return decode(tokens, *others)

    starts = [writer.tokenizer.encode(text) for text in ("ab", "dcba")]
    asked = Sample(), 12, set(), 7
    alone = Session(writer, [row for row in starts for _ in range(4)], *asked)
    alone.advance()
    monkeypatch.setattr(writer, "decode", spy)
    together = Session(writer, starts, *asked, copies=4)
    together.advance()
    assert rows == [(2, 12)]  # the loop of the eight was made before
    np.testing.assert_array_equal(together.tokens, alone.tokens)
