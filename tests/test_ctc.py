"""The CTC loss is what the sum over all paths says, and so is its gradient."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.ctc import ctc_feasible, ctc_loss

DRAWS = np.random.default_rng(0)


def spelled(path):
    """What is left of a path: repeats merged, blanks dropped."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def by_hand(logits, label):
    """The loss of one row, from every path that there is; float64."""
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    frames, symbols = scores.shape
    paths = itertools.product(range(symbols), repeat=frames)
    total = sum(
        np.exp(sum(scores[time, symbol] for time, symbol in enumerate(path)))
        for path in paths
        if spelled(path) == tuple(label)
    )
    return -np.log(total)


def padded(labels, length=3, filler=0):
    rows = [[*label, *[filler] * (length - len(label))] for label in labels]
    return np.array(rows, "int32"), np.array([len(label) for label in labels], "int32")


LABELS = [(1,), (1, 2), (1, 1), (2, 2, 1), (), (2, 1, 2)]
FRAMES = np.array([1, 4, 3, 5, 2, 5], "int32")


def rows(length=5, symbols=3):
    return DRAWS.normal(0, 2, (len(LABELS), length, symbols)).astype("float32")


def value_and_gradient(logits, *rest):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = ctc_loss(logits, *rest)
    return value.numpy(), tape.gradient(value, logits).numpy()


def test_the_loss_sums_all_paths():
    logits = rows()
    found = ctc_loss(logits, *insert(FRAMES))
    for row, label in enumerate(LABELS):
        truth = by_hand(logits[row, : FRAMES[row]].astype("float64"), label)
        np.testing.assert_allclose(found[row], truth, rtol=1e-5)


def insert(frames, filler=0):
    labels, lengths = padded(LABELS, filler=filler)
    return labels, frames, lengths


def test_the_gradient_is_that_of_finite_differences():
    logits = rows()
    _, gradient = value_and_gradient(logits, *insert(FRAMES))
    for row, label in enumerate(LABELS):
        own, step = logits[row].astype("float64"), 1e-5
        for place in itertools.product(range(5), range(3)):
            moved = [own.copy(), own.copy()]
            moved[0][place] += step
            moved[1][place] -= step
            up, down = (by_hand(each[: FRAMES[row]], label) for each in moved)
            truth = (up - down) / (2 * step)
            np.testing.assert_allclose(gradient[row][place], truth, atol=1e-5)


@pytest.mark.slow
def test_padding_of_either_kind_changes_nothing():
    logits = rows()
    value, gradient = value_and_gradient(logits, *insert(FRAMES))
    longer = np.pad(logits, [(0, 0), (0, 3), (0, 0)], constant_values=7.0)
    noise = np.where(np.arange(8)[None, :, None] < FRAMES[:, None, None], longer, 50.0)
    labels, frames, lengths = insert(FRAMES, filler=2)
    labels = np.pad(labels, [(0, 0), (0, 2)], constant_values=1)
    other, far = value_and_gradient(noise.astype("float32"), labels, frames, lengths)
    np.testing.assert_allclose(other, value, rtol=1e-6)
    np.testing.assert_allclose(far[:, :5], gradient, atol=1e-6)
    np.testing.assert_array_equal(far[:, 5:], 0)


def test_texts_without_room_are_told_and_count_nothing():
    labels, frames, lengths = insert(np.array([0, 1, 2, 3, 0, 3], "int32"))
    feasible = ctc_feasible(labels, frames, lengths)
    np.testing.assert_array_equal(feasible, [False, False, False, False, True, True])
    value, gradient = value_and_gradient(rows(), labels, frames, lengths)
    np.testing.assert_array_equal(value[:5], 0)
    np.testing.assert_array_equal(gradient[:5], 0)
    assert value[5] > 0
    assert np.abs(gradient[5]).max() > 0


