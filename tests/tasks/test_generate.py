"""Tokens that a language task writes: the loop, its windows, samplers, beams."""

import gc
import itertools
import re
import weakref

import numpy as np
import pytest
import tensorflow as tf
from toy_language import Attending, chain, random_trigram

from keras_genai.networks.gpt import GPT
from keras_genai.samplers import (
    Beam,
    Greedy,
    LogitBias,
    MinLength,
    NoRepeatNgram,
    RepetitionPenalty,
    Sample,
    session,
)
from keras_genai.tasks.language import CausalLM

UNEQUAL = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10, 0, 2, 4], [6]]
EVERYTHING = Sample(
    0.9,
    top_k=9,
    top_p=0.95,
    min_p=0.01,
    typical_p=0.97,
    rules=(RepetitionPenalty(1.1), NoRepeatNgram(4), MinLength(9), LogitBias({3: 1.0})),
)


@pytest.fixture(scope="module")
def attending():
    return Attending()


def equal(found, expected):
    return len(found) == len(expected) and all(
        np.array_equal(*pair) for pair in zip(found, expected, strict=True)
    )


def test_greedy_is_the_most_likely_token_again_and_again(attending):
    tokens = [1, 2, 3]
    while len(tokens) < 30:
        tokens.append(attending.next_token(tokens))
    found = attending.generate([1, 2, 3], max_length=30, sampler=Greedy())
    assert found.tolist() == tokens


@pytest.mark.parametrize("sampler", [Greedy(), Beam(3)], ids=["greedy", "beam"])
def test_a_batch_of_unequal_prompts_is_each_prompt_alone(attending, sampler):
    stop = (5,) if isinstance(sampler, Beam) else ()
    batch = attending.generate(UNEQUAL, max_length=24, sampler=sampler, stop=stop)
    alone = [
        attending.generate(row, max_length=24, sampler=sampler, stop=stop)
        for row in UNEQUAL
    ]
    assert equal(batch, alone)


def test_rules_see_each_rows_own_text_without_the_padding(attending):
    rules = (RepetitionPenalty(1.5), NoRepeatNgram(2))
    batch = attending.generate(UNEQUAL, max_length=40, sampler=Greedy(rules))
    alone = [
        attending.generate(r, max_length=40, sampler=Greedy(rules)) for r in UNEQUAL
    ]
    assert equal(batch, alone)
    for row in batch:  # the border between prompt and continuation included
        pairs = list(itertools.pairwise(row[2:].tolist()))
        assert len(pairs) == len(set(pairs))


@pytest.mark.slow
def test_one_bucket_of_prompts_and_any_numbers_are_one_trace():
    model = Attending()
    model.generate([[1, 2], [3]], max_length=20, sampler=EVERYTHING, stop=[5])
    other = Sample(
        1.3,
        top_k=3,
        top_p=0.5,
        min_p=0.2,
        typical_p=0.4,
        rules=(
            RepetitionPenalty(2.0),
            NoRepeatNgram(2),
            MinLength(1),
            LogitBias({1: 1.0, 2: -np.inf}),
        ),
    )
    prompts = [list(range(11)), [2] * 15]
    model.generate(prompts, 18, other, seed=7, stop=[1, 2, 4, 8])
    model.generate(prompts, 19, other, seed=-1)
    list(model.generate(prompts, 20, other, stream=True))
    assert model.traces == [16, 1]
    model.generate([[1], [2] * 17], max_length=20, sampler=other)
    assert model.traces == [16, 1, 32]  # the cache is as long, and so the loop the same


def test_one_bucket_of_prompts_and_any_numbers_are_one_trace_of_beam_search():
    model = Attending()
    model.generate([1, 2], 20, Beam(2, 1.0), stop=[5])
    model.generate([1] * 14, 19, Beam(2, 0.3), stop=[5, 6, 7])
    assert model.traces == [16, 1]


@pytest.mark.slow
def test_xla_and_graph_find_the_same_beams():
    graph, compiled = Attending(seed=5), Attending(seed=5)
    compiled.jit_generate = True
    sampler = Beam(2, rules=(NoRepeatNgram(2),))
    expected = graph.generate(UNEQUAL, 20, sampler, stop=[5])
    assert equal(compiled.generate(UNEQUAL, 20, sampler, stop=[5]), expected)


def test_the_loop_ends_when_every_row_has_ended():
    model = chain(*"abcdef")
    found = model.generate([[1], [3]], max_length=100, sampler=Greedy(), stop=0)
    assert [row.tolist() for row in found] == [[1, 2, 3, 4, 5, 0], [3, 4, 5, 0]]
    longer = model.generate([1], 100, Greedy((MinLength(8),)), stop=0)
    assert longer.tolist()[:5] == [1, 2, 3, 4, 5]
    assert len(longer) >= 8


def test_max_length_counts_the_prompt_and_has_a_default(attending):
    assert [len(row) for row in attending.generate(UNEQUAL, 12)] == [12, 12, 12]
    assert len(attending.generate([1, 2])) == 2 + 256


