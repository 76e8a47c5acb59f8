"""Texts that come and go are what they would be alone, and rows are never lost."""

import numpy as np
import pytest
from toy_writers import CONTEXT, gpt, windowed, words

from keras_genai.layers.quantized import quantize
from keras_genai.samplers import (
    FrequencyPenalty,
    Greedy,
    LogitBias,
    PresencePenalty,
    RepetitionPenalty,
    Sample,
)
from keras_genai.samplers.prefixes import Prefixes
from keras_genai.samplers.slots import Slots

SAMPLERS = (Greedy(), Sample(0.7, top_k=9))
ALL = (
    *SAMPLERS,
    Sample(),
    Sample(1.3, top_p=0.8),
    Sample(min_p=0.1),
    Sample(typical_p=0.7, rules=(RepetitionPenalty(1.3),)),
    Greedy((FrequencyPenalty(0.5, 3), PresencePenalty(0.3, 3))),
    Sample(rules=(LogitBias({3: 2.0, 5: -9.0}),)),
)


def texts(count, samplers, most=16):
    """list of `(prompt, sampler, max_length, seed)`."""
    random = np.random.default_rng(1)
    return [
        (
            prompt,
            samplers[number % len(samplers)],
            min(CONTEXT, len(prompt) + int(random.integers(1, 25))),
            number,
        )
        for number, prompt in enumerate(words(count, most=most))
    ]


def serve(slots, asked, budget=4, order=None):
    """list of int arrays: what is written, each in the next row that is free."""
    waiting = list(range(len(asked)) if order is None else order)
    running, found = {}, {}
    while waiting or running:
        free = [row for row in range(slots.rows) if row not in running]
        if waiting and free:
            number = waiting.pop(0)
            prompt, sampler, length, seed = asked[number]
            slots.begin(prompt)
            while not slots.read():
                pass
            slots.insert(free[0], sampler, length, set(), seed)
            running[free[0]] = number
        slots.step(budget)
        for row, number in list(running.items()):
            if slots.text.done[row]:
                found[number] = slots.written(row, 0)
                slots.free(row, keep=True)
                del running[row]
    return [found[number] for number in range(len(asked))]


def alone(model, asked):
    return [
        model.generate(prompt, length, sampler, seed)
        for prompt, sampler, length, seed in asked
    ]


def check_equal(found, expected):
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(one, other, err_msg=f"text {number}")


@pytest.fixture(scope="module")
def model():
    return gpt()


@pytest.fixture(scope="module")
def asked():
    return texts(6, SAMPLERS)


@pytest.fixture(scope="module")
def expected(model, asked):
    return alone(model, asked)


def test_texts_in_any_company_are_those_written_alone(model, asked, expected):
    slots = Slots(model, CONTEXT)
    slots.resize(3, CONTEXT)
    check_equal(serve(slots, asked), expected)
    # The ring went round, and what was there before is not seen.
    check_equal(serve(slots, asked, 1, order=range(5, -1, -1)), expected)


@pytest.mark.slow
def test_rows_and_slots_may_change_while_texts_are_written(model, asked, expected):
    slots = Slots(model, CONTEXT)
    slots.resize(1, 40)
    prompt, sampler, length, seed = asked[0]
    slots.begin(prompt)
    while not slots.read():
        pass
    slots.insert(0, sampler, min(length, 40), set(), seed)
    slots.step(2)
    slots.resize(3, CONTEXT, kept=[0])
    slots.step(2)
    slots.resize(2, 40, kept=[0])
    while not slots.text.done[0]:
        slots.step()
    np.testing.assert_array_equal(slots.written(0, 0), expected[0][:40])


@pytest.mark.slow
def test_a_row_that_keeps_near_tokens_only_does_so_for_itself():
    model, asked = windowed(), texts(5, SAMPLERS, most=30)
    slots = Slots(model, CONTEXT, prefix_bytes=10**6)
    slots.resize(2, slots.draft_slots)
    assert not slots.can_have(16)  # a cache of so few slots has no window
    expected = alone(model, asked)
    check_equal(serve(slots, asked), expected)
    # What is kept of a window is of use to who goes on from its end only.
    assert slots.begin(np.concatenate([expected[0], [1, 2]])) == len(expected[0]) - 1
    assert slots.begin(expected[0][:-2]) == len(asked[0][0]) - 1
    check_equal(serve(slots, asked), expected)


@pytest.mark.slow
def test_known_beginnings_change_nothing(model):
    long = words(1, 40, 41)[0]
    asked = [
        (long[:33], Sample(), 40, 1),
        (np.concatenate([long[:33], [9, 8]]), Sample(), 40, 2),
        (long[:33], Sample(), 40, 1),
    ]
    expected = alone(model, asked)
    slots = Slots(model, CONTEXT, prefix_bytes=10**6)
    slots.resize(2, CONTEXT)
    check_equal(serve(slots, asked), expected)
    assert slots.begin(asked[0][0]) == 32
    assert slots.begin(np.concatenate([long[:20], [9, 8]])) == 16
    assert slots.begin(words(1, 20, 21, seed=5)[0]) == 0
    # A text that was written is known like one that was read.
    written = expected[0]
    assert slots.begin(np.concatenate([written, [1, 2]])) == 32
    slots.forget()
    assert slots.begin(asked[0][0]) == 0


def test_what_is_kept_fits_into_its_bytes_and_the_last_used_stays():
    prefixes = Prefixes(nbytes=3 * (20 * 4 + 80))
    parts = [np.zeros(20, "float32")]
    tokens = [np.full(20, number, "int32") for number in range(4)]
    for row in tokens[:3]:
        prefixes.keep(row, lambda: parts)
    assert prefixes.find(tokens[0])[1] == 16
    prefixes.keep(tokens[3], lambda: parts)
    assert [prefixes.find(row)[1] for row in tokens] == [16, 0, 16, 16]
    assert prefixes.used <= prefixes.nbytes
    prefixes.keep(np.full(10**4, 1, "int32"), lambda: parts)  # too large to be kept
    assert len(prefixes) == 3
    whole = Prefixes(10**4, only_whole=True)
    whole.keep(tokens[0], lambda: parts)
    assert whole.find(np.zeros(21, "int32"))[1] == 20
    assert whole.find(np.zeros(19, "int32"))[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_24_texts_compiled_by_xla_are_those_written_alone(weights):
    model, asked = gpt(jit=True), texts(24, ALL, most=30)
    if weights == "int8":
        quantize(model)
    expected = alone(model, asked)
    for rows in (4, 8):
        slots = Slots(model, CONTEXT)
        slots.resize(rows, CONTEXT)
        check_equal(serve(slots, asked), expected)
        order = np.random.default_rng(2).permutation(24).tolist()
        check_equal(serve(slots, asked, order=order), expected)
