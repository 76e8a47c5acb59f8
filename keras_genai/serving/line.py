"""One call after the other, for models that do one thing at a time."""

import asyncio
import collections
import concurrent.futures
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
        self._running = False
        self._began = 0.0
        self._changed = threading.Condition()
        self._calls: collections.deque[Any] = collections.deque()
        self._durations: collections.deque[float] = collections.deque(maxlen=RECENT)
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
        with self._changed:
            if self._closed:
                _refused()
            waiting = self._waiting()
            if waiting + self._running > self.queue:
                raise BusyError(waiting, self._retry_after(waiting))
            self._calls.append((future, function))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="line of calls", daemon=True
                )
                self._thread.start()
        return await asyncio.wrap_future(future)  # cancels it, if it is cancelled

    def alive(self) -> bool:
        """bool: whether calls are done, or would be."""
        with self._changed:
            late = time.monotonic() - self._began > self.patience
            return not self._closed and not (self._running and late)

    def figures(self) -> dict[str, Any]:
        """dict of `running` and `waiting`, calls."""
        with self._changed:
            return {"running": int(self._running), "waiting": self._waiting()}

    def close(self) -> None:
        """Refuses calls from now on; those that wait fail."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _waiting(self):
        """int: calls that somebody still waits for."""
        return sum(not future.cancelled() for future, _ in self._calls)

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._calls or self._closed)
                if not self._calls:
                    return
                future, function = self._calls.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                if self._closed:
                    function = _refused
                self._running, self._began = True, time.monotonic()
            self._do(future, function)

    def _do(self, future, function):
        result, fault = None, None
        try:
            result = function()
        except BaseException as error:  # whoever waits must know
            fault = error
        with self._changed:
            self._running = False
            self._durations.append(time.monotonic() - self._began)
        if fault is None:
            future.set_result(result)
        else:
            future.set_exception(fault)

    def _retry_after(self, waiting):
        mean = sum(self._durations) / max(1, len(self._durations))
        return min(60.0, max(1.0, mean * (waiting + 1)))


def _refused():
    raise EngineError("The server is being closed")