@pytest.mark.slow
def test_calls_of_any_lengths_share_a_few_functions():
    model = Attending(context=64)
    draws = np.random.default_rng(0)
    for _ in range(60):
        length = int(draws.integers(1, 40))
        prompts = [[1] * int(draws.integers(1, length + 1))] * int(draws.integers(5, 9))
        model.generate(prompts, max_length=length + int(draws.integers(1, 24)))
    assert len(model._compiled_loops) <= 12


def test_all_windows_of_a_long_text_share_two_functions():
    model = Attending(context=64)
    model.generate([1], max_length=170)  # the last window needs fewer slots
    assert len(model._compiled_loops) == 2


def test_the_function_that_was_not_called_for_longest_is_forgotten(monkeypatch):
    monkeypatch.setattr(session, "MOST_FUNCTIONS", 2)

    class Owner:
        jit_generate = False

    owner, made = Owner(), []

    def build():
        made.append(len(made))
        return lambda: tf.constant(0)

    for key in "abacab":
        session.compiled(owner, key, build)
    assert len(made) == 4  # a, b, c and b again
    assert len(owner._compiled_loops) == 2


@pytest.mark.parametrize("max_length", [10**9, 10**12])
def test_texts_that_do_not_fit_into_memory_are_refused(max_length):
    with pytest.raises(ValueError, match=r"`max_length` must be an int <= .* Received"):
        Attending().generate([1, 2], max_length=max_length)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_compiled_functions_die_with_their_model_and_are_not_saved(tmp_path):
    model = Attending()
    model.generate([1], max_length=4)
    model.save_weights(tmp_path / "toy.weights.h5")
    other = Attending(seed=1)
    other.load_weights(tmp_path / "toy.weights.h5")
    assert equal(other.generate([1], 9, seed=2), model.generate([1], 9, seed=2))
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_new_weights_are_seen_by_compiled_functions(attending):
    model = Attending(seed=1)
    before = model.generate([1], 20, Greedy())
    for old, new in zip(model.weights, Attending(seed=2).weights, strict=True):
        old.assign(new)
    assert not np.array_equal(before, model.generate([1], 20, Greedy()))
    assert equal(
        model.generate([1], 20, Greedy()), Attending(seed=2).generate([1], 20, Greedy())
    )


@pytest.mark.slow
def test_gpt_writes_what_its_full_forward_pass_predicts():
    model = CausalLM(
        GPT(vocabulary_size=13, context=24, depth=1, width=16, num_heads=2)
    )
    for weight in model.weights:
        weight.assign(weight * 9)
    prompts = [[1, 2, 3], [4, 5, 6, 7, 8, 9]]
    # Compiled by XLA; to draw from one token is to take the most likely one.
    for found in model.generate(prompts, max_length=18, sampler=Sample(top_k=1)):
        logits = np.array(model(found[None, :-1]))[0]
        start = 3 if found[0] == 1 else 6
        np.testing.assert_array_equal(found[start:], logits.argmax(-1)[start - 1 :])


def half_context_reference(model, tokens, length):
    """Greedy text of a model that forgets all but half its context when it is full."""
    tokens, start = list(tokens), 0
    if len(tokens) > model.context:
        start = len(tokens) - model.context // 2
    while len(tokens) < length:
        if len(tokens) - start > model.context:
            start = len(tokens) - model.context // 2
        tokens.append(model.next_token(tokens[start:]))
    return tokens


@pytest.mark.slow
def test_a_text_goes_on_past_the_context_from_its_last_half():
    model = Attending(context=12)
    prompts = [[1, 2, 3], [4], list(range(10)), [5, 6, 7] * 5]
    found = model.generate(prompts, max_length=60, sampler=Greedy())
    expected = [half_context_reference(model, prompt, 60) for prompt in prompts]
    assert [row.tolist() for row in found] == expected


def test_sampled_texts_past_the_context_are_seeded_and_streamed_alike():
    model = Attending(context=12)
    found = model.generate([1, 2], max_length=70, seed=1)
    assert equal(model.generate([1, 2], max_length=70, seed=1), found)
    pieces = list(model.generate([1, 2], max_length=70, seed=1, stream=True))
    assert equal(np.concatenate(pieces), found)


def test_a_seed_decides_the_text_and_rows_draw_differently(attending):
    first = attending.generate([[1]] * 3, max_length=40, seed=1)
    assert equal(attending.generate([[1]] * 3, max_length=40, seed=1), first)
    assert not equal(attending.generate([[1]] * 3, max_length=40, seed=2), first)
    assert len({tuple(row) for row in first}) == 3
    # A row's draws do not depend on how many rows come after it.
    assert equal(attending.generate([[1]] * 2, max_length=40, seed=1), first[:2])


