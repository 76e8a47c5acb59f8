"""What clients are told when something is refused: OpenAI's bodies of errors."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

SHOWN = 200  # characters of what came, in a message
_ARGUMENT = re.compile(r"^`(\w+)(?:\[[^`]*)?`")
# What arguments of this library are called in a request.
PARAMS = {
    "speakers": "voice",
    "count": "n",
    "sounds": "file",
    "negative": "negative_prompt",
}
SAID = ("prompt", "prompts", "labels", "text", "texts", "tokens", "inputs", "turns")


class Refusal(Exception):  # noqa: N818 - not all of them are somebody's errors
    """A request that is not done, and why.

    Args:
        status: int. Of HTTP.
        message: str, for a person.
        param: str or `None`. Which part of the request it is about.
        code: str or `None`, for a program.
        kind: str. OpenAI's `type`.
        headers: dict of str.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ):
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """dict: what is sent."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """A `Refusal` of something that would be wrong each time: nobody should retry."""
    return Refusal(400, message, param, code)


def unsupported(param: str, why: str, code: str = "unsupported_parameter") -> Refusal:
    """A `Refusal` of what this server or this model does not do.

    Args:
        param: str.
        why: str. What is allowed.
        code: str, for a program.
    """
    return invalid(f"`{param}` is not supported here: {why}", param, code)


def too_long(tokens: int, context: int, param: str) -> Refusal:
    """A `Refusal` of a request that a model's context has no room for.

    Args:
        tokens: int. How many were asked for, of the prompt and of the answer.
        context: int. How many there can be.
        param: str.
    """
    return invalid(
        f"This model's context has {context:,} tokens. However, {tokens:,} were asked "
        "for, in the prompt and for the answer together. Nothing is cut off: send "
        "less, or ask for less.",
        param,
        "context_length_exceeded",
    )


def not_found(name: str, known: Iterable[str]) -> Refusal:
    """A `Refusal` of a model that is not served."""
    return Refusal(
        404,
        f"The model {name[:SHOWN]!r} is not served here. There is: {', '.join(known)}",
        "model",
        "model_not_found",
    )


def busy(retry_after: float) -> Refusal:
    """A `Refusal` because too many wait: clients come again by themselves.

    Args:
        retry_after: float, seconds.
    """
    seconds = max(1, round(retry_after))
    return Refusal(
        429,
        f"Too many requests wait already. Try again in {seconds} s.",
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"Retry-After": str(seconds)},
    )


def unavailable(message: str) -> Refusal:
    """A `Refusal` while a model is loading, or when it is gone."""
    return Refusal(
        503,
        message,
        code="service_unavailable",
        kind="server_error",
        headers={"Retry-After": "5"},
    )


def failed() -> Refusal:
    """A `Refusal` after an error of the server, of which clients learn no details."""
    return Refusal(
        500,
        "The server failed at this request; its log says where.",
        code="internal_error",
        kind="server_error",
    )


def of_library(error: Exception, said: str = "prompt") -> Refusal:
    """A `Refusal` for what this library says of its arguments.

    Args:
        error: `ValueError` or `TypeError`, whose message begins with an argument.
        said: str. What the request calls what a person said.
    """
    message = " ".join(str(error).split())
    found = _ARGUMENT.match(message)
    if found is None:
        return invalid(message[:1000], said)
    name = found.group(1)
    param = said if name in SAID else PARAMS.get(name, name)
    return invalid(f"`{param}`{message[len(name) + 2 :]}"[:1000], param)


def of_schema(errors: Sequence[Any]) -> Refusal:
    """A `Refusal` for what pydantic says of a body.

    Args:
        errors: what `ValidationError.errors()` returns, or FastAPI's.
    """
    first = errors[0]
    top = first["loc"][:2]
    # Of the branches of a union, the one that got furthest says most.
    near = [error for error in errors if error["loc"][:2] == top]
    error = max(near, key=lambda each: len(each["loc"]))
    if error["type"] == "json_invalid":
        return invalid(f"The body must be JSON. Received: {_reason(error)}")
    param = place(error["loc"])
    if param is None:
        return invalid(f"The body: {error['msg']}")
    if error["type"] == "none_required":
        return unsupported(param, "leave it out")
    if error["type"] == "literal_error":
        why = f"{error['msg']}. Received: {_shown(error)}"
        return unsupported(param, why, "unsupported_value")
    code = "unknown_parameter" if error["type"] == "extra_forbidden" else None
    came = "" if error["type"] == "missing" else f". Received: {_shown(error)}"
    return invalid(f"`{param}`: {error['msg']}{came}", param, code)


def place(loc: Sequence[str | int]) -> str | None:
    """How a place in a body is written: `messages[0].content`, or `None` of all of it.

    Args:
        loc: sequence, as pydantic has it: names, numbers, and branches of unions.
    """
    parts = [part for part in loc if part not in ("body", "query", "path")]
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[a-z_][a-z_0-9]*", part) and part not in _BRANCHES:
            text += f".{part}" if text else part
        elif not text:
            text = part  # a name that a client made up
    return text or None


_BRANCHES = {"str", "int", "float", "bool", "none", "list", "dict", "constrained"}


def _reason(error):
    return error.get("ctx", {}).get("error", error["msg"])


def _shown(error):
    text = repr(error.get("input"))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
