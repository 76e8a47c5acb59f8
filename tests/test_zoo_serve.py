"""The verb `serve`: models with their names and limits, and who may ask them."""

import socket

import pytest
import toy_server as toy

from keras_genai.serving import engine, limits, server
from zoo import __main__ as command
from zoo import _serve


class Engine(toy.Engine):
    """Remembers what it was made with."""

    def __init__(self, model, **options):
        super().__init__(model, length=options["length"] or toy.LENGTH)
        self.options = options

    def memory(self):
        return 2_000_000


@pytest.fixture
def served(monkeypatch):
    """What `server.serve` is called with, which serves nothing."""
    found = {}

    def serve(models, host, port, keys, limits, origins, insecure, say):
        found.update(models=models, host=host, port=port, keys=keys, limits=limits)
        found.update(origins=origins)

    def opened(place, name, verb, weights):
        model = toy.Writer()
        model.context = 64
        model.place, model.kept = place, weights
        return model

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr(engine, "Engine", Engine)
    monkeypatch.setattr(_serve, "open_model", opened)
    monkeypatch.setattr(_serve, "locate", lambda name: f"at {name}")
    monkeypatch.delenv(limits.VARIABLE, raising=False)
    return found


def run(*words):
    options = command.parse(["serve", *words])
    options.run(options)


@pytest.mark.parametrize("kind", ["int8", "int4", "bfloat16"])
def test_weights_are_kept_in_as_few_bits_as_asked_for(served, kind):
    run("gpt_chat", f"--{kind}")
    (found,) = served["models"]
    assert found.model.kept == kind


def test_models_are_served_by_their_names(served, capsys):
    run("gpt_chat", "runs/mine/preset/", "owner/name")
    models = {each.name: each for each in served["models"]}
    assert [*models] == ["gpt_chat", "preset", "name"]
    assert models["preset"].model.place == "at runs/mine/preset/"
    assert (served["host"], served["port"]) == ("127.0.0.1", 8000)
    assert not served["models"].ready
    assert served["limits"] == limits.Limits()
    assert models["name"].engine.options["rows"] == 8
    assert models["name"].model.kept is None
    line = "zoo: gpt_chat: /v1/chat/completions /v1/completions; 4 texts at once of at "
    assert line in capsys.readouterr().err


def test_limits_and_memory_reach_what_keeps_them(served):
    run(
        *("gpt_chat", "--rows", "2", "--context", "1000", "--queue", "5"),
        *("--kv-bytes", "7", "--prefix-bytes", "8", "--deterministic"),
        *("--max-tokens", "9", "--max-n", "3", "--max-body", "5000"),
        *("--request-seconds", "2.5", "--allow-origin", "https://a.example"),
        *("--api-key", "a-long-key", "--host", "0.0.0.0", "--port", "0"),
    )
    (only,) = served["models"]
    assert only.engine.options == dict(
        rows=2,
        length=64,  # what the model can, at most
        queue=5,
        kv_bytes=7,
        deterministic=True,
        prefix_bytes=8,
    )
    asked = limits.Limits(body=5_000, max_tokens=9, n=3, seconds=2.5)
    assert served["limits"] == asked
    assert served["keys"] == ["a-long-key"]
    assert served["origins"] == ["https://a.example"]


def test_a_server_for_everybody_is_refused_before_a_model_is_opened(
    served, monkeypatch
):
    monkeypatch.setattr(_serve, "open_model", None)
    with pytest.raises(ValueError, match="without `--api-key`"):
        run("gpt_chat", "--host", "0.0.0.0")


def test_a_port_that_is_taken_is_refused_before_a_model_is_opened(served, monkeypatch):
    monkeypatch.setattr(_serve, "open_model", None)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="`--port` must be one that is free"),
    ):
        run("gpt_chat", "--port", str(taken.getsockname()[1]))


@pytest.mark.parametrize("fails", [False, True])
def test_nobody_need_read_what_a_server_says(fails):
    served = toy.served()
    served.engine.fails_to_warm_up = fails
    models = toy.Models([served], ready=False)

    def closed(line):
        raise BrokenPipeError

    server.warm_up(models, closed)
    assert models.ready != fails
    assert served.alive() != fails


def test_two_models_of_one_name_are_refused(served):
    with pytest.raises(ValueError, match=r"different ones\. Received: a twice"):
        run("a", "runs/a")