def test_sampled_tokens_have_the_models_probabilities():
    model = random_trigram(0)
    rows = model.generate([[2, 4]] * 3000, max_length=3)
    counts = np.bincount([row[-1] for row in rows], minlength=9)
    logits = model.table.numpy()[2, 4].astype("float64")
    expected = 3000 * np.exp(logits) / np.exp(logits).sum()
    assert ((counts - expected) ** 2 / expected).sum() < 26.1  # 8 df, p = 0.001


@pytest.fixture(scope="module")
def trigram():
    """One model of any table, so that its loop is traced once."""
    return random_trigram(0, size=3)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_wide_beam_finds_the_best_of_all_texts(seed, length_penalty, trigram):
    model = trigram
    model.table.assign(random_trigram(seed, size=3).table)
    table = model.table.numpy().astype("float64")
    log_probs = table - np.log(np.exp(table).sum(-1, keepdims=True))
    best = (-np.inf, None)
    for count in range(1, 5):
        for body in itertools.product((1, 2), repeat=count - 1):
            for last in range(3) if count == 4 else (0,):
                text = (2, 1, *body, last)
                score = sum(
                    log_probs[text[i - 2], text[i - 1], text[i]]
                    for i in range(2, len(text))
                )
                best = max(best, (score / count**length_penalty, text))
    sampler = Beam(81, length_penalty, early_stopping="never")
    found = model.generate([2, 1], max_length=6, sampler=sampler, stop=0)
    assert tuple(found.tolist()) == best[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "prompt", "sampler", "expected"),
    [  # written by transformers 5.23 with the same tables and max_length=14
        (1, [1, 2, 3, 4], Beam(2, 0.0), [0]),
        (1, [1, 2, 3, 4], Beam(2, 1.0, True), [1, 4, 7, 0]),
        (1, [1, 2, 3, 4], Beam(2), [1, 4, 7, 3, 8, 4, 1, 4, 7, 0]),
        (1, [1, 2, 3, 4], Beam(3, 2.0, True), [1, 4, 7, 4, 7, 0]),
        (1, [1, 2, 3, 4], Beam(3, -1.0), [0]),
        (1, [1, 2, 3, 4], Beam(5), [1, 4, 7, 3, 3, 3, 3, 3, 3, 3]),
        (0, [3], Beam(3), [8, 4, 2, 6, 3, 3, 0]),
        (
            0,
            [3],
            Beam(3, 1.0, "never"),
            [8, 4, 2, 6, 3, 1, 7, 5, 8, 4, 2, 6, 3],
        ),
        (1, [1, 2, 3, 4], Beam(3, rules=(NoRepeatNgram(2),)), [1, 4, 7, 0]),
        (
            1,
            [1, 2, 3, 4],
            Beam(3, rules=(RepetitionPenalty(1.5),)),
            [6, 3, 7, 5, 8, 7, 0],
        ),
        (1, [1, 2, 3, 4], Greedy((MinLength(9),)), [1, 4, 7, 4, 7, 0]),
        (1, [1, 2, 3, 4], Greedy((RepetitionPenalty(3.0),)), [0]),
    ],
)
def test_texts_are_those_of_transformers(seed, prompt, sampler, expected):
    found = random_trigram(seed).generate(prompt, 14, sampler, stop=0)
    assert found.tolist() == prompt + expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prompts": "hello"}, ValueError, "this model has no `tokenizer`"),
        ({"prompts": []}, ValueError, "`prompts` must not be empty"),
        ({"prompts": [99]}, ValueError, "tokens from 0 to 10. Received: 99"),
        ({"max_length": 2}, ValueError, "above the longest prompt's 2 tokens"),
        ({"max_length": 5.0}, TypeError, "`max_length` must be an int >= 1"),
        ({"sampler": "greedy"}, TypeError, "`sampler` must be a Greedy, Sample or"),
        ({"seed": 0.5}, TypeError, "`seed` must be an int"),
        ({"seed": 2**63}, ValueError, "`seed` must be an int of 64 bits"),
        ({"stop": 11}, ValueError, "`stop` must hold tokens from 0 to 10"),
        ({"stop": 1.5}, TypeError, "`stop` must be an int"),
        ({"stop": "x"}, ValueError, "`stop` must be int tokens"),
        ({"stop": [{}]}, TypeError, "`stop` must be an int"),
        ({"stop": np.array([1])}, TypeError, "`stop` must be an int"),
        ({"stream": np.array([1, 2])}, TypeError, "`stream` must be True or False"),
        ({"strip_prompt": 5}, TypeError, "`strip_prompt` must be True or False"),
        ({"stop": ""}, ValueError, "`stop` must not hold an empty text"),
        ({"sampler": Beam(), "stream": True}, ValueError, "`stream` must be False"),
        (
            {"sampler": Beam(), "max_length": 13},
            ValueError,
            "`max_length` must be at most context=12 with a Beam",
        ),
        (
            {"sampler": Greedy((LogitBias({11: 1.0}),))},
            ValueError,
            "`biases` must be about tokens below 11",
        ),
    ],
)
def test_bad_arguments_say_what_is_allowed(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Attending(context=12).generate(**{"prompts": [1, 2], **arguments})
