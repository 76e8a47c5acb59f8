"""One call after the other, for models that do one thing at a time."""

import asyncio
import collections
import concurrent.futures
import queue as queues
import threading
import time
from collections.abc import Callable
from typing import Any

from keras_genai.serving.requests import BusyError, EngineError

RECENT = 8  # calls whose mean duration says how long others wait
PATIENCE = 600.0  # seconds that a call may take before nobody believes in it


class Line:
    """Calls functions one by one in a thread of its own; few may wait.

    A caller who goes away before it is its turn is never called.

    Args:
        queue: int. Calls that may wait.
        patience: float, seconds after which a call that has not ended is a failure.
    """

    def __init__(self, queue: int = 16, patience: float = PATIENCE):
        self.queue = queue
        self.patience = patience
        self._closed = False
        self._lock = threading.Lock()
        self._running = self._waiting = 0
        self._began = 0.0
        self._durations: collections.deque[float] = collections.deque(maxlen=RECENT)
        self._calls: Any = queues.SimpleQueue()
        self._thread: threading.Thread | None = None  # until there is a call

    async def call(self, function: Callable[[], Any]) -> Any:
        """What a function returns, when it was its turn.

        Args:
            function: without arguments.

        Raises:
            BusyError: if too many wait already.
            EngineError: if it was closed.
        """
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        with self._lock:
            if self._closed:
                raise EngineError("The server is being closed")
            if self._running and self._waiting >= self.queue:
                raise BusyError(self._waiting, self._retry_after())
            self._waiting += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="line of calls", daemon=True
                )
                self._thread.start()
            self._calls.put((future, function))
        return await asyncio.wrap_future(future)  # cancels it, if it is cancelled

    def alive(self) -> bool:
        """bool: whether calls are done, or would be."""
        with self._lock:
            late = time.monotonic() - self._began > self.patience
            return not self._closed and not (self._running and late)

    def figures(self) -> dict[str, Any]:
        """dict of `running` and `waiting`, calls."""
        return {"running": self._running, "waiting": self._waiting}

    def close(self) -> None:
        """Refuses calls from now on; those that wait fail."""
        with self._lock:
            self._closed = True
            self._calls.put(None)

    def _work(self):
        while (call := self._calls.get()) is not None:
            future, function = call
            with self._lock:
                self._waiting -= 1
                self._running, self._began = 1, time.monotonic()
            if future.set_running_or_notify_cancel():
                self._do(future, _refused if self._closed else function)
            with self._lock:
                self._running = 0

    def _do(self, future, function):
        began = time.monotonic()
        try:
            result = function()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        self._durations.append(time.monotonic() - began)

    def _retry_after(self):
        mean = sum(self._durations) / max(1, len(self._durations))
        return min(60.0, max(1.0, mean * (self._waiting + 1)))


def _refused():
    raise EngineError("The server is being closed")
