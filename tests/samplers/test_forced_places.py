"""Tokens that must stand somewhere stand there; the others are drawn."""

import numpy as np
import pytest

from keras_genai.networks.gpt import GPT
from keras_genai.samplers.generation import generate
from keras_genai.samplers.places import ForcedPlaces
from keras_genai.samplers.tokens import Beam, Greedy, Sample


@pytest.fixture(scope="module")
def network():
    return GPT(vocabulary_size=9, context=12, depth=1, width=8, num_heads=2)


@pytest.mark.slow
def test_places_are_counted_with_the_prompt_and_free_ones_are_drawn(network, eager):
    forced = [-1, 7, -1, 3, -1, 5]
    rows = generate(
        network, [[1], [1, 2]], 9, Sample(rules=(ForcedPlaces(forced),)), seed=0
    )
    assert [row[3] for row in rows] == [3, 3]
    assert [row[5] for row in rows] == [5, 5]
    assert rows[0][1] == 7
    assert rows[1][1] == 2  # what is there stays
    free = [
        generate(network, [[1]], 9, Sample(rules=(ForcedPlaces(forced),)), seed=seed)[0]
        for seed in range(4)
    ]
    assert len({int(row[4]) for row in free} | {int(row[8]) for row in free}) > 2


@pytest.mark.parametrize("sampler", [Greedy, Beam])
def test_every_sampler_has_it(network, sampler, eager):
    rule = ForcedPlaces((-1, 4, 4, 4))
    (row,) = generate(network, [[1]], 6, sampler(rules=(rule,)), seed=0)
    np.testing.assert_array_equal(row[:4], [1, 4, 4, 4])


@pytest.mark.slow
def test_other_tokens_compile_nothing(network):
    def places(*tokens):
        sampler = Sample(rules=(ForcedPlaces(tokens),))
        generate(network, [[1]], 6, sampler, seed=0)
        return len(vars(network)["_compiled_loops"])

    assert places(-1, 2, -1) == places(-1, -1, 5)


@pytest.mark.parametrize(
    ("tokens", "error"), [((), ValueError), ((1, -2), ValueError), (3, TypeError)]
)
def test_what_cannot_be_forced_is_refused(tokens, error):
    with pytest.raises(error, match="must"):
        ForcedPlaces(tokens)


def test_a_token_that_does_not_exist_is_refused(network):
    with pytest.raises(ValueError, match=r"`tokens` must be below 9\. Received: 9"):
        generate(network, [[1]], 6, Sample(rules=(ForcedPlaces((9,)),)), seed=0)
