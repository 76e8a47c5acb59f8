"""Completions of nothing new: prompts as they are, and how likely they are."""

import time
from typing import Any

import numpy as np

from keras_genai.serving.errors import too_long, unsupported
from keras_genai.serving.limits import Limits
from keras_genai.serving.openai_schema import Completion
from keras_genai.serving.served import Served
from keras_genai.serving.token_names import Names, Offsets
from keras_genai.serving.writing import check_count, new_number, several


async def scores_of(served: Served, body: Completion, limits: Limits) -> list[Any]:
    """What `scored` returns, of each prompt.

    Raises:
        Refusal: if it cannot be done.
    """
    prompts = several(body.prompt)
    limits.check("prompts", len(prompts), "prompt")
    count = body.logprobs or 0

    def work():
        length = served.engine.length
        return [scored(served.model, prompt, count, length) for prompt in prompts]

    return await served.call(work, limits.seconds)


async def only_prompts(
    served: Served, body: Completion, limits: Limits, scores: Any = ()
) -> dict[str, Any]:
    """The response of `/v1/completions` of no tokens: the prompts, or nothing.

    Args:
        served: `Served`.
        body: `Completion`, whose `max_tokens` is 0.
        limits: `Limits`.
        scores: what `scores_of` returned, or empty.

    Raises:
        Refusal: if it cannot be done.
    """
    prompts = several(body.prompt)
    limits.check("prompts", len(prompts), "prompt")
    limits.check("n", body.n or 1, "n")
    if body.stream:
        raise unsupported("stream", "leave it out where `max_tokens` is 0")

    def count():
        return [check_count(served, prompt) for prompt in prompts]

    counts = await served.call(count, limits.seconds)
    choices: list[dict[str, Any]] = []
    for place, (shown, _) in enumerate(counts):
        for _ in range(body.n or 1):
            choice = {"index": len(choices), "text": shown if body.echo else ""}
            choice |= {"finish_reason": "length", "logprobs": None}
            if scores:
                choice["logprobs"] = scores[place][0]
            choices.append(choice)
    read = sum(tokens for _, tokens in counts)
    usage = {"prompt_tokens": read, "completion_tokens": 0, "total_tokens": read}
    return {
        "id": new_number("cmpl"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": served.name,
        "choices": choices,
        "usage": usage,
    }


def scored(model: Any, prompt: Any, count: int, length: int) -> tuple[dict, str, int]:
    """The log-probability of each token of a prompt, given those before it.

    Args:
        model: `CausalLM`.
        prompt: str, or list of int tokens.
        count: int. How many of the likeliest tokens are said beside each.
        length: int. Most tokens.

    Returns:
        `(logprobs, text, tokens)`: dict as completions have it, in which the first
        token has `None`; str; and int, how many tokens there are.

    Raises:
        Refusal: if it is too long, or the model reads prompts with an encoder.
    """
    starts, inputs = model.begin(prompt if isinstance(prompt, str) else [prompt])
    if len(inputs):
        raise unsupported("echo", "this model reads its prompt with an encoder")
    tokens = np.asarray(starts[0], "int32")
    if len(tokens) > length:
        raise too_long(len(tokens), length, "prompt")
    found: dict[str, list[Any]] = {
        key: [] for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }
    logits = np.asarray(model(tokens[None]))[0] if len(tokens) > 1 else []
    names = Names(model.tokenizer)
    offsets = Offsets(names)
    for index, token in enumerate(tokens):
        found["tokens"].append(names(int(token))[0])
        found["text_offset"].append(offsets.next(int(token)))
        if not index:
            found["token_logprobs"].append(None)
            found["top_logprobs"].append(None)
            continue
        said = _logprobs(logits[index - 1])
        best = np.argsort(-said, kind="stable")[:count]
        likeliest = {names(int(t))[0]: float(said[t]) for t in best}
        found["token_logprobs"].append(float(said[token]))
        found["top_logprobs"].append(likeliest)
    shown = prompt if isinstance(prompt, str) else model.tokenizer.decode(prompt)
    return found, shown, len(tokens)


def _logprobs(logits):
    """float64 `(V,)`: the logarithms of all probabilities."""
    shifted = logits.astype("float64") - logits.max()
    return shifted - np.log(np.exp(shifted).sum())
