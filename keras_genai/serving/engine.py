"""The engine: one thread that writes all texts that are asked for."""

import threading
import time
from typing import Any

from keras_genai.checks import check_flag, check_integer
from keras_genai.serving.batch import Batch
from keras_genai.serving.completion import REASONS, Completion
from keras_genai.serving.figures import Figures
from keras_genai.serving.reading import read
from keras_genai.serving.requests import BusyError, EngineError, TextRequest
from keras_genai.serving.waiting import Waiting

LONGEST = 1024  # tokens of a text, if neither the model nor the user has a limit
PATIENCE = 120.0  # seconds that a step may take before the engine counts as dead
COLD = 10  # times as long, if it may have to be compiled first


class Engine:
    """Writes texts for many people at once.

    Requests wait in a queue of limited length, from which clients take turns. What an
    answer says does not depend on who else asks: it is what `generate` writes alone.

    Args:
        model: `CausalLM` or `Seq2SeqLM`.
        rows: int. Texts that are written at once.
        length: int or `None`. Most tokens of a text, prompt included; by itself the
            model's context.
        queue: int or `None` (`4 * rows`). Requests that may wait.
        kv_bytes: int or `None`. Most bytes of keys, values and states.
        deterministic: bool. Whether all is computed in one shape, so that not even the
            last bits depend on how many texts are written.
        prefix_bytes: int. Bytes of keys and values of earlier texts that are kept, for
            prompts that begin with the same tokens.
        patience: float, seconds after which a step that has not ended is a failure; ten
            times as many before `warm_up`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of its range, or `kv_bytes` are too few.
    """

    def __init__(
        self,
        model: Any,
        rows: int = 8,
        length: int | None = None,
        queue: int | None = None,
        kv_bytes: int | None = None,
        deterministic: bool = False,
        prefix_bytes: int = 0,
        patience: float = PATIENCE,
    ):
        check_integer("rows", rows, 1)
        check_flag("deterministic", deterministic)
        check_integer("prefix_bytes", prefix_bytes, 0)
        length = length or model.context or LONGEST
        check_integer("length", length, 2)
        if model.context is not None and length > model.context:
            raise ValueError(
                f"`length` must be at most the model's context of {model.context} "
                f"tokens. Received: {length=}"
            )
        queue = 4 * rows if queue is None else queue
        check_integer("queue", queue, 0)
        self.model, self.rows, self.length, self.queue = model, rows, length, queue
        self._figures = Figures(REASONS)
        self._waiting = Waiting()
        self._batch = Batch(
            model, rows, length, self._figures, deterministic, prefix_bytes
        )
        if kv_bytes is not None and self._batch.nbytes > kv_bytes:
            raise ValueError(
                f"`kv_bytes` must be at least {self._batch.nbytes:,} for {rows=} and "
                f"{length=}, and {prefix_bytes=:,}. Received: {kv_bytes=:,}"
            )
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._warming: list[tuple[bool, threading.Event]] = []
        self._patience, self._stepped = patience, time.monotonic()
        self._thread, self._watcher = (
            threading.Thread(target=target, name=f"engine, {name}", daemon=True)
            for name, target in (("writing", self._serve), ("watching", self._watch))
        )
        self._thread.start()
        self._watcher.start()

    def submit(self, request: TextRequest) -> Completion:
        """Asks for a text.

        Args:
            request: `TextRequest`.

        Returns:
            `Completion`, at once.

        Raises:
            BusyError: if too many wait already.
            TooLongError: if a prompt and what is asked for exceed `length` tokens.
            EngineError: if the engine has failed or was closed.
            TypeError, ValueError: if the model cannot do what is asked for.
        """
        job = read(self.model, request, self.length)
        with self._changed:
            self._check_open()
            waiting = len(self._waiting)
            free = self.rows - len(self._batch.all())
            if waiting >= self.queue + free:
                self._figures.refused += 1
                raise BusyError(waiting, self._retry_after())
            self._waiting.put(request.client, job)
            self._changed.notify_all()
        return job.answer

    def warm_up(self, everything: bool = False) -> None:
        """Compiles what will be needed, so that no request need wait for that.

        Args:
            everything: bool. Whether for each of the numbers of rows and slots between
                which the engine chooses. By itself for the fewest and the most; then it
                chooses among these.

        Raises:
            EngineError: if the engine has failed or was closed.
        """
        ready = threading.Event()
        with self._changed:
            self._check_open()
            self._warming.append((everything, ready))
            self._changed.notify_all()
        ready.wait()
        with self._changed:
            self._check_open()

    def close(self, timeout: float | None = 10.0) -> None:
        """Ends all answers, with an error those that are not done, and the thread.

        Args:
            timeout: float, most seconds to wait for a step that goes on, or `None`.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def alive(self) -> bool:
        """bool: whether answers are written, or would be if somebody asked."""
        with self._changed:
            if self._closed or self._failure or not self._thread.is_alive():
                return False
            return not self._is_stuck()

    def figures(self) -> dict[str, Any]:
        """What is going on and what was done.

        Returns:
            dict of `running` and `waiting`, int; `kv_cache_usage`, from 0 to 1; and all
            of `keras_genai.serving.figures.Figures`.
        """
        with self._changed:
            return {
                "running": len(self._batch.all()),
                "waiting": len(self._waiting),
                "kv_cache_usage": self._batch.used,
                **self._figures.figures(),
            }

    def memory(self) -> int:
        """int: bytes of keys, values and states at most, kept prefixes included."""
        return self._batch.nbytes

    def _check_open(self):
        if self._closed or self._failure:
            raise EngineError("The engine does not run any more") from self._failure

    def _is_stuck(self):
        busy = self._batch.all() or len(self._waiting)
        patience = self._patience * (1 if self._batch.is_warm else COLD)
        return bool(busy) and time.monotonic() - self._stepped > patience

    def _retry_after(self):
        """float: seconds until there should be room."""
        whole = self._figures.time_of_answer.figures()
        mean = whole["sum"] / whole["count"] if whole["count"] else 1.0
        return min(60.0, max(1.0, mean * (len(self._waiting) + 1) / self.rows))

    def _serve(self):
        """What the thread does that writes."""
        try:
            while self._has_work():
                for job, reason in self._batch.advance(len(self._waiting)):
                    self._finish(job, reason)
                self._stepped = time.monotonic()
        except BaseException as error:  # those who wait must know
            self._failure = self._failure or error
        self._end_all()

    def _has_work(self):
        """Waits for something to do, and lets others join; `False` at the end."""
        while True:
            with self._changed:
                if self._closed or self._failure:
                    return False
                warming, self._warming = self._warming, []
                gone = self._waiting.remove(lambda job: job.ending() is not None)
                job = None
                if self._batch.has_room and len(self._waiting):
                    job = self._waiting.get()
                    self._batch.joining = job  # in one place or the other, always
                busy = bool(self._batch.all())
                if not busy:
                    self._stepped = time.monotonic()
                    if not (gone or warming):
                        self._changed.wait(0.1 if len(self._waiting) else None)
                        continue
            for each in gone:
                self._finish(each, each.ending())
            if warming:
                self._warm_up(warming)
            if job is not None:
                self._batch.join(job, len(self._waiting))
            if busy:
                return True

    def _warm_up(self, asked):
        if self._batch.all():  # what is written now compiles what it needs
            with self._changed:
                self._warming += asked
            return
        try:
            self._batch.warm_up(any(everything for everything, _ in asked))
        finally:
            self._stepped = time.monotonic()
            for _, ready in asked:
                ready.set()

    def _watch(self):
        """What the thread does that sees whether the other one still goes on."""
        with self._changed:
            while not (self._closed or self._failure):
                self._changed.wait(min(self._patience / 4, 5.0))
                if not self._is_stuck() and self._thread.is_alive():
                    continue
                seconds = time.monotonic() - self._stepped
                said = f"A step has not ended after {seconds:.0f} s"
                self._failure = self._failure or EngineError(said)
        if self._failure:
            self._end_all()

    def _end_all(self):
        """Ends all answers that are not done, because nobody will go on with them."""
        with self._changed:
            left = [*self._batch.all(), *self._waiting]
            self._waiting = Waiting()
            for _, ready in self._warming:
                ready.set()
        failure = self._failure
        said = f"failed: {failure!r}" if failure else "was closed"
        for job in left:
            error = EngineError(f"The engine {said}")
            error.__cause__ = failure
            self._finish(job, "error", error)

    def _finish(self, job, reason, error=None):
        if job.answer.done:
            return
        if job.error is not None:
            error = EngineError(f"The prompt cannot be read: {job.error!r}")
            error.__cause__ = job.error
        self._figures.finished[reason] += 1
        if job.written:
            seconds = time.monotonic() - job.answer.submitted
            self._figures.time_of_answer.add(seconds)
        job.answer.finish(reason, job.written, error)
