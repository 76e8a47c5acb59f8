"""The engine: one thread that writes all texts that are asked for."""

import threading
import time
from typing import Any

import numpy as np

from keras_genai.checks import check_flag, check_integer
from keras_genai.samplers.session import Session
from keras_genai.serving.completion import REASONS, Completion, FinishReason
from keras_genai.serving.figures import Figures
from keras_genai.serving.reading import Job, alternatives, read
from keras_genai.serving.requests import BusyError, EngineError, TextRequest
from keras_genai.serving.waiting import Waiting

STEP = 4  # tokens between two looks at what else is to be done
LONGEST = 1024  # tokens of a text, if neither the model nor the user has a limit
PATIENCE = 120.0  # seconds that a step may take before the engine counts as dead


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
        patience: float, seconds after which a step that has not ended is a failure.

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
        self._running: list[Job] = []
        self._changed = threading.Condition()
        self._closed, self._failure = False, None
        self._patience, self._stepped = patience, time.monotonic()
        self._thread = threading.Thread(
            target=self._serve, name="engine of texts", daemon=True
        )
        self._thread.start()

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
            if self._closed or self._failure:
                raise EngineError("The engine does not run any more") from self._failure
            waiting = len(self._waiting)
            if waiting >= max(self.queue, self.rows - len(self._running)):
                self._figures.refused += 1
                raise BusyError(waiting, self._retry_after())
            self._waiting.put(request.client, job)
            self._changed.notify_all()
        return job.answer

    def warm_up(self) -> None:
        """Compiles all that will be needed, so that the first request need not wait."""
        answer = self.submit(TextRequest([0], max_tokens=min(8, self.length - 1)))
        answer.wait()
        if answer.error is not None:
            raise answer.error

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
            idle = not self._running and not len(self._waiting)
            return idle or time.monotonic() - self._stepped < self._patience

    def figures(self) -> dict[str, Any]:
        """What is going on and what was done.

        Returns:
            dict of `running` and `waiting`, int; `kv_cache_usage`, from 0 to 1; and all
            of `keras_genai.serving.figures.Figures`.
        """
        with self._changed:
            running = len(self._running)
            return {
                "running": running,
                "waiting": len(self._waiting),
                "kv_cache_usage": running / self.rows,
                **self._figures.figures(),
            }

    def memory(self) -> int:
        """int: bytes of keys, values and states at most."""
        return 0

    def _retry_after(self):
        """float: seconds until there should be room."""
        whole = self._figures.time_of_answer.figures()
        mean = whole["sum"] / whole["count"] if whole["count"] else 1.0
        return min(60.0, max(1.0, mean * (len(self._waiting) + 1) / self.rows))

    def _serve(self):
        try:
            while (job := self._next()) is not None:
                self._write(job)
        except BaseException as error:  # those who wait must know
            self._failure = error
        with self._changed:
            left = [*self._running, *self._waiting]
            self._running = []
            self._waiting = Waiting()
        said = "was closed"
        if self._failure is not None:
            said = f"failed: {self._failure!r}"
        lost = EngineError(f"The engine {said}")
        lost.__cause__ = self._failure
        for job in left:
            self._finish(job, "error", lost)

    def _next(self):
        """The next job, once there is one; `None` if the engine is closed."""
        while True:
            with self._changed:
                gone = self._waiting.remove(lambda job: ending(job) is not None)
                job = None
                if not gone and not self._closed:
                    if not len(self._waiting):
                        self._changed.wait(0.1)
                        continue
                    job = self._waiting.get()
                    self._running.append(job)
            for each in gone:
                self._finish(each, ending(each))
            if not gone:
                return job

    def _write(self, job):
        answer = job.answer
        session = Session(
            self.model,
            [job.start],
            job.sampler,
            job.max_length,
            job.stops,
            answer.seed,
            job.inputs,
        )
        reason: FinishReason | None = None
        while reason is None:
            session.advance(STEP)
            self._stepped = time.monotonic()
            generated, done = session.generated(0), bool(session.done[0])
            self._count(job, len(generated))
            if answer.request.logprobs is not None:
                self._say_logprobs(job, generated)
            if job.take(generated, done):
                reason = "stop"
            elif done:
                reason = "stop" if int(generated[-1]) in job.stops else "length"
            else:
                reason = "error" if self._closed else ending(job)
        with self._changed:
            self._running.remove(job)
        error = EngineError("The engine was closed") if reason == "error" else None
        self._finish(job, reason, error)

    def _say_logprobs(self, job, generated):
        """Reads all of a text again: slow and simple."""
        text = np.concatenate([job.start, generated])
        logits = np.asarray(self.model(text[None, :-1]))[0]
        for place in range(len(job.logprobs), len(generated)):
            row = logits[len(job.start) + place - 1]
            count = job.answer.request.logprobs
            job.logprobs.append(alternatives(row, generated[place], count))

    def _count(self, job, written):
        now, new = time.monotonic(), written - job.written
        if not job.written and new:
            self._figures.prompt_tokens += job.answer.prompt_tokens
            self._figures.time_to_first_token.add(now - job.answer.submitted)
        elif new:
            self._figures.time_between_tokens.add((now - job.last) / new, new)
        job.last = now
        self._figures.generation_tokens += new

    def _finish(self, job, reason, error=None):
        self._figures.finished[reason] += 1
        if job.written:
            seconds = time.monotonic() - job.answer.submitted
            self._figures.time_of_answer.add(seconds)
        job.answer.finish(reason, job.written, error)


def ending(job: Job) -> FinishReason | None:
    """Why a text that is not done ends now, or `None`."""
    answer = job.answer
    if answer.cancelled:
        return "cancelled"
    if answer.deadline is not None and time.monotonic() >= answer.deadline:
        return "deadline"
    return None
