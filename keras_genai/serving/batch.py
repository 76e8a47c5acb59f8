"""The texts that an engine writes at the same time, each in a row of slots."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_genai.samplers.session import bucket
from keras_genai.samplers.slots import CHUNKS, STEP, Slots
from keras_genai.samplers.tokens import Greedy
from keras_genai.serving.completion import FinishReason
from keras_genai.serving.figures import Figures
from keras_genai.serving.reading import Job, encoder_inputs, has_encoder
from keras_genai.serving.requests import EngineError, TokenLogprob

ROWS = (1, 4, 8, 16)  # texts at once, of which each number is compiled for itself
LEAST_RING, SMALL_RING = 16, 128  # slots
CALM = 32  # calls in which fewer rows or slots suffice, before they are given up

Ended = tuple[Job, FinishReason]


class Batch:
    """Rows in which texts are read and written; only the engine's thread uses it.

    Args:
        model: `CausalLM` or `Seq2SeqLM`.
        rows: int. Most texts at once.
        length: int. Most tokens of a text.
        figures: `Figures`, in which it counts.
        deterministic: bool. Whether there are always as many rows and slots.
        prefix_bytes: int. See `Slots`.

    Attributes:
        jobs: dict of row to `Job`, those that are written.
        joining: `Job` that is being read, or `None`.
        shapes: list of `(rows, slots)`, between which it chooses.
        is_warm: bool. Whether all that it will need is compiled.
    """

    def __init__(
        self,
        model: Any,
        rows: int,
        length: int,
        figures: Figures,
        deterministic: bool = False,
        prefix_bytes: int = 0,
    ):
        self.model, self.rows, self.length = model, rows, length
        self.jobs: dict[int, Job] = {}
        self.joining: Job | None = None
        self._figures, self._prefix_bytes = figures, prefix_bytes
        own: tuple = ()
        if has_encoder(model):
            own = model.generation.rules(len(model.starts([[0]])[0]))
        self.slots = Slots(
            model,
            length,
            own,
            ends=model.stops()[0],
            sources=bucket(length, LEAST_RING) if has_encoder(model) else None,
            prefix_bytes=prefix_bytes,
        )
        numbers, rings = [rows], [self.slots.draft_slots]
        if not deterministic:
            numbers = [*(number for number in ROWS if number < rows), rows]
            while rings[0] > SMALL_RING:
                fewer = 1 << (rings[0] - 1).bit_length() - 1
                if not self.slots.can_have(fewer):
                    break
                rings.insert(0, fewer)
        self.shapes = [(number, ring) for number in numbers for ring in rings]
        self.is_warm = False
        self._warm: set[tuple[int, int]] = set()
        self._calm = 0

    @property
    def nbytes(self) -> int:
        """int: bytes of keys, values and states at most."""
        sizes = [self.slots.nbytes(*shape) for shape in self.shapes]
        return max(sizes) + self.slots.draft_bytes + self._prefix_bytes

    @property
    def used(self) -> float:
        """float: the part of all places for tokens that are taken, from 0 to 1."""
        jobs = [*self.jobs.values()]
        if self.joining is not None:
            jobs.append(self.joining)
        taken = sum(len(job.start) + job.written for job in jobs)
        return taken / (self.rows * self.length)

    @property
    def has_room(self) -> bool:
        """bool: whether another text may join now."""
        return self.joining is None and len(self.jobs) < self.rows

    def all(self) -> list[Job]:
        """Those that are read or written."""
        joining = [] if self.joining is None else [self.joining]
        return [*self.jobs.values(), *joining]

    def join(self, job: Job, waiting: int = 0) -> None:
        """Begins to read a text.

        Args:
            job: `Job`.
            waiting: int. Others that will join next.
        """
        self.joining = job
        self._fit(waiting)
        try:
            known = self.slots.begin(job.start, job.inputs)
        except Exception as error:  # what one asks must not end the others'
            job.error = error
        else:
            self._figures.reused_tokens += known

    def advance(self, waiting: int = 0) -> Iterator[Ended]:
        """Reads some tokens of the text that joins, and writes some of all others.

        Args:
            waiting: int. Others that would join if there was room.

        Yields:
            `(job, reason)` of each that has ended.
        """
        if self.joining is not None:
            yield from self._read()
        if not self.jobs:
            return
        # Who has written nothing yet wants to see something soon.
        fresh = any(not job.written for job in self.jobs.values())
        hurry = self.joining is not None or fresh
        said = self.slots.step(1 if hurry else STEP)
        for row, job in list(self.jobs.items()):
            reason = self._take(row, job, said)
            if reason is not None:
                self.slots.free(row, keep=reason in ("stop", "length"))
                del self.jobs[row]
                yield job, reason
        self.check()
        self._fit(waiting)

    def check(self) -> None:
        """Raises an `EngineError` unless just the rows that have a job are busy."""
        busy = {int(row) for row in np.flatnonzero(~self.slots.text.done)}
        if busy != set(self.jobs):
            raise EngineError(
                f"Rows {sorted(busy)} are written, but {sorted(self.jobs)} have jobs"
            )

    def warm_up(self, everything: bool = False) -> None:
        """Compiles what will be needed. There must be no jobs.

        Args:
            everything: bool. Whether for all numbers of rows and slots, and not just
                for the fewest and the most.
        """
        shapes = self.shapes
        if not everything:
            shapes = [s for s in shapes if all(map(self._is_end, range(2), s))]
        for size in (size for size in CHUNKS if size <= self.slots.draft_slots):
            length = min(size + 1, self.length)
            self.slots.begin(np.zeros(length, "int32"), self._blank_inputs(size))
            while not self.slots.read():
                pass
        for shape in shapes:
            self.slots.resize(*shape)
            self.slots.begin(np.zeros(1, "int32"), self._blank_inputs(1))
            self.slots.insert(0, Greedy(), 2, set(), 0)
            self.slots.step(1)
            self.slots.free(0, keep=True)
            self._warm.add(shape)
        self.slots.forget()
        self.is_warm = True

    def _is_end(self, place, size):
        sizes = [shape[place] for shape in self.shapes]
        return size in (min(sizes), max(sizes))

    def _blank_inputs(self, size):
        """What an encoder may read, of about so many tokens; nothing without one."""
        if self.slots.sources is None:
            return ()
        return encoder_inputs(self.model, [0] * min(size, self.length))

    def _fit(self, waiting):
        """Makes the cache as large as it must be, and smaller if it stays too large."""
        jobs = self.all()
        if not jobs:
            return
        rows = min(self.rows, len(jobs) + waiting)
        ring = max(job.max_length for job in jobs)
        fits = [s for s in self.shapes if s[0] >= rows and s[1] >= ring]
        fits = [shape for shape in fits if shape in self._warm] or fits
        best = min(fits, key=lambda shape: self.slots.nbytes(*shape) + shape[0])
        now = self.slots.rows, self.slots.ring
        if best == now:
            self._calm = 0
            return
        too_small = now[0] < rows or now[1] < ring
        self._calm += 1
        if too_small or not self.jobs or self._calm > CALM:
            kept = sorted(self.jobs)
            self.slots.resize(*best, kept)
            self.jobs = {new: self.jobs[old] for new, old in enumerate(kept)}
            self._warm.add(best)
            self._calm = 0

    def _read(self):
        """Reads a chunk of the text that joins, and gives it a row when it is read."""
        job = self.joining
        reason = job.ending()
        if reason is not None:
            self.joining = None
            yield job, reason
        elif self.slots.read():
            row = next(row for row in range(self.slots.rows) if row not in self.jobs)
            wanted = job.answer.request.logprobs
            self.slots.insert(
                row,
                job.sampler,
                job.max_length,
                job.stops,
                job.answer.seed,
                -1 if wanted is None else wanted,
            )
            self.jobs[row], self.joining = job, None
            self._figures.prompt_tokens += job.answer.prompt_tokens

    def _take(self, row, job, said):
        """Hands on what was written in a row. Returns why it ended, or `None`."""
        text = self.slots.text
        generated = self.slots.written(row, len(job.start))
        self._count(job, len(generated) - job.written)
        count = job.answer.request.logprobs
        if count is not None:
            for place, token in enumerate(generated[job.written :]):
                best = zip(
                    said.tokens[place, row, :count].tolist(),
                    said.best[place, row, :count].tolist(),
                    strict=True,
                )
                logprob = float(said.logprobs[place, row])
                job.logprobs.append(TokenLogprob(int(token), logprob, tuple(best)))
        done = bool(text.done[row])
        ending = None if done else job.ending()
        if job.take(generated, done or ending is not None):
            return "stop"
        if done:
            return "stop" if int(generated[-1]) in job.stops else "length"
        return ending

    def _count(self, job, new):
        now = time.monotonic()
        if not job.written:
            self._figures.time_to_first_token.add(now - job.answer.submitted)
        else:
            self._figures.time_between_tokens.add((now - job.last) / max(new, 1), new)
        job.last = now
        self._figures.generation_tokens += new
