"""How likely a model finds a text that is there already: `echo` with `logprobs`."""

from typing import Any

import numpy as np

from keras_genai.serving.errors import too_long, unsupported
from keras_genai.serving.replies import name


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
    place = 0
    for index, token in enumerate(tokens):
        text, _ = name(model.tokenizer, int(token))
        found["tokens"].append(text)
        found["text_offset"].append(place)
        place += len(text)
        if not index:
            found["token_logprobs"].append(None)
            found["top_logprobs"].append(None)
            continue
        said = _logprobs(logits[index - 1])
        best = np.argsort(-said, kind="stable")[:count]
        likeliest = {name(model.tokenizer, int(t))[0]: float(said[t]) for t in best}
        found["token_logprobs"].append(float(said[token]))
        found["top_logprobs"].append(likeliest)
    shown = prompt if isinstance(prompt, str) else model.tokenizer.decode(prompt)
    return found, shown, len(tokens)


def _logprobs(logits):
    """float64 `(V,)`: the logarithms of all probabilities."""
    shifted = logits.astype("float64") - logits.max()
    return shifted - np.log(np.exp(shifted).sum())
