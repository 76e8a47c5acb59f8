"""Continues prompts with any language model: ours, or a stranger's Keras model."""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_flag, check_integer, check_seed
from keras_genai.samplers.session import Session
from keras_genai.samplers.text import Prompts, read_stop
from keras_genai.samplers.tokens import Beam, Greedy, Sample, check_sampler
from keras_genai.samplers.writing import written

DEFAULT_GROWTH = 256  # tokens, if nobody says a length
_TOLD = ("vocabulary_size", "context", "jit_generate")  # by models of this library


def generate(
    model: Any,
    prompts: Any,
    max_length: int | None = None,
    sampler: Greedy | Sample | Beam | None = None,
    seed: int = 0,
    stop: int | str | Collection[int | str] = (),
    stream: bool = False,
    strip_prompt: bool = False,
    tokenizer: Any = None,
) -> Any:
    """Continues prompts with a language model of any kind.

    A model with a cache is any object with the methods
    `initial_cache(batch_size, length)` and `decode(tokens, positions, cache, index)`
    that `keras_genai.tasks.CausalLM` describes. It may also have `context`, the largest
    number of positions, and `jit_generate = True`, for XLA to compile the loop. Of any
    other model, all of the text is read again for every token: a `keras.Model` or a
    function will do that maps int tokens `(B, T)` to logits `(B, T, V)`, each of which
    sees no later token.

    Args:
        model: see above. One with a limit of its own goes on past it from the last half
            of it.
        prompts, max_length, sampler, seed, stop, stream, strip_prompt: see
            `keras_genai.tasks.language.CausalLM.generate`.
        tokenizer: `Tokenizer` or `None`. Needed for text only.

    Returns:
        Results of the kind and nesting of `prompts`, see `CausalLM.generate`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range, or if `model` returns no logits, or a cache
            that is unlike the one it was given.
    """
    decoder = _decoder(model)
    prompts = Prompts(prompts, tokenizer, decoder.vocabulary_size)
    stops = read_stop(stop, tokenizer, decoder.vocabulary_size)
    sampler = Sample() if sampler is None else sampler
    check_sampler(sampler)
    check_stream(stream, sampler)
    check_flag("strip_prompt", strip_prompt)
    check_seed(seed)
    max_length = _length(prompts.tokens, max_length, sampler, decoder.context)
    session = Session(decoder, prompts.tokens, sampler, max_length, stops[0], seed)
    starts = prompts.tokens if prompts.texts is None else prompts.texts
    return written(
        session,
        prompts,
        prompts.tokens,
        stops,
        tokenizer,
        stream,
        starts=None if strip_prompt else starts,
    )


def check_stream(stream, sampler):
    """Raises unless the sampler can write piece by piece, if that is asked for."""
    check_flag("stream", stream)
    if isinstance(sampler, Beam) and stream:
        raise ValueError(
            f"`stream` must be False with a Beam. Received: stream={stream!r}"
        )


def _length(prompts, max_length, sampler, context):
    """int: tokens in a text at most, as given or by default."""
    longest = max(len(prompt) for prompt in prompts)
    is_beam = isinstance(sampler, Beam) and context is not None
    if max_length is None:
        max_length = longest + DEFAULT_GROWTH
        if is_beam and longest < context:
            max_length = min(max_length, context)
    check_integer("max_length", max_length, 1)
    if max_length <= longest:
        raise ValueError(
            f"`max_length` must be above the longest prompt's {longest} tokens. "
            f"Received: {max_length=}"
        )
    if is_beam and max_length > context:
        raise ValueError(
            f"`max_length` must be at most {context=} with a Beam, which cannot go on "
            f"past it. Received: {max_length=}"
        )
    return max_length


class _WholeTexts:
    """A decoder whose cache is the text so far, which its model reads anew each time.

    Args:
        function: `keras.Model` or function from int tokens `(B, T)` to logits.
    """

    jit_generate = False  # XLA does not know all that a stranger's model may do

    def __init__(self, function):
        self.function = function
        shape = getattr(function, "input_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2:
            shape = (None, None)
        self.context = shape[1]
        logits = function(np.zeros((1, self.context or 1), "int32"))
        if len(getattr(logits, "shape", ())) != 3:
            raise ValueError(
                "`model` must return logits (batch, length, vocabulary). "
                f"Received: {getattr(logits, 'shape', type(logits).__name__)}"
            )
        self.vocabulary_size = int(logits.shape[-1])

    def initial_cache(self, batch_size, length):
        return tf.zeros((batch_size, self.context or length), tf.int32)

    def decode(self, tokens, positions, cache, index):
        batch, length = cache.shape
        rows = tf.broadcast_to(tf.range(batch)[:, None], positions.shape)
        # Padding writes to a column of its own, which is then cut off.
        columns = tf.where(positions < 0, length, positions)
        wider = tf.pad(cache, [[0, 0], [0, 1]])
        places = tf.stack([rows, columns], axis=-1)
        cache = tf.tensor_scatter_nd_update(wider, places, tokens)[:, :length]
        logits = ops.cast(self.function(cache), "float32")
        last = tf.reduce_max(positions, axis=1)
        return tf.gather(logits, last, batch_dims=1), cache


class _Cached:
    """A decoder of a model with a cache that says no more about itself.

    Args:
        model: object with `initial_cache` and `decode`.
    """

    def __init__(self, model):
        self.model = model
        self.initial_cache = model.initial_cache
        self.context = getattr(model, "context", None)
        self.jit_generate = getattr(model, "jit_generate", False)
        one = tf.zeros((1, 1), tf.int32)
        cache = model.initial_cache(1, 1)
        logits, after = model.decode(one, one, cache, tf.constant(0))
        if len(getattr(logits, "shape", ())) != 2:
            raise ValueError(
                "`model.decode` must return logits (batch, vocabulary) and the cache. "
                f"Received: {getattr(logits, 'shape', type(logits).__name__)}"
            )
        _check_cache(_kinds(cache), _kinds(after))
        self.vocabulary_size = int(logits.shape[-1])

    def decode(self, tokens, positions, cache, index):
        logits, cache = self.model.decode(tokens, positions, cache, index)
        return ops.cast(logits, "float32"), cache


def _kinds(cache):
    """The cache with the shape and dtype of each tensor in its place."""
    return tf.nest.map_structure(
        lambda part: f"{keras.backend.standardize_dtype(part.dtype)}{part.shape}", cache
    )


def _check_cache(before, after):
    if before != after:
        raise ValueError(
            "`model.decode` must return a cache like the one it was given: the same "
            f"structure, shapes and dtypes. Received: {after} for {before}"
        )


def _decoder(model):
    """The model's decoder, made once, so that what it compiled is found again."""
    caches = hasattr(model, "initial_cache") and hasattr(model, "decode")
    if caches and all(hasattr(model, name) for name in _TOLD):
        return model
    if not caches and not callable(model):
        raise TypeError(
            "`model` must be a language model, or a function from tokens to logits. "
            f"Received: {model!r}"
        )
    decoder = getattr(model, "__dict__", {}).get("_decoder")
    if decoder is None:
        decoder = _Cached(model) if caches else _WholeTexts(model)
        if hasattr(model, "__dict__"):  # not in a way that Keras would track or save
            object.__setattr__(model, "_decoder", decoder)
    return decoder
