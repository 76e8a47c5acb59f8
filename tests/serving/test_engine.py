"""An engine answers many people at once, each as if it were alone."""

import asyncio
import pathlib
import random
import threading
import time

import numpy as np
import pytest
from marks import slow_but
from toy_writers import CONTEXT, encoder_decoder, gpt, recurrent_pair, rnn

from keras_genai.serving import (
    BusyError,
    Engine,
    EngineError,
    TextRequest,
    TooLongError,
)
from keras_genai.serving.batch import Batch
from keras_genai.serving.waiting import Waiting
from keras_genai.tasks.seq2seq import Seq2SeqLM


@pytest.fixture(scope="module")
def model():
    return gpt()


@pytest.fixture(scope="module")
def engine(model):
    with Engine(model, rows=3) as engine:
        yield engine


def alone(model, request):
    """What `generate` writes for a request."""
    starts, _ = model.begin([request.prompt])
    begin = len(starts[0])
    has_encoder = isinstance(model, Seq2SeqLM)
    rules = model.generation.rules(begin) if has_encoder else ()
    return model.generate(
        request.prompt,
        max_length=begin + request.max_tokens,
        sampler=request.sampler(begin, rules),
        seed=request.seed,
        stop=request.stop,
        **({} if has_encoder else {"strip_prompt": True}),
    )


def tokens_of(answer):
    return [token for piece in answer for token in piece.tokens]


