"""What cannot be honoured is refused, each time with the name of what it is about."""

import json

import pytest
import toy_server as toy

from keras_genai.serving.served import Served

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


@pytest.fixture(scope="module")
def client():
    return toy.client_of(toy.served(), n=4, messages=3, prompts=3, max_tokens=64)


def refused(response, status=400):
    """The error of a refusal, whose form is OpenAI's."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert [*response.json()] == ["error"]
    error = response.json()["error"]
    assert [*error] == ["message", "type", "param", "code"]
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (dict(tools=TOOLS), "tools"),
        (dict(tool_choice="auto"), "tool_choice"),
        (dict(functions=[{"name": "f"}]), "functions"),
        (dict(response_format={"type": "json_schema"}), "response_format.type"),
        (dict(response_format={"type": "json_object"}), "response_format.type"),
        (dict(audio={"voice": "alloy"}), "audio"),
        (dict(modalities=["audio"]), "modalities[0]"),
        (dict(prediction={"type": "content"}), "prediction"),
        (dict(reasoning_effort="high"), "reasoning_effort"),
        (dict(store=True), "store"),
        (dict(invented=1), "invented"),
        (dict(temperature=2.5), "temperature"),
        (dict(temperature="hot"), "temperature"),
        (dict(top_p=0), "top_p"),
        (dict(n=0), "n"),
        (dict(n=5), "n"),
        (dict(max_tokens=0), "max_tokens"),
        (dict(max_tokens=65), "max_tokens"),
        (dict(max_completion_tokens=3), "max_tokens"),
        (dict(seed=2**63), "seed"),
        (dict(seed=1.5), "seed"),
        (dict(stop=["a", "b", "c", "d", "e"]), "stop"),
        (dict(stop=""), "stop"),
        (dict(logit_bias={"a": 1}), "logit_bias"),
        (dict(logit_bias={"5": 101}), "logit_bias"),
        (dict(top_logprobs=2), "top_logprobs"),
        (dict(logprobs=True, top_logprobs=21), "top_logprobs"),
        (dict(stream_options={"include_usage": True}), "stream_options"),
        (dict(messages=[]), "messages"),
        (dict(messages=[dict(role="user", content="x")] * 4), "messages"),
        (dict(messages=[dict(role="tool", content="x")]), "messages[0].role"),
        (dict(messages=[dict(role="user", content=" ")]), "messages"),
        (dict(messages=[dict(role="user")]), "messages[0].content"),
        (
            dict(messages=[dict(role="user", content=IMAGE)]),
            "messages[0].content[0].type",
        ),
        (
            dict(messages=[dict(role="assistant", content="", tool_calls=TOOLS)]),
            "messages[0].tool_calls",
        ),
    ],
)
def test_a_chat_that_cannot_be_honoured_is_refused(client, asked, param):
    body = {**toy.chat(), **asked}
    error = refused(client.post(CHAT, body))
    assert error["type"] == "invalid_request_error"
    place = error["param"].split(".")[0].split("[")[0]
    assert place == param.split(".")[0].split("[")[0]
    assert error["param"].startswith(param) or param.startswith(error["param"])


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (dict(suffix="end"), "suffix"),
        (dict(best_of=3), "best_of"),
        (dict(logprobs=21), "logprobs"),
        (dict(logprobs=True), "logprobs"),
        (dict(prompt=[]), "prompt"),
        (dict(prompt=None), "prompt"),
        (dict(prompt=["a", "b", "c", "d"]), "prompt"),
        (dict(prompt=[-1]), "prompt"),
        (dict(max_tokens=-1), "max_tokens"),
        (dict(messages=[]), "messages"),
        (dict(echo=True, logprobs=1, stream=True), "stream"),
    ],
)
def test_a_completion_that_cannot_be_honoured_is_refused(client, asked, param):
    body = {"model": "toy", "prompt": "ab", **asked}
    error = refused(client.post(COMPLETIONS, body))
    assert error["param"].split("[")[0] == param


def test_what_is_too_long_is_never_cut(client):
    error = refused(client.post(CHAT, toy.chat("x" * 500)))
    assert error["code"] == "context_length_exceeded"
    assert "128" in error["message"]
    assert error["param"] == "messages"
    body = dict(model="toy", prompt="x" * 100, max_tokens=60)
    error = refused(client.post(COMPLETIONS, body))
    assert "160" in error["message"]
    body = dict(model="toy", prompt="x" * 129, max_tokens=0)
    assert refused(client.post(COMPLETIONS, body))["param"] == "prompt"


def test_more_texts_than_an_engine_ever_takes_are_not_too_many_requests():
    client = toy.client_of(toy.served(), n=100)
    assert refused(client.post(CHAT, toy.chat(n=21)))["param"] == "n"


def test_a_model_that_is_not_served_is_not_found(client):
    error = refused(client.post(CHAT, toy.chat(model="gpt-4")), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "toy" in error["message"]
    assert refused(client.get("/v1/models/gpt-4"), 404)["code"] == "model_not_found"


def test_a_model_says_where_it_is_asked(client):
    body = dict(model="toy", input="x")
    error = refused(client.post("/v1/embeddings", body))
    assert error["param"] == "model"
    assert CHAT in error["message"]


def test_no_route_and_no_method_are_errors_of_the_same_form(client):
    refused(client.get("/v1/nothing"), 404)
    refused(client.get(CHAT), 405)
    refused(client.post("/health"), 405)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_request_is_refused(client, content):
    headers = {"content-type": "application/json"}
    refused(client.post(CHAT, content=content, headers=headers))


def test_a_page_of_another_site_cannot_send_a_form(client):
    content = json.dumps(toy.chat()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        refused(client.post(CHAT, content=content, headers={"content-type": kind}))


def test_half_a_character_is_refused_and_can_be_told(client):
    content = json.dumps(toy.chat()).replace("hi", "\\ud800").encode()
    headers = {"content-type": "application/json"}
    error = refused(client.post(CHAT, content=content, headers=headers))
    assert error["param"].startswith("messages")
    body = json.dumps({**toy.chat(), "x": 1}).replace('"x"', '"\\ud800"').encode()
    refused(client.post(CHAT, content=body, headers=headers))


def test_numbers_that_json_has_not_are_refused(client):
    content = json.dumps(toy.chat(temperature=float("nan"))).encode()
    headers = {"content-type": "application/json"}
    response = client.post(CHAT, content=content, headers=headers)
    assert refused(response)["param"] == "temperature"


def test_who_comes_when_it_is_full_is_told_when_to_come_again():
    response = toy.client_of(toy.served(busy=True)).post(CHAT, toy.chat())
    error = refused(response, 429)
    assert error["code"] == "rate_limit_exceeded"
    assert response.headers["retry-after"] == "7"


def test_who_says_no_length_is_told_so_too():
    served = toy.served()
    submit, asked = served.engine.submit, []

    def full(request):
        asked.append(request)
        if len(asked) > 1:
            raise toy.BusyError(16, 7.0)
        return submit(request)  # there is no room for as many as the server allows

    served.engine.submit = full
    body = {**toy.chat("x" * 90), "max_tokens": None}
    refused(toy.client_of(served, max_tokens=100).post(CHAT, body), 429)
    assert asked[0].max_tokens == 100


def test_choices_that_were_taken_are_given_back_when_it_is_full():
    served = toy.served(pace=0.01)
    submit, taken = served.engine.submit, []

    def twice(request):
        if len(taken) == 2:
            raise toy.BusyError(1, 1.0)
        taken.append(submit(request))
        return taken[-1]

    served.engine.submit = twice
    refused(toy.client_of(served).post(CHAT, toy.chat(n=3, max_tokens=60)), 429)
    assert all(answer.cancelled for answer in taken)


def test_a_dead_engine_is_told_everywhere():
    served = toy.served()
    client = toy.client_of(served)
    served.engine.is_alive = False
    response = client.post(CHAT, toy.chat())
    assert refused(response, 503)["type"] == "server_error"
    assert "retry-after" in response.headers
    assert client.get("/health").status_code == 503
    assert client.get("/health").json()["models"] == {"toy": "dead"}
    assert 'engine_alive{model_name="toy"} 0.0' in client.get("/metrics").text


def test_an_answer_that_breaks_is_an_error_and_not_half_a_text():
    client = toy.client_of(toy.served(breaks=2))
    refused(client.post(CHAT, toy.chat()), 503)


def test_a_request_whose_time_is_over_before_its_turn_is_told_so():
    served = toy.served()
    submit = served.engine.submit

    def late(request):
        answer = submit(toy.TextRequest(request.prompt, max_tokens=1, seed=0))
        answer.wait()
        answer.finish_reason, answer.completion_tokens = "deadline", 0
        return answer

    served.engine.submit = late
    refused(toy.client_of(served).post(CHAT, toy.chat()), 408)


def test_requests_wait_outside_until_the_models_are_warm():
    client = toy.client_of(toy.served(), ready=False)
    assert client.get("/health").status_code == 503
    assert client.get("/health").json()["status"] == "loading"
    response = client.post(CHAT, toy.chat())
    refused(response, 503)
    assert response.headers["retry-after"]
    assert client.get("/v1/models").status_code == 200


def test_a_fault_of_ours_tells_nothing_of_this_machine(caplog):
    served = toy.served()

    def broken(request):
        raise RuntimeError("/secret/path")

    served.engine.submit = broken
    error = refused(toy.client_of(served).post(CHAT, toy.chat()), 500)
    assert error["type"] == "server_error"
    assert "secret" not in error["message"]


def test_a_template_that_refuses_a_conversation_is_told():
    served = toy.served()

    def text(turns):
        raise ValueError("the chat template fails: roles must alternate")

    turns = toy.types.SimpleNamespace(
        text=text, stops=lambda tokenizer: (1,), check=lambda tokenizer: None
    )
    served.model.turns = turns
    error = refused(toy.client_of(served).post(CHAT, toy.chat()))
    assert "alternate" in error["message"]


def test_a_model_for_nothing_is_refused_before_it_is_served():
    model = toy.Writer()
    model.given = (*model.given, toy.types.SimpleNamespace(key="images"))
    with pytest.raises(ValueError, match="given tokens, images"):
        Served("toy", model)
