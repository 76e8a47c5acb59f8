"""What stands before all routes: keys, sizes of bodies, hosts, numbers of requests."""

import asyncio
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse

from keras_genai.serving.errors import Refusal
from keras_genai.serving.limits import Keys, Limits

GUARDED = ("/v1/", "/metrics")
_SIZE = re.compile("[0-9]{1,20}")
BODY_SECONDS = 60.0  # within which a body has to arrive
# Of every answer; the page is scripts and styles of this server, and nothing else.
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Ascii(JSONResponse):
    """JSON in ASCII, which holds any text, half a surrogate too."""

    def render(self, content: Any) -> bytes:
        """bytes of a body."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


class Guard:
    """An ASGI application before another one.

    A body is read as a whole before the other application sees any of it.

    Args:
        app: the other one.
        keys: `Keys`.
        limits: `Limits`.
        hosts: strs or `None`. What the header `Host` may name, without ports; by
            itself anything. Names of other hosts come from pages that have the
            browser of a user call this machine.
        count: function of a str and an int, called with the path of each request, as
            its route has it, and the status of its answer.
    """

    def __init__(
        self,
        app: Any,
        keys: Keys,
        limits: Limits,
        hosts: Iterable[str] | None = None,
        count: Any = None,
    ):
        self.app = app
        self.keys = keys
        self.limits = limits
        self.hosts = None if hosts is None else frozenset(hosts)
        self.count = count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        number = f"req_{secrets.token_hex(12)}"
        send = self._counting(scope, send, {**HEADERS, "x-request-id": number})
        try:
            headers = _headers(scope)
            self._check_host(headers)
            scope.setdefault("state", {})["client"] = self._client(scope, headers)
            receive = await self._body(headers, receive)
        except Refusal as refusal:
            headers = {**refusal.headers, "connection": "close"}
            response = Ascii(refusal.body, refusal.status, headers)
            return await response(scope, receive, send)
        await self.app(scope, receive, send)

    def _counting(self, scope, send, headers):
        """A `send` that adds headers, and counts."""
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]

        async def sent(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *extra]}
                if self.count is not None:
                    path = getattr(scope.get("route"), "path", "other")
                    self.count(path, message["status"])
            await send(message)

        return sent

    def _check_host(self, headers):
        if self.hosts is None:
            return
        host = headers.get("host", "")
        name = host.partition("]")[0].lstrip("[")
        name = name if host.startswith("[") else host.partition(":")[0]
        if name.lower() not in self.hosts:
            raise Refusal(
                403,
                f"`Host` must be one of {', '.join(sorted(self.hosts))}. "
                f"Received: {host[:100]!r}",
                code="host_not_allowed",
            )

    def _client(self, scope, headers):
        """str: who asks, by a key or else an address: they take turns."""
        is_preflight = scope["method"] == "OPTIONS"
        if scope["path"].startswith(GUARDED) and not is_preflight:
            name = self.keys.check(headers.get("authorization"))
            if name:
                return name
        return (scope.get("client") or ("",))[0]

    async def _body(self, headers, receive):
        """A `receive` that has all of the body already."""
        most = self.limits.body
        said = headers.get("content-length", "0")
        if not _SIZE.fullmatch(said) or int(said) > most:
            raise _too_large(most)
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        break
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    more = message.get("more_body", False)
                    if size > most:
                        raise _too_large(most)
        except TimeoutError:
            raise Refusal(
                408,
                f"The body must arrive within {BODY_SECONDS:g} s.",
                code="request_timeout",
            ) from None
        whole = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def again():
            return whole.pop() if whole else await receive()

        return again


def _headers(scope):
    """dict of str: the headers, names in small letters."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope["headers"]
    }


def _too_large(most):
    return Refusal(
        413,
        f"The body must be at most {most:,} bytes.",
        code="request_too_large",
    )