def until(condition, seconds=20):
    """Waits until a function says yes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_answers_are_what_generate_writes_alone(model, engine):
    ruled = dict(top_p=0.9, frequency_penalty=0.5)
    requests = [
        TextRequest("ab", max_tokens=12, temperature=0, seed=1),
        TextRequest("hello", max_tokens=20, seed=3, logit_bias={97: 2.0}, **ruled),
        TextRequest("hello", max_tokens=20, seed=4, logit_bias={98: 3.0}, **ruled),
        TextRequest("x", 9, seed=4, logit_bias={97: 99.0}, stop=("aa",), **ruled),
        TextRequest("xy", 9, seed=5, logit_bias={97: 99.0}, stop=("b", 97), **ruled),
    ]
    expected = [alone(model, request) for request in requests]
    for _ in range(2):
        answers = [engine.submit(request) for request in requests]
        for request, answer, text in zip(requests, answers, expected, strict=True):
            assert "".join(piece.text for piece in answer) == text
            assert answer.finish_reason == ("stop" if request.stop else "length")
        requests.reverse()
        expected.reverse()
    stopped = {answer.request.prompt: answer for answer in answers}
    assert stopped["x"].text() == ""
    assert stopped["x"].completion_tokens == 2  # as many as the stop text took
    assert tokens_of(stopped["xy"]) == [97]


@pytest.mark.slow
@pytest.mark.parametrize("make", [rnn, encoder_decoder, recurrent_pair])
def test_other_networks_write_the_same_in_company(make):
    model = make()
    requests = [
        TextRequest("ab" * (1 + 3 * number), max_tokens=6 + 4 * number, seed=number)
        for number in range(4)
    ]
    with Engine(model, rows=2, length=CONTEXT, deterministic=True) as engine:
        answers = [engine.submit(request) for request in requests]
        found = ["".join(piece.text for piece in answer) for answer in answers]
        assert [answer.prompt_tokens for answer in answers] == [2, 8, 14, 20]
        if isinstance(model, Seq2SeqLM):
            with pytest.raises(TooLongError):
                engine.submit(TextRequest("ab" * 30, max_tokens=2))
    assert found == [alone(model, request) for request in requests]


def test_logprobs_are_those_of_the_model_itself(model, engine):
    request = TextRequest([5, 6, 7], max_tokens=6, seed=1, temperature=3.0, logprobs=2)
    company = engine.submit(TextRequest("a", max_tokens=40, seed=1))
    answer = engine.submit(request)
    pieces = list(answer)
    tokens = [token for piece in pieces for token in piece.tokens]
    said = [each for piece in pieces for each in piece.logprobs]
    logits = np.array(model(np.array([[5, 6, 7, *tokens]])))[0, 2:-1]
    expected = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    assert [each.token for each in said] == tokens
    for each, row in zip(said, expected, strict=True):
        assert each.logprob == pytest.approx(row[each.token], abs=1e-4)
        best = np.argsort(-row)[:2]
        assert [token for token, _ in each.alternatives] == best.tolist()
    assert not any(piece.logprobs for piece in company)


@pytest.mark.slow
def test_an_answer_can_be_awaited_and_read_twice(engine):
    async def read():
        answer = engine.submit(TextRequest("ab", max_tokens=12, seed=0))
        return [piece async for piece in answer], answer

    pieces, answer = asyncio.run(read())
    assert answer.done
    assert tuple(pieces) == answer.pieces == tuple(answer)
    assert len(tokens_of(answer)) == 12


def test_what_cannot_be_honoured_is_refused(engine):
    with pytest.raises(TooLongError, match="at most 48 tokens together") as caught:
        engine.submit(TextRequest("ab", max_tokens=47))
    error = caught.value
    assert (error.prompt_tokens, error.max_tokens, error.context) == (2, 47, 48)
    with pytest.raises(ValueError, match="`biases` must be about tokens below"):
        engine.submit(TextRequest("ab", max_tokens=4, logit_bias={10**6: 1.0}))
    with pytest.raises(ValueError, match="`stop` must leave the model at most"):
        engine.submit(TextRequest("ab", max_tokens=4, stop=range(20)))
    with pytest.raises(TypeError, match="`request` must be a TextRequest"):
        engine.submit("ab")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_tokens": 0}, ValueError, "`max_tokens` must be an int >= 1"),
        ({"temperature": -1}, ValueError, "`temperature` must be a number >= 0"),
        ({"top_p": 2}, ValueError, "`top_p`"),
        ({"frequency_penalty": 1e9}, ValueError, "`frequency_penalty` must be"),
        ({"repetition_penalty": 0}, ValueError, "`penalty` must be a number > 0"),
        ({"logprobs": 21}, ValueError, "`logprobs` must be at most 20"),
        ({"stop": "a"}, TypeError, "`stop` must be a tuple"),
        ({"seed": "1"}, TypeError, "`seed` must be an int"),
        ({"deadline": 0}, ValueError, "`deadline` must be a number of seconds"),
        ({"client": 3}, TypeError, "`client` must be a str"),
    ],
)
def test_bad_requests_say_what_is_allowed(arguments, error, message):
    with pytest.raises(error, match=message):
        TextRequest("a", **arguments)


def test_an_answer_as_long_as_there_is_room_for_needs_no_length(engine):
    answer = engine.submit(TextRequest([1] * 10, seed=0))
    assert len(tokens_of(answer)) == CONTEXT - 10
    assert answer.finish_reason == "length"
    assert engine.submit(TextRequest("", max_tokens=1)).wait(20)


def test_a_cancelled_answer_ends_within_four_tokens(engine):
    answer = engine.submit(TextRequest("ab", seed=0))
    seen = []
    for piece in answer:
        seen += piece.tokens
        answer.cancel()
    assert answer.finish_reason == "cancelled"
    assert len(seen) <= 8  # those that came before, and one call
    until(lambda: engine.figures()["running"] == 0)


def test_a_deadline_ends_what_is_written_and_what_waits(model):
    with Engine(model, rows=1, deterministic=True) as engine:
        engine.warm_up()
        written = engine.submit(TextRequest("ab", deadline=0.001))
        waits = engine.submit(TextRequest("ab", deadline=0.001))
        assert written.wait(20)
        assert waits.wait(20)
        assert written.finish_reason == waits.finish_reason == "deadline"
        assert engine.figures()["finished"]["deadline"] == 2


def test_what_a_deadline_ends_is_shown_to_its_last_token(model):
    with Engine(model, rows=1, deterministic=True) as engine:
        engine.warm_up()
        step = engine._batch.slots.step

        def slow(budget):
            time.sleep(0.02)
            return step(budget)

        engine._batch.slots.step = slow
        asked = dict(deadline=0.03, logit_bias={97: 99.0}, logprobs=0)
        answer = engine.submit(TextRequest("x", stop=("ab",), seed=0, **asked))
        assert answer.wait(20)
    assert answer.finish_reason == "deadline"
    count = answer.completion_tokens
    assert answer.text() == "a" * count  # the last one may have begun a stop text
    assert tokens_of(answer) == [97] * count
    assert sum(len(piece.logprobs) for piece in answer.pieces) == count


def test_several_may_wait_for_the_compiler(model, monkeypatch):
    begun, go, asked = threading.Event(), threading.Event(), []

    def warm_up(batch, everything=False):
        asked.append(everything)
        begun.set()
        go.wait(20)

    monkeypatch.setattr(Batch, "warm_up", warm_up)
    with Engine(model, rows=1, deterministic=True) as engine:
        threads = [
            threading.Thread(target=engine.warm_up, args=(all_,), daemon=True)
            for all_ in (False, True, False)
        ]
        threads[0].start()
        assert begun.wait(20)
        for thread in threads[1:]:
            thread.start()
        time.sleep(0.05)
        go.set()
        for thread in threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in threads)
        assert asked == [False, True]  # those who waited together are served at once


def test_clients_take_turns():
    waiting = Waiting()
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        waiting.put(name[0], name)
    assert waiting.get() == "a1"
    assert waiting.remove(lambda name: name == "c1") == ["c1"]
    waiting.put("d", "d1")
    assert [waiting.get() for _ in range(len(waiting))] == [
        "b1",
        "a2",
        "d1",
        "b2",
        "a3",
    ]


def test_too_many_are_told_when_to_come_back(model):
    with Engine(model, rows=1, queue=2, deterministic=True) as engine:
        request = TextRequest("ab", seed=0)
        answers = [engine.submit(request) for _ in range(3)]
        with pytest.raises(BusyError) as caught:
            engine.submit(request)
        assert caught.value.retry_after >= 1
        assert engine.figures()["refused"] == 1
        assert all(answer.wait(20) for answer in answers)
        assert engine.submit(request).wait(20)


def anonymous_memory():
    """int: bytes that this process has for itself; 0 where nobody says."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = status.read_text("utf-8").splitlines()
    said = dict(line.split(":", 1) for line in lines).get("RssAnon", "0 kB")
    return 1024 * int(said.split()[0])


