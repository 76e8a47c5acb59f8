"""A row draws what its sampler draws alone, whatever the other rows ask for."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers import (
    FrequencyPenalty,
    Greedy,
    LogitBias,
    MinLength,
    PresencePenalty,
    RepetitionPenalty,
    Sample,
)
from keras_genai.samplers import row_sampler as rows
from keras_genai.samplers.rules import History

SIZE = 23  # tokens
SAMPLERS = (
    Greedy(),
    Sample(),
    Sample(0.3),
    Sample(1.7, top_k=5),
    Sample(top_p=0.6),
    Sample(min_p=0.2),
    Sample(typical_p=0.5),
    Sample(0.8, top_k=9, top_p=0.9, min_p=0.05, typical_p=0.8),
    Greedy((RepetitionPenalty(1.9),)),
    Sample(rules=(FrequencyPenalty(0.9, 3), PresencePenalty(-0.7, 2))),
    Greedy((RepetitionPenalty(0.5), LogitBias({3: 4.0, 5: -float("inf")}))),
    Sample(top_k=3, rules=(LogitBias({7: 9.0}),)),
)


def history(count, seed):
    random = np.random.default_rng(seed)
    tokens = random.integers(0, SIZE, (count, 12)).astype("int32")
    lengths = random.integers(1, 12, count).astype("int32")
    return History(tokens, lengths, np.zeros(SIZE, bool), np.full(count, 12))


@pytest.mark.parametrize("seed", range(4))
def test_every_row_chooses_what_its_sampler_chooses_alone(seed):
    count = len(SAMPLERS)
    seen = history(count, seed)
    random = np.random.default_rng(seed)
    logits = tf.constant(3 * random.normal(size=(count, SIZE)), tf.float32)
    seeds = np.stack([draws.key(number + 100 * seed) for number in range(count)])
    asked = [rows.row_numbers(sampler, SIZE) for sampler in SAMPLERS]
    numbers = {name: np.stack([row[name] for row in asked]) for name in asked[0]}
    together = rows.choose(logits, seen, tf.constant(seeds), numbers)
    for row, sampler in enumerate(SAMPLERS):
        own = History(
            seen.tokens[row : row + 1], seen.lengths[row : row + 1], *seen[2:]
        )
        alone = sampler.choose(
            logits[row : row + 1], own, tf.constant(seeds[row]), sampler.numbers(SIZE)
        )
        assert int(alone[0]) == int(together[row]), sampler


def test_a_row_that_asks_for_nothing_costs_no_numbers_that_change_anything():
    seen = history(1, 0)
    logits = tf.constant(np.random.default_rng(0).normal(size=(1, SIZE)), tf.float32)
    numbers = {name: number[None] for name, number in rows.neutral(SIZE).items()}
    found = rows.choose(logits, seen, tf.zeros((1, 2), tf.uint32), numbers)
    assert int(found[0]) == int(np.argmax(logits))


def test_rules_that_no_row_can_have_are_refused():
    with pytest.raises(ValueError, match="rules of at most one of each of"):
        rows.row_numbers(Sample(rules=(MinLength(3),)), SIZE)
    turned = Greedy((PresencePenalty(1.0), RepetitionPenalty(2.0)))
    with pytest.raises(ValueError, match="in this order"):
        rows.row_numbers(turned, SIZE)
    with pytest.raises(TypeError, match="`sampler` must be a Greedy or Sample"):
        rows.row_numbers("greedy", SIZE)


def test_the_likeliest_tokens_are_said_in_their_order():
    logits = tf.math.log([[0.1, 0.4, 0.1, 0.4], [0.7, 0.1, 0.1, 0.1]])
    own, tokens, best = rows.likely_tokens(logits, [2, 0], tf.constant([3, -1]), 4)
    np.testing.assert_allclose(own, np.log([0.1, 0.7]), rtol=1e-5)
    assert tokens[0].numpy().tolist() == [1, 3, 0, 0]
    np.testing.assert_allclose(best[0, :3], np.log([0.4, 0.4, 0.1]), rtol=1e-5)
    nothing = rows.likely_tokens(logits, [2, 0], tf.constant([-1, -1]), 4)
    assert not any(np.any(part) for part in nothing)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FrequencyPenalty(0.5), [-1.0, -0.5, -0.5, 0]),
        (FrequencyPenalty(0.5, 2), [-0.5, 0, -0.5, 0]),
        (PresencePenalty(0.5), [-0.5, -0.5, -0.5, 0]),
        (PresencePenalty(-2, 3), [2, 0, 0, 0]),
    ],
)
def test_penalties_count_what_was_written_behind_the_prompt(rule, expected):
    seen = History(tf.constant([[0, 1, 2, 0, 3]]), tf.constant([4]), None)
    found = rule.apply(tf.zeros((1, 4)), seen, rule.numbers(4))
    np.testing.assert_allclose(found, [expected])


def test_bad_penalties_say_what_is_allowed():
    with pytest.raises(ValueError, match="`penalty` must be finite"):
        FrequencyPenalty(float("inf"))
    with pytest.raises(ValueError, match="`begin` must be an int >= 0"):
        PresencePenalty(1.0, -1)
