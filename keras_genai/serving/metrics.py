"""What a server did, as Prometheus reads it; names follow those of vLLM.

Reference: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4)
"""

import collections
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "keras_genai_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What `Engine.figures` says, by its keys: names here, kinds, and what they are.
NUMBERS = {
    "running": ("num_requests_running", "gauge", "Requests that are worked on."),
    "waiting": ("num_requests_waiting", "gauge", "Requests that wait."),
    "alive": ("engine_alive", "gauge", "1 while a model answers, or would."),
    "kv_cache_usage": ("kv_cache_usage_perc", "gauge", "Share of rows in use, to 1."),
    "prompt_tokens": ("prompt_tokens_total", "counter", "Tokens that were read."),
    "reused_tokens": (
        "prompt_tokens_cached_total",
        "counter",
        "Of these, known from earlier texts.",
    ),
    "generation_tokens": (
        "generation_tokens_total",
        "counter",
        "Tokens that were written.",
    ),
    "refused": ("request_refused_total", "counter", "Texts for which was no room."),
}
TIMES = {
    "time_to_first_token": ("time_to_first_token_seconds", "To the first token."),
    "time_between_tokens": ("inter_token_latency_seconds", "Between two tokens."),
    "time_of_answer": ("e2e_request_latency_seconds", "To the end of a text."),
}
FINISHED = ("request_success_total", "counter", "Texts that ended, by why they did.")
ANSWERED = ("http_requests_total", "counter", "Requests that were answered.")


class Answered:
    """How many requests had which path and status; counted by the event loop alone."""

    def __init__(self):
        self._counts: collections.Counter[tuple[str, int]] = collections.Counter()

    def add(self, path: str, status: int) -> None:
        """Counts a request.

        Args:
            path: str, of a route: a name that a client made up would be one each.
            status: int, of HTTP.
        """
        self._counts[path, status] += 1

    def lines(self) -> Iterator[str]:
        """Yields lines of the exposition format."""
        yield from _head(*ANSWERED)
        for (path, status), count in sorted(self._counts.items()):
            labels = {"path": path, "status": str(status)}
            yield sample(ANSWERED[0], labels, count)


def exposition(figures: Mapping[str, Mapping[str, Any]], answered: Answered) -> str:
    """All that is known, as Prometheus reads it.

    Args:
        figures: dict by names of models of what `Served.figures` says.
        answered: `Answered`.
    """
    return "\n".join([*_numbers(figures), *_times(figures), *answered.lines(), ""])


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """A line of the exposition format."""
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{PREFIX}{name}{{{pairs}}} {value!r}"


def _numbers(figures):
    for key, about in NUMBERS.items():
        yield from _head(*about)
        for model, known in figures.items():
            if key in known:
                yield sample(about[0], {"model_name": model}, known[key])
    yield from _head(*FINISHED)
    for model, known in figures.items():
        for reason, count in known.get("finished", {}).items():
            labels = {"model_name": model, "finished_reason": reason}
            yield sample(FINISHED[0], labels, count)


def _times(figures):
    for key, (name, text) in TIMES.items():
        yield from _head(name, "histogram", text)
        for model, known in figures.items():
            if key in known:
                yield from _histogram(name, model, known[key])


def _histogram(name, model, known):
    labels, total = {"model_name": model}, 0
    bounds = (*known["bounds"], "+Inf")
    for bound, count in zip(bounds, known["counts"], strict=True):
        total += count
        yield sample(f"{name}_bucket", {**labels, "le": str(bound)}, total)
    yield sample(f"{name}_sum", labels, known["sum"])
    yield sample(f"{name}_count", labels, total)


def _head(name, kind, text):
    yield f"# HELP {PREFIX}{name} {text}"
    yield f"# TYPE {PREFIX}{name} {kind}"


def _escaped(text):
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
