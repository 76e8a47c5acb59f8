"""Pictures for people who ask over HTTP."""

import base64
import inspect
import secrets
import time
from typing import Any

from keras_genai.serving.errors import invalid, unsupported
from keras_genai.serving.limits import Limits
from keras_genai.serving.openai_schema import Pictures
from keras_genai.serving.served import Served

# What a request calls arguments of `generate`.
SETTINGS = {
    "steps": "steps",
    "guidance": "guidance",
    "temperature": "temperature",
    "negative_prompt": "negative",
}


async def draw(served: Served, body: Pictures, limits: Limits) -> dict[str, Any]:
    """The response of `/v1/images/generations`.

    Raises:
        Refusal: if it cannot be done.
    """
    count = body.n or 1
    limits.check("n", count, "n")
    model = served.model
    seed = secrets.randbits(31) if body.seed is None else body.seed
    size = served.card()["size"]
    if body.size not in (None, "auto", size):
        raise unsupported("size", f"this model draws {size}")
    wish = {**_settings(model, body), **_condition(served, body.prompt)}

    def work():
        pictures = model.generate(count=count, seed=seed, **wish)
        return [model.makes.encode(picture) for picture in pictures]

    files = await served.call(work, limits.seconds)
    data = [{"b64_json": base64.b64encode(file).decode()} for file in files]
    return {
        "created": int(time.time()),
        "data": data,
        "size": size,
        "output_format": "png",
        "seed": seed,
    }


def _settings(model, body):
    """dict of arguments of `generate` that somebody asked for."""
    known = inspect.signature(model.generate).parameters
    found = {}
    for name, argument in SETTINGS.items():
        value = getattr(body, name)
        if value is None:
            continue
        if argument not in known:
            raise unsupported(name, "this model has no such setting; leave it out")
        found[argument] = value
    return found


def _condition(served, prompt):
    """dict of arguments of `generate`: what pictures are made from."""
    kinds = {kind.key: kind for kind in served.model.given}
    text = prompt.strip()
    if not text:
        return {}
    if "tokens" in kinds:
        return {"prompts": prompt}
    if "labels" in kinds:
        return {"labels": class_of(served, kinds["labels"], text, "prompt")}
    raise invalid(
        "`prompt` must be empty for this model, which draws whatever it learned.",
        "prompt",
    )


def class_of(served: Served, kind: Any, text: str, param: str) -> int:
    """int: a class that is called by its name or its number.

    Args:
        served: `Served`.
        kind: `Label`.
        text: str.
        param: str, where it stands in a request.

    Raises:
        Refusal: if there is no such class; it says which there are.
    """
    names = served.classes(kind)
    small = [name.lower() for name in names]
    if text.lower() in small:
        return small.index(text.lower())
    if text.isascii() and text.isdigit() and int(text) < len(names):
        return int(text)
    raise invalid(
        f"`{param}` must be one of {', '.join(names[:100])}, or a number from 0 to "
        f"{len(names) - 1}. Received: {text[:80]!r}",
        param,
    )