def test_a_label_after_the_end_is_no_repeat():
    labels = np.array([[1, 1, 1]], "int32")
    assert ctc_feasible(labels, [1], [1]).numpy().all()


def forward(logits, label):
    """The loss of one row by the forward sums alone; float64."""
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    states = [0, *itertools.chain.from_iterable((symbol, 0) for symbol in label)]
    sums = np.full(len(states) + 2, -np.inf)
    sums[1] = 0
    skips = [
        0 if symbol and (place < 2 or states[place - 2] != symbol) else -np.inf
        for place, symbol in enumerate(states)
    ]
    for frame in scores:
        ways = sums[2:], sums[1:-1], sums[:-2] + skips
        sums[2:] = np.logaddexp.reduce(ways) + frame[states]
        sums[:2] = -np.inf
    return -np.logaddexp(sums[-1], sums[-2])


def test_long_rows_keep_their_digits():
    logits = DRAWS.normal(0, 3, (1, 200, 20)).astype("float32")
    label = DRAWS.integers(1, 20, 30)
    value, gradient = value_and_gradient(logits, label[None], [200], [30])
    wide = logits[0].astype("float64")
    np.testing.assert_allclose(value[0], forward(wide, label), rtol=1e-6)
    way = DRAWS.normal(size=wide.shape)
    steps = [forward(wide + size * way, label) for size in (1e-4, -1e-4)]
    slope = (steps[0] - steps[1]) / 2e-4
    np.testing.assert_allclose(np.sum(gradient[0] * way), slope, rtol=2e-5)


def test_numbers_that_are_none_show_in_the_loss():
    logits = rows()
    logits[1, 0, 0] = np.nan
    value, _ = value_and_gradient(logits, *insert(FRAMES))
    assert np.isnan(value[1])
    assert np.isfinite(np.delete(value, 1)).all()


@pytest.mark.parametrize("mask", [-np.inf, np.finfo("float32").min])
def test_a_masked_symbol_costs_only_the_texts_that_need_it(mask):
    logits, rest = rows(symbols=4), insert(FRAMES)
    value, gradient = value_and_gradient(logits[..., :3], *rest)
    logits[..., 3] = mask
    other, changed = value_and_gradient(logits, *rest)
    np.testing.assert_allclose(other, value, rtol=1e-6)
    np.testing.assert_allclose(changed[..., :3], gradient, atol=1e-6)
    np.testing.assert_array_equal(changed[..., 3], 0)
    logits[3, :, 1] = mask  # (2, 2, 1) needs it in its last frames
    logits[1, 0, 1] = mask  # (1, 2) may begin with a blank
    other, changed = value_and_gradient(logits, *rest)
    assert other[3] == np.inf
    np.testing.assert_array_equal(changed[3], 0)
    with np.errstate(over="ignore"):
        truth = by_hand(logits[1, :4, :3].astype("float64"), (1, 2))
    np.testing.assert_allclose(other[1], truth, rtol=1e-5)
    assert changed[1, 0, 1] == 0
    assert np.isfinite(changed).all()
    np.testing.assert_allclose(np.delete(other, [1, 3]), np.delete(value, [1, 3]))


@pytest.mark.slow
def test_xla_and_unknown_lengths_give_the_same():
    logits, rest = rows(), [tf.constant(each) for each in insert(FRAMES)]
    value, gradient = value_and_gradient(logits, *rest)

    def both(logits, labels):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = ctc_loss(logits, labels, *rest[1:])
        return found, tape.gradient(found, logits)

    ways = {
        "xla": tf.function(both, jit_compile=True),
        "any length": tf.function(
            both,
            input_signature=[
                tf.TensorSpec((None, None, 3)),
                tf.TensorSpec((None, None), "int32"),
            ],
        ),
    }
    for way in ways.values():
        found = way(tf.constant(logits), rest[0])
        np.testing.assert_allclose(found[0], value, rtol=1e-5)
        np.testing.assert_allclose(found[1], gradient, atol=1e-6)
