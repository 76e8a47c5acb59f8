"""Who may ask a server, from where, and how much at once."""

import asyncio

import pytest
import toy_server as toy

from keras_genai.serving import guard, limits

CHAT = "/v1/chat/completions"
KEYS = ("first-key-1", "second-key-2")


@pytest.fixture(scope="module")
def client():
    return toy.client_of(toy.served(), keys=KEYS)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", KEYS)
def test_who_has_a_key_may_ask(client, key):
    assert client.post(CHAT, toy.chat(), headers=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("first-key-2"),
        bearer("first-key-1x"),
        bearer(""),
        {"authorization": "first-key-1"},
        {"authorization": "Basic first-key-1"},
        {"authorization": b"Bearer \xff\xfe"},
    ],
)
def test_who_has_none_may_not(client, headers):
    for path in ("/v1/models", "/v1/nothing", "/metrics"):
        response = client.get(path, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"
        assert "first" not in response.text


def test_health_and_the_page_need_no_key(client):
    for path in ("/health", "/", "/page.js", "/page.css"):
        assert client.get(path).status_code == 200


def test_clients_take_turns_by_their_keys():
    served = toy.served()
    client = toy.client_of(served, keys=KEYS)
    for key in KEYS:
        client.post(CHAT, toy.chat(), headers=bearer(key))
    names = [request.client for request in served.engine.requests]
    assert len({*names}) == 2
    assert not any(key in name for key in KEYS for name in names)


def test_keys_are_long_enough_and_fit_into_a_header():
    for key in ("short", "with blank 12", "ümlaut-key-1"):
        with pytest.raises(ValueError, match="`api_key` must be at least 8 ASCII"):
            limits.Keys([key])


def test_keys_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "second-key-2, third-key-3,")
    assert limits.keys_of(["first-key-1"]) == [*KEYS, "third-key-3"]


def test_a_server_for_everybody_must_be_meant():
    none = limits.Keys()
    for host in ("127.0.0.1", "localhost", "::1"):
        limits.check_host(host, none)
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.com"):
        with pytest.raises(ValueError, match="without `--api-key`"):
            limits.check_host(host, none)
        limits.check_host(host, none, insecure=True)
        limits.check_host(host, limits.Keys(KEYS))


def test_a_body_may_be_so_large():
    client = toy.client_of(body=1_000)
    assert client.post(CHAT, toy.chat()).status_code == 200
    response = client.post(CHAT, toy.chat("x" * 1_000))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize("said", ["9" * 5_000, "\xb2", "-1", "1_0", "x"])
def test_a_size_that_is_none_is_refused(said):
    response = toy.client_of().post(CHAT, headers={"content-length": said.encode("l1")})
    assert response.status_code == 413


def call(app, messages, headers=()):
    """The status and body of an application that receives messages."""
    sent, left = [], list(messages)

    async def receive():
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "query_string": b""}
    scope |= {"headers": list(headers), "client": ("1.2.3.4", 5)}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1].get("body", b"")


def test_a_body_that_hides_its_size_is_counted():
    part = {"type": "http.request", "body": b"x" * 600, "more_body": True}
    assert call(toy.app_of(body=1_000), [part, part])[0] == 413


def test_a_body_that_never_ends_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.02)
    part = {"type": "http.request", "body": b"{", "more_body": True}
    status, body = call(toy.app_of(), [part])
    assert status == 408
    assert b"request_timeout" in body


def test_a_name_that_is_not_this_machines_is_refused():
    client = toy.client_of(hosts=("localhost", "127.0.0.1", "::1"))
    for host in (
        "localhost",
        "localhost:8000",
        "127.0.0.1:80",
        "[::1]:80",
        "LOCALHOST",
    ):
        assert client.get("/health", headers={"host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io"):
        response = client.get("/health", headers={"host": host})
        assert response.status_code == 403


def test_pages_of_other_sites_may_not_read_answers_unless_they_are_named():
    headers = {"origin": "https://a.example"}
    response = toy.client_of().get("/v1/models", headers=headers)
    assert not any(name.startswith("access-control") for name in response.headers)
    client = toy.client_of(keys=KEYS, origins=("https://a.example",))
    asked = {**headers, "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "authorization"
    response = client.request("OPTIONS", CHAT, headers=asked)
    assert response.headers["access-control-allow-origin"] == "https://a.example"
    other = client.get("/health", headers={"origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers


def test_every_answer_forbids_what_the_page_does_not_need():
    client = toy.client_of()
    for path in ("/", "/v1/models", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_the_schema_names_the_models_and_every_error():
    found = toy.client_of(toy.served("one"), toy.served("two")).get("/openapi.json")
    schemas = found.json()["components"]["schemas"]
    assert schemas["ChatCompletion"]["properties"]["model"]["enum"] == ["one", "two"]
    operation = found.json()["paths"][CHAT]["post"]
    assert {"400", "401", "404", "413", "429", "503"} <= {*operation["responses"]}
    assert "422" not in operation["responses"]


def test_metrics_are_what_prometheus_reads():
    client = toy.client_of()
    client.get("/nothing/of/a/client")
    client.post(CHAT, toy.chat())
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    label = '{model_name="toy"'
    assert f"keras_genai_num_requests_running{label}}} 0" in lines
    assert (
        f'keras_genai_request_success_total{label},finished_reason="stop"}} 1' in lines
    )
    name = "keras_genai_time_to_first_token_seconds"
    buckets = [line for line in lines if line.startswith(f"{name}_bucket")]
    assert [line.rpartition(" ")[2] for line in buckets] == ["1", "2", "2"]
    assert 'le="+Inf"' in buckets[-1]
    assert f"{name}_count{label}}} 2" in lines
    paths = [line for line in lines if line.startswith("keras_genai_http_requests_tot")]
    assert f'keras_genai_http_requests_total{{path="{CHAT}",status="200"}} 1' in paths
    assert not any("client" in line for line in paths)
    helped = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert len(helped) == len({*helped})
