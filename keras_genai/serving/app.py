"""The routes of a server that speaks OpenAI's protocol."""

import contextlib
import logging
from collections.abc import Iterable
from typing import Any

import fastapi
import pydantic
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response

from keras_genai.serving import abilities, drawing, embedding, metrics, pages, sounds
from keras_genai.serving import openai_schema as schema
from keras_genai.serving.errors import Refusal, failed, invalid, of_schema, unsupported
from keras_genai.serving.guard import Ascii, Guard
from keras_genai.serving.limits import Keys, Limits
from keras_genai.serving.replies import Chat, Completion
from keras_genai.serving.scoring import only_prompts, scores_of
from keras_genai.serving.served import Models
from keras_genai.serving.streaming import ClientGone, Events, unless_gone
from keras_genai.serving.writing import Writer, start_chat, start_completion

LOG = logging.getLogger("keras_genai.serving")


class ErrorDetail(pydantic.BaseModel):
    """What OpenAI's clients read of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(pydantic.BaseModel):
    """The body of every error."""

    error: ErrorDetail


class Health(pydantic.BaseModel):
    """How a server is."""

    status: str
    models: dict[str, str]


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody}
    for status in (400, 401, 403, 404, 408, 413, 429, 500, 503)
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "text/event-stream": {}}}
}
SOUND: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {}, "audio/pcm": {}}}
}
WORDS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "text/plain": {}}}
}


def create_app(
    models: Models,
    keys: Keys | None = None,
    limits: Limits | None = None,
    hosts: Iterable[str] | None = None,
    origins: Iterable[str] = (),
) -> Any:
    """An ASGI application that serves models.

    Args:
        models: `Models`.
        keys: `Keys` or `None`: everybody may ask.
        limits: `Limits`.
        hosts: strs or `None`. See `keras_genai.serving.guard.Guard`.
        origins: strs. Other sites whose pages may ask, such as `https://example.com`;
            by itself none.

    Returns:
        ASGI application.
    """
    limits = limits or Limits()
    answered = metrics.Answered()

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> Any:
        yield
        models.close()

    app = fastapi.FastAPI(
        title="keras_genai",
        docs_url=None,  # they would load scripts from other hosts
        redoc_url=None,
        responses=REFUSALS,
        lifespan=lifespan,
        default_response_class=Ascii,
    )
    _add_errors(app)
    _add_texts(app, models, limits)
    _add_others(app, models, limits)
    _add_state(app, models, answered)
    _name_models(app, models)
    pages.add(app)
    guarded: Any = Guard(app, keys or Keys(), limits, hosts, answered.add)
    if origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    return guarded


def _name_models(app, models):
    """Lets the schema of the server say which models there are, once it is asked."""
    described = app.openapi

    def openapi():
        found = described()
        for path in found["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)  # FastAPI's own, see below
        for each in found["components"]["schemas"].values():
            if "model" in each.get("properties", {}):
                each["properties"]["model"]["enum"] = [served.name for served in models]
        return found

    app.openapi = openapi


def _add_errors(app):
    @app.exception_handler(Refusal)
    async def refused(_: Any, refusal: Any) -> Any:
        return Ascii(refusal.body, refusal.status, refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def not_valid(_: Any, error: Any) -> Any:
        found = of_schema(error.errors())
        return Ascii(found.body, found.status)

    @app.exception_handler(HTTPException)
    async def of_starlette(request: Any, error: Any) -> Any:
        message = f"{error.detail}: {request.method} {request.url.path}"
        found = Refusal(error.status_code, message, code="not_found")
        if error.status_code != 404:
            found.code = None
        return Ascii(found.body, found.status, error.headers)

    @app.exception_handler(ClientGone)
    async def gone(*_: Any) -> Any:
        return Response(status_code=499)  # which nobody reads

    @app.exception_handler(Exception)
    async def broken(*_: Any) -> Any:
        found = failed()
        return Ascii(found.body, found.status)


def _add_texts(app, models, limits):
    @app.post(abilities.PATHS[abilities.CHAT], responses=STREAM)
    async def chat_completions(
        request: fastapi.Request, body: schema.ChatCompletion
    ) -> Any:
        served = models.get(body.model)
        served.need(abilities.CHAT)
        client = request.state.client
        writer = await start_chat(served, body, limits, client)
        reply = Chat(writer, body.includes_usage, bool(body.logprobs))
        return await _reply(request, writer, reply, body.stream, limits)

    @app.post(abilities.PATHS[abilities.COMPLETIONS], responses=STREAM)
    async def completions(request: fastapi.Request, body: schema.Completion) -> Any:
        served = models.get(body.model)
        served.need(abilities.COMPLETIONS)
        has_logprobs = body.logprobs is not None
        scores: Any = ()
        if body.echo and has_logprobs:
            if body.stream:
                raise unsupported("stream", "leave it out with `echo` and `logprobs`")
            work = scores_of(served, body, limits)
            scores = await unless_gone(request.receive, work)
        if body.max_tokens == 0:
            whole = only_prompts(served, body, limits, scores)
            return Ascii(await unless_gone(request.receive, whole))
        client = request.state.client
        writer = await start_completion(served, body, limits, client)
        reply = Completion(
            writer, body.includes_usage, has_logprobs, bool(body.echo), scores
        )
        return await _reply(request, writer, reply, body.stream, limits)


async def _reply(
    request: Any, writer: Writer, reply: Any, stream: Any, limits: Limits
) -> Any:
    """The response of texts that were asked for, whole or in events."""
    if stream:
        return Events(reply.events(), limits.ping, writer.cancel)
    try:
        await unless_gone(request.receive, writer.finish())
    finally:
        writer.cancel()
    return Ascii(reply.whole())


def _add_others(app, models, limits):
    def fitting(name, ability):
        served = models.get(name)
        served.need(ability)
        return served

    @app.post(abilities.PATHS[abilities.EMBEDDINGS])
    async def embeddings(request: fastapi.Request, body: schema.Embedding) -> Any:
        served = fitting(body.model, abilities.EMBEDDINGS)
        work = embedding.embed(served, body, limits)
        return Ascii(await unless_gone(request.receive, work))

    @app.post(abilities.PATHS[abilities.PICTURES])
    async def images(request: fastapi.Request, body: schema.Pictures) -> Any:
        served = fitting(body.model, abilities.PICTURES)
        work = drawing.draw(served, body, limits)
        return Ascii(await unless_gone(request.receive, work))

    @app.post(abilities.PATHS[abilities.SPEECH], responses=SOUND)
    async def speech(request: fastapi.Request, body: schema.Speech) -> Any:
        served = fitting(body.model, abilities.SPEECH)
        work = sounds.speak(served, body, limits)
        content, headers = await unless_gone(request.receive, work)
        return Response(content, headers=headers)

    @app.post(abilities.PATHS[abilities.TRANSCRIPTIONS], responses=WORDS)
    async def transcriptions(
        request: fastapi.Request,
        file: fastapi.UploadFile,
        model: str = fastapi.Form(),
    ) -> Any:
        served = fitting(model, abilities.TRANSCRIPTIONS)
        form = await request.form()
        fields = _form_fields(form)
        content = await file.read()
        if not content:
            raise invalid("`file` must not be empty.", "file")
        work = sounds.transcribe(served, file.filename or "", content, fields, limits)
        text = await unless_gone(request.receive, work)
        if fields.response_format == "text":
            return PlainTextResponse(text)
        return Ascii({"text": text})


def _form_fields(form):
    """The `Transcription` of a form."""
    values = {}
    for key, value in form.multi_items():
        if key == "file":
            continue
        name = key.removesuffix("[]")
        values[name] = value if isinstance(value, str) else repr(value)
    try:
        return schema.Transcription.model_validate(values)
    except pydantic.ValidationError as error:
        raise of_schema(error.errors()) from None


def _add_state(app, models, answered):
    @app.get("/v1/models")
    async def list_models() -> Any:
        return {"object": "list", "data": [each.card() for each in models]}

    @app.get("/v1/models/{name:path}")
    async def show_model(name: str) -> Any:
        return models.known(name).card()

    @app.get("/health", responses={200: {"model": Health}, 503: {"model": Health}})
    async def health() -> Any:
        state = {each.name: "ok" if each.alive() else "dead" for each in models}
        status = "ok" if all(each == "ok" for each in state.values()) else "dead"
        if status == "ok" and not models.ready:
            status = "loading"
        return Ascii(
            {"status": status, "models": state}, 200 if status == "ok" else 503
        )

    @app.get("/metrics", response_class=PlainTextResponse)
    async def show_metrics() -> Any:
        text = metrics.exposition(models.figures(), answered)
        return Response(text, media_type=metrics.CONTENT_TYPE)