@pytest.mark.parametrize("count", slow_but([150], [150, 10_000]))
def test_no_row_is_lost_and_survivors_are_right_when_many_give_up(model, count):
    chance = random.Random(0)
    with Engine(model, rows=3, queue=100, prefix_bytes=10**5) as engine:
        expected, answers, before = {}, [], 0

        def settle():
            assert all(answer.wait(30) for answer in answers)
            for answer in answers:
                if answer.finish_reason == "length":
                    text = expected.setdefault(answer.seed, tokens_of(answer))
                    assert tokens_of(answer) == text
            answers.clear()

        for number in range(count):
            seed = number % 5
            request = TextRequest("ab" * (1 + seed), max_tokens=10, seed=seed)
            while True:
                try:
                    answer = engine.submit(request)
                    break
                except BusyError:
                    time.sleep(0.01)
            if chance.random() < 0.3:
                threading.Timer(chance.random() * 0.02, answer.cancel).start()
            answers.append(answer)
            if number % 500 == 0:
                settle()
            if number == count // 10:
                before = anonymous_memory()
        settle()
        assert sorted(expected) == [0, 1, 2, 3, 4]
        until(lambda: engine.figures()["running"] == 0)
        figures = engine.figures()
        assert figures["waiting"] == 0
        assert sum(figures["finished"].values()) == count
        assert figures["finished"]["cancelled"] > count // 10
        assert engine.alive()
        assert anonymous_memory() - before < 50e6


