"""A server without a model: what is asked of one is written down by rule."""

import contextlib
import threading
import time
import types

import httpx

from keras_genai.data import tokenizers
from keras_genai.data.turns import CHATML, PLAIN
from keras_genai.modalities.text import Text
from keras_genai.serving.app import create_app
from keras_genai.serving.completion import Completion
from keras_genai.serving.limits import Keys, Limits
from keras_genai.serving.requests import (
    BusyError,
    EngineError,
    Piece,
    TextRequest,
    TokenLogprob,
    TooLongError,
)
from keras_genai.serving.served import Models, Served

TOKENIZER = tokenizers.byte_level()
CHATTING = TOKENIZER.with_tokens(CHATML.tokens)
LENGTH = 128
HTTP = httpx.Client(verify=False)  # to read certificates takes a while


class Writer:
    """In the place of a model that writes texts, a byte a token."""

    name = "writer"

    def __init__(self, tokenizer=TOKENIZER, turns=PLAIN):
        self.tokenizer = tokenizer
        self.turns = turns
        self.makes = self.target = Text(tokenizer, generated=True)
        self.given = (Text(tokenizer),)

    def stops(self, stop=()):
        tokens = {each for each in stop if isinstance(each, int)}
        return tokens, tuple(each for each in stop if isinstance(each, str))

    def begin(self, prompt):
        return [tokens_of(self.tokenizer, prompt)], ()


def tokens_of(tokenizer, prompt):
    return list(tokenizer.encode(prompt)) if isinstance(prompt, str) else prompt[0]


class Engine:
    """Writes letters that the seed decides.

    Args:
        pace: float, seconds between two of them.
        busy: bool. Whether it takes nothing.
        breaks: int or `None`, tokens after which it fails.
    """

    def __init__(self, model, pace=0.0, busy=False, breaks=None, length=LENGTH):
        self.model, self.pace, self.busy, self.breaks = model, pace, busy, breaks
        self.rows, self.queue, self.length = 4, 16, length
        self.requests, self.answers = [], []
        self.is_alive = True
        self.fails_to_warm_up = False

    def submit(self, request: TextRequest):
        if self.busy:
            raise BusyError(16, 7.0)
        if not self.is_alive:
            raise EngineError("The engine does not run any more")
        prompt = request.prompt
        prompt = prompt if isinstance(prompt, str) else [prompt]
        count = len(tokens_of(self.model.tokenizer, prompt))
        room = self.length - count
        most = room if request.max_tokens is None else request.max_tokens
        if room < 1 or most > room:
            raise TooLongError(count, max(most, 1), self.length)
        answer = Completion(request, request.seed, count)
        self.requests.append(request)
        self.answers.append(answer)
        work = threading.Thread(target=self._write, args=(answer, most), daemon=True)
        work.start()
        return answer

    def _write(self, answer, most):
        request = answer.request
        for place in range(most):
            if answer.cancelled:
                return answer.finish("cancelled", place)
            if place == self.breaks or not self.is_alive:
                return answer.finish("error", place, EngineError("broken"))
            letter = letter_of(request.seed, place)
            tokens = tuple(map(int, self.model.tokenizer.encode(letter)))
            said = ()
            if request.logprobs is not None:
                others = ((tokens[0], -0.5),) * request.logprobs
                said = tuple(TokenLogprob(token, -0.5, others) for token in tokens)
            answer.completion_tokens = place + 1
            answer.add(Piece(letter, tokens, said))
            time.sleep(self.pace)
        return answer.finish("length", most)

    def warm_up(self):
        if self.fails_to_warm_up:
            raise EngineError("no memory")

    def alive(self):
        return self.is_alive

    def close(self):
        self.is_alive = False

    def figures(self):
        seconds = {"bounds": (0.1, 1.0), "counts": (1, 1, 0), "sum": 0.6, "count": 2}
        return {
            "running": sum(not answer.done for answer in self.answers),
            "waiting": 0,
            "kv_cache_usage": 0.25,
            "prompt_tokens": 3,
            "reused_tokens": 0,
            "generation_tokens": 5,
            "refused": 1,
            "finished": {"stop": 1, "length": 2},
            "time_to_first_token": seconds,
        }


def letter_of(seed, place):
    """str: what stands at a place of a text; the first ones are never blanks."""
    return "abcdefghijklmnopqrstuvwxyz"[(seed * 7 + place * 3) % 26]


def text_of(seed, count):
    """str: a text of so many tokens."""
    return "".join(letter_of(seed, place) for place in range(count))


def served(name="toy", turns=CHATML, **options):
    """A `Served` that writes letters."""
    model = Writer(CHATTING if turns is CHATML else TOKENIZER, turns)
    return Served(name, model, Engine(model, **options))


def app_of(*models, keys=(), ready=True, hosts=None, origins=(), **limits):
    """The ASGI application of models."""
    models = Models(models or (served(),), ready)
    return create_app(models, Keys(keys), Limits(**limits), hosts, origins)


def client_of(*models, **options):
    """A client of httpx that calls the application without a socket."""
    app = app_of(*models, **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return Synchronous(transport)


class Synchronous:
    """Calls an application from a test that is no coroutine."""

    def __init__(self, transport):
        self.transport = transport

    def request(self, method, path, **options):
        import asyncio

        async def work():
            async with httpx.AsyncClient(
                transport=self.transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(work())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        if body is not None:
            options["json"] = body
        return self.request("POST", path, **options)


@contextlib.contextmanager
def running(app):
    """The address of a server in a thread, with sockets, which clients can close."""
    import uvicorn

    config = uvicorn.Config(
        app, port=0, log_level="error", lifespan="on", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield types.SimpleNamespace(url=f"http://127.0.0.1:{port}", port=port)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server does not end"


def wait_for(condition, seconds=5.0):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def chat(text="hi", **more):
    """The body of a request in a conversation."""
    messages = [{"role": "user", "content": text}]
    return {"model": "toy", "messages": messages, "max_tokens": 5, "seed": 3, **more}
