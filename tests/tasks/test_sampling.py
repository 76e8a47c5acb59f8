"""Best of n, and samples worth imitating, on a language of which all is known."""

import numpy as np
from toy_strings import REFERENCE, REWARDS, STRINGS, N, nats, policy, worth

from keras_genai.tasks.sampling import best_of, sampled

POLICY = policy(REFERENCE)


def test_the_best_of_4_are_drawn_as_order_statistics_say():
    found = best_of(POLICY, [[0]] * 2000, worth, 4, length=3, seed=1, stop=(0,))
    rows = [STRINGS.index(tuple(row.tolist())) for row in found]
    shares = np.bincount(rows, minlength=N) / len(rows)
    order = np.argsort(REWARDS)
    below = np.concatenate([[0], np.exp(nats(REFERENCE))[order].cumsum()])
    expected = np.zeros(N)
    expected[order] = np.diff(below**4)
    assert 0.5 * np.abs(shares - expected).sum() < 0.04


def test_samples_that_are_worth_it_are_rows_to_imitate():
    found = sampled(POLICY, [[0]] * 1600, [worth], 5, length=3, stop=(0,))
    rows = found.worth(0.0)
    assert 0 < len(rows) < 8000
    records = found.records(rows)
    assert all(record["reward"] >= 0 for record in records)
    assert [record["completion"] for record in records] == [
        found.completions[row].tolist() for row in rows
    ]
    best = found.best()
    assert best.tolist() == [
        5 * each + found.ratings.total[5 * each : 5 * each + 5].argmax()
        for each in range(1600)
    ]
