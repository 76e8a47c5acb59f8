"""What CTC decoders find is what the sums over all paths say."""

import itertools

import numpy as np
import pytest

from keras_genai.networks.ngram import NGram
from keras_genai.samplers.ctc import BestPath, PrefixBeam
from keras_genai.tasks.counting import CountingLM

DRAWS = np.random.default_rng(0)
SYMBOLS = 4  # the blank and three tokens


def sums(scores):
    """dict of log P(text) by tokens, from every path there is."""
    scores = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    found = {}
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        text = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)
        score = sum(scores[time, symbol] for time, symbol in enumerate(path))
        found[text] = np.logaddexp(found.get(text, -np.inf), score)
    return found


@pytest.fixture(scope="module")
def language():
    model = CountingLM(NGram(vocabulary_size=SYMBOLS, order=3))
    model.fit_tokens(DRAWS.integers(1, SYMBOLS, 60))
    return model.network


def test_a_wide_beam_sums_all_paths_of_every_text():
    scores = DRAWS.normal(0, 2, (4, SYMBOLS))
    truth = sums(scores)
    found = PrefixBeam(width=10_000, least=0).search(scores)
    assert len(found) == len(truth)
    for tokens, score in found:
        np.testing.assert_allclose(score, truth[tuple(tokens)], rtol=1e-9)
    values = [score for _, score in found]
    assert values == sorted(values, reverse=True)


def test_language_model_and_bonus_are_added_to_the_sum(language):
    scores = DRAWS.normal(0, 2, (4, SYMBOLS))
    beam = PrefixBeam(10_000, language, weight=0.7, bonus=0.4, least=0)
    truth = {
        text: score
        + 0.4 * len(text)
        + 0.7 * sum(language.log_probabilities(np.array(text, "int32")))
        for text, score in sums(scores).items()
    }
    found = beam.search(scores)
    assert len(found) == len(truth)
    for tokens, score in found:
        np.testing.assert_allclose(score, truth[tuple(tokens)], rtol=1e-9)
    assert tuple(beam.decode(scores)) == max(truth, key=truth.get)


def test_a_separator_makes_the_bonus_one_of_words():
    scores = DRAWS.normal(0, 2, (4, SYMBOLS))
    truth = sums(scores)
    for tokens, score in PrefixBeam(10_000, bonus=0.4, separator=2, least=0).search(
        scores
    ):
        words = 0.4 * list(tokens).count(2)
        np.testing.assert_allclose(score - words, truth[tuple(tokens)], rtol=1e-9)


def test_a_beam_finds_what_the_best_path_misses():
    # Both frames rather say nothing, but together they rather say something.
    scores = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert BestPath().decode(scores).tolist() == []
    assert PrefixBeam(width=4).decode(scores).tolist() == [1]


def test_the_best_path_merges_repeats_and_drops_blanks():
    path = [0, 2, 2, 0, 2, 1, 1, 3, 0, 0]
    scores = np.eye(SYMBOLS)[path]
    assert BestPath().decode(scores).tolist() == [2, 2, 1, 3]
    assert BestPath().decode(scores[:1]).tolist() == []
    sure = np.log(np.clip(scores, 1e-9, 1))
    assert PrefixBeam(width=3).decode(sure).tolist() == [2, 2, 1, 3]


def test_unlikely_symbols_are_passed_over():
    scores = np.log([[0.5, 0.5 - 1e-5, 1e-5]] * 3)
    found = PrefixBeam(width=1000, least=1e-3).search(scores)
    assert not any(2 in tokens for tokens, _ in found)
    assert any(
        2 in tokens for tokens, _ in PrefixBeam(width=1000, least=0).search(scores)
    )


def test_what_is_out_of_range_is_refused():
    for wrong in ({"width": 0}, {"weight": -1.0}, {"least": 1.0}, {"separator": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PrefixBeam(**wrong)
    with pytest.raises(ValueError, match="`language` must have"):
        PrefixBeam(language=dict())
