"""Events that a server sends while it works, and clients who go away meanwhile."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from starlette.responses import Response

DONE = "data: [DONE]\n\n"
PING = ": ping\n\n"
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class ClientGone(Exception):  # noqa: N818 - nothing went wrong here
    """Nobody waits for an answer any more."""


def event(data: Any) -> str:
    """An event of JSON, in ASCII: some clients split lines at U+2028, too."""
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


class Events(Response):
    """Sends events until there are no more, or until nobody listens.

    Args:
        events: async iterator of str.
        ping: float, seconds of silence after which a comment is sent.
        leave: function, called when all is over, whatever the reason.
    """

    def __init__(
        self, events: AsyncIterator[str], ping: float, leave: Callable[[], None]
    ):
        super().__init__(headers=HEADERS)
        self.events = events
        self.ping = ping
        self.leave = leave

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (name, value)
            for name, value in self.raw_headers
            if name != b"content-length"
        ]
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": headers}
            )
            gone = asyncio.ensure_future(_until_gone(receive))
            try:
                with contextlib.suppress(ClientGone, OSError):
                    async for text in self._paced(gone):
                        await send(_body(text, more=True))
                    await send(_body("", more=False))
            finally:
                gone.cancel()
        finally:
            self.leave()

    async def _paced(self, gone):
        """Yields events, and pings between them."""
        step = asyncio.ensure_future(anext(self.events, None))
        try:
            while True:
                found, _ = await asyncio.wait(
                    {gone, step}, timeout=self.ping, return_when="FIRST_COMPLETED"
                )
                if gone in found:
                    raise ClientGone
                if not found:
                    yield PING
                    continue
                text = step.result()
                if text is None:
                    return
                yield text
                step = asyncio.ensure_future(anext(self.events, None))
        finally:
            step.cancel()


async def unless_gone(receive: Any, work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, unless the client goes away.

    Args:
        receive: that of ASGI, behind the body.
        work: coroutine; it is cancelled when nobody waits any more.

    Raises:
        ClientGone: in that case.
    """
    gone = asyncio.ensure_future(_until_gone(receive))
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({gone, task}, return_when="FIRST_COMPLETED")
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        gone.cancel()
        task.cancel()


async def _until_gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(text, more):
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}
