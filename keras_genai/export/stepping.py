"""One step of decoding as an endpoint: a token and a cache in, logits and cache out."""

import functools

import numpy as np
import tensorflow as tf

from keras_genai.export.endpoints import Endpoint, spec
from keras_genai.export.forward import live

SLOTS = 256  # of a cache, where a model has no context
LOGITS, CACHE = "logits", "cache_{}"


def step(model, slots=None):
    """The `Endpoint` `step` of a `CausalLM`, for a single text.

    Caches begin as zeros of the shapes that the signature says: what is stored is the
    difference to an empty one.

    Args:
        model: `CausalLM`.
        slots: int or `None` (its context, or `SLOTS`). Tokens of a text at most.
    """
    slots = slots or model.context or SLOTS
    empty = model.initial_cache(1, slots)
    parts = [np.asarray(part) for part in tf.nest.flatten(empty)]
    names = [CACHE.format(number) for number in range(len(parts))]
    specs = {
        "token": spec("int32", 1, 1),
        "index": spec("int32"),
        **{
            name: spec(str(part.dtype), *part.shape)
            for name, part in zip(names, parts, strict=True)
        },
    }
    example = {
        name: np.zeros(each.shape, each.dtype.as_numpy_dtype)
        for name, each in specs.items()
    }

    def function(tensors):
        cache = [
            tensors[name] + tf.constant(part)
            for name, part in zip(names, parts, strict=True)
        ]
        index = tensors["index"]
        logits, cache = model.decode(
            tensors["token"],
            tf.reshape(index, (1, 1)),
            tf.nest.pack_sequence_as(empty, cache),
            index,
        )
        after = tf.nest.flatten(cache)
        pairs = zip(names, after, parts, strict=True)
        return {LOGITS: logits, **{name: new - part for name, new, part in pairs}}

    return Endpoint("step", function, specs, example, functools.partial(live, function))


def follow(endpoint, ask, tokens):
    """Yields the logits after each token, by a file's `step`.

    Args:
        endpoint: what `step` returned.
        ask: function of a dict of arrays that returns one.
        tokens: iterable of int. It may be asked for the next one after each logits.
    """
    said = dict(endpoint.example)
    for index, token in enumerate(tokens):
        said |= {"token": np.array([[token]], "int32"), "index": np.int32(index)}
        found = ask(said)
        said |= {name: each for name, each in found.items() if name != LOGITS}
        yield np.asarray(found[LOGITS])[0]
