"""An answer that is being written by one thread and read by others."""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal

from keras_genai.serving.requests import Piece, TextRequest

FinishReason = Literal["stop", "length", "cancelled", "deadline", "error"]
REASONS = ("stop", "length", "cancelled", "deadline", "error")
_numbers = itertools.count()


class Completion:
    """Pieces of a text, from the first to the last.

    It may be iterated, `for piece in answer` or `async for piece in answer`, any number
    of times and from any threads: each sees all pieces. It ends by raising `error`, if
    there is one.

    Args:
        request: `TextRequest`.
        seed: int, with which it is drawn.
        prompt_tokens: int, what was read.

    Attributes:
        number: int, unlike that of any other answer of this process.
        submitted: float, when it was asked for, of `time.monotonic`.
        deadline: float or `None`, when it ends anyway, of the same clock.
        pieces: tuple of `Piece`, all so far.
        completion_tokens: int, tokens that were written; those that were held back are
            counted from when they are shown.
        finish_reason: `None` while it is being written; then `"stop"` (a stop text or
            token came), `"length"` (`max_tokens` were written), `"cancelled"`,
            `"deadline"` or `"error"`.
        error: exception or `None`, why it could not be finished.
    """

    def __init__(self, request: TextRequest, seed: int, prompt_tokens: int):
        self.request = request
        self.seed = seed
        self.prompt_tokens = prompt_tokens
        self.number = next(_numbers)
        self.submitted = time.monotonic()
        self.deadline = None
        if request.deadline is not None:
            self.deadline = self.submitted + request.deadline
        self.pieces: tuple[Piece, ...] = ()
        self.completion_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        self._wanted = True
        self._ended = threading.Event()
        self._callbacks: list[Callable[[Piece | None], None]] = []

    @property
    def cancelled(self) -> bool:
        """bool: whether nobody wants the rest."""
        return not self._wanted

    @property
    def done(self) -> bool:
        """bool: whether all of its pieces are there."""
        return self._ended.is_set()

    def text(self) -> str:
        """The text so far. After `wait()`, all of it."""
        return "".join(piece.text for piece in self.pieces)

    def cancel(self) -> None:
        """Says that nobody wants the rest. It ends within a few tokens."""
        self._wanted = False

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end.

        Args:
            timeout: float, seconds, or `None`.

        Returns:
            bool: whether it has ended.
        """
        return self._ended.wait(timeout)

    def subscribe(self, callback: Callable[[Piece | None], None]) -> None:
        """Lets a function be called with each piece, those so far too, then `None`.

        It is called by the thread that writes, so it must be quick and must not raise:
        one that puts what it gets into a queue will do.

        Args:
            callback: function of a `Piece` or `None`.
        """
        with self._lock:
            for piece in self.pieces:
                callback(piece)
            if self.done:
                callback(None)
            else:
                self._callbacks.append(callback)

    def __iter__(self) -> Iterator[Piece]:
        came: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self.subscribe(came.put)
        while (piece := came.get()) is not None:
            yield piece
        self._raise()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[Piece | None] = asyncio.Queue()

        def put(piece):
            if not loop.is_closed():
                loop.call_soon_threadsafe(came.put_nowait, piece)

        self.subscribe(put)
        while (piece := await came.get()) is not None:
            yield piece
        self._raise()

    def _raise(self):
        if self.error is not None:
            raise self.error

    # The engine's side.

    def add(self, piece: Piece) -> None:
        """Shows another piece, unless it has ended. Only the engine does."""
        with self._lock:
            if self.done:
                return
            self.pieces = (*self.pieces, piece)
            for callback in self._callbacks:
                callback(piece)

    def finish(
        self,
        reason: FinishReason,
        completion_tokens: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Ends the answer, unless it has ended. Only the engine does."""
        with self._lock:
            if self.done:
                return
            if completion_tokens is not None:
                self.completion_tokens = completion_tokens
            self.finish_reason, self.error = reason, error
            self._ended.set()
            for callback in self._callbacks:
                callback(None)
            self._callbacks = []