def test_all_who_wait_hear_of_it_when_the_engine_dies(model):
    engine = Engine(model, rows=1, deterministic=True)
    assert engine.alive()

    def fail(*_):
        raise MemoryError("no memory left")

    engine._batch.slots.step = fail
    answers = [engine.submit(TextRequest("ab", seed=0)) for _ in range(2)]
    for answer in answers:
        with pytest.raises(EngineError, match="failed: MemoryError"):
            list(answer)
        assert answer.finish_reason == "error"
    assert not engine.alive()
    with pytest.raises(EngineError, match="does not run any more"):
        engine.submit(TextRequest("ab"))
    engine.close()


@pytest.mark.slow
def test_one_prompt_that_cannot_be_read_is_the_only_one_that_fails(model):
    with Engine(model, rows=2, deterministic=True) as engine:
        begin = engine._batch.slots.begin

        def fail_once(*_):
            engine._batch.slots.begin = begin
            raise ValueError("no such prompt")

        engine._batch.slots.begin = fail_once
        answers = [engine.submit(TextRequest("ab", max_tokens=3)) for _ in range(2)]
        assert all(answer.wait(60) for answer in answers)
        assert [answer.finish_reason for answer in answers] == ["error", "length"]
        assert "no such prompt" in str(answers[0].error)
        assert engine.alive()


@pytest.mark.parametrize(
    "asked",
    [dict(temperature=1e-40), dict(top_p=1e-12), dict(repetition_penalty=1e-38)],
)
def test_nobody_ends_the_engine_with_a_small_number(model, engine, asked):
    answer = engine.submit(TextRequest("ab", max_tokens=8, seed=0, **asked))
    assert answer.wait(20)
    assert answer.finish_reason == "length", answer.error
    assert max(tokens_of(answer)) < model.vocabulary_size
    assert engine.alive()


def test_a_step_that_never_ends_is_noticed(model):
    engine = Engine(model, rows=1, deterministic=True, patience=0.02)
    go_on = threading.Event()
    engine._batch.slots.step = lambda *_: go_on.wait()
    answer = engine.submit(TextRequest("ab"))
    assert answer.wait(20)
    assert not engine.alive()
    assert "A step has not ended" in str(answer.error)
    with pytest.raises(EngineError):
        engine.warm_up()
    go_on.set()
    engine.close()


def test_a_row_that_was_lost_stops_the_engine(model):
    engine = Engine(model, rows=2, deterministic=True)
    free = engine._batch.slots.free
    engine._batch.slots.free = lambda row, keep: None
    lost = engine.submit(TextRequest("ab"))
    next(iter(lost))
    lost.cancel()
    assert lost.wait(20)
    until(lambda: not engine.alive())
    engine._batch.slots.free = free
    engine.close()


@pytest.mark.slow
def test_a_closed_engine_leaves_nobody_waiting(model):
    with Engine(model, rows=1, deterministic=True) as engine:
        answers = [engine.submit(TextRequest("ab")) for _ in range(3)]
    assert all(answer.wait(20) for answer in answers)
    assert answers[-1].finish_reason == "error"
    with pytest.raises(EngineError):
        engine.submit(TextRequest("ab"))


def test_memory_is_what_it_is_said_to_be_or_refused(model):
    with Engine(model, rows=2, prefix_bytes=1000) as engine:
        cells = 2 * 64 + 64  # of the ring, and of the text that is read
        assert engine.memory() == cells * (2 * 16 * 4 + 4) + 1000
    with pytest.raises(ValueError, match="`kv_bytes` must be at least"):
        Engine(model, rows=2, kv_bytes=100)
    with pytest.raises(ValueError, match="`length` must be at most"):
        Engine(model, length=CONTEXT + 1)


@pytest.mark.slow
def test_figures_say_what_was_done(model):
    with Engine(model, rows=2, deterministic=True) as engine:
        engine.warm_up()
        answers = [engine.submit(TextRequest("abc", max_tokens=9)) for _ in range(2)]
        assert all(answer.wait(20) for answer in answers)
        figures = engine.figures()
    assert figures["prompt_tokens"] == 6
    assert figures["generation_tokens"] == 18
    assert figures["finished"]["length"] == 2
    assert figures["time_to_first_token"]["count"] == 2
    assert figures["time_between_tokens"]["count"] == 16
    assert figures["time_of_answer"]["count"] == 2
    assert figures["kv_cache_usage"] == 0
