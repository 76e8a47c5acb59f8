"""An engine answers many people at once, each as if it were alone."""

import asyncio

import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.serving import (
    BusyError,
    Engine,
    EngineError,
    TextRequest,
    TooLongError,
)
from keras_genai.tasks.language import CausalLM

CONTEXT = 48


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    network = GPT(context=CONTEXT, depth=1, width=16, num_heads=2)
    model = CausalLM(network, target=Text(tokenizers.byte_level()))
    for weight in model.trainable_variables:  # so that it has opinions
        weight.assign(weight * 8)
    return model


@pytest.fixture(scope="module")
def engine(model):
    with Engine(model, rows=4) as engine:
        yield engine


def alone(model, request):
    """What `generate` writes for a request."""
    prompt, (starts, _) = request.prompt, model.begin([request.prompt])
    begin = len(starts[0])
    return model.generate(
        prompt,
        max_length=begin + request.max_tokens,
        sampler=request.sampler(begin),
        seed=request.seed,
        stop=request.stop,
        strip_prompt=True,
    )


def test_an_answer_is_what_generate_writes(model, engine):
    requests = [
        TextRequest("ab", max_tokens=12, temperature=0, seed=1),
        TextRequest("hello", max_tokens=20, seed=3, top_p=0.9, frequency_penalty=0.5),
        TextRequest("x", max_tokens=9, seed=4, logit_bias={97: 99.0}, stop=("a",)),
    ]
    answers = [engine.submit(request) for request in requests]
    for request, answer in zip(requests, answers, strict=True):
        assert "".join(piece.text for piece in answer) == alone(model, request)
        assert answer.finish_reason == ("stop" if request.stop else "length")


def test_logprobs_are_those_of_the_model_itself(model, engine):
    request = TextRequest([5, 6, 7], max_tokens=6, seed=1, temperature=3.0, logprobs=2)
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


def test_an_answer_can_be_awaited(engine):
    async def read():
        answer = engine.submit(TextRequest("ab", max_tokens=12, seed=0))
        return [piece async for piece in answer], answer

    pieces, answer = asyncio.run(read())
    assert answer.done
    assert tuple(pieces) == answer.pieces
    assert sum(len(piece.tokens) for piece in pieces) == 12


def test_what_cannot_be_honoured_is_refused(engine):
    with pytest.raises(TooLongError, match="at most 48 tokens together"):
        engine.submit(TextRequest("ab", max_tokens=47))
    with pytest.raises(ValueError, match="`biases` must be about tokens below"):
        engine.submit(TextRequest("ab", max_tokens=4, logit_bias={10**6: 1.0}))


def test_too_many_are_told_when_to_come_back(model):
    with Engine(model, rows=1, queue=1) as engine:
        request = TextRequest("ab", max_tokens=40)
        answers = [engine.submit(request)]
        with pytest.raises(BusyError) as caught:  # noqa: PT012 - one of them is
            for _ in range(50):
                answers.append(engine.submit(request))
        assert caught.value.retry_after >= 1
    with pytest.raises(EngineError):
        engine.submit(TextRequest("ab", max_tokens=40))
    assert {answer.finish_reason for answer in answers} <= {"length", "error"}
