"""Texts in a graph alone: no host moves windows or rounds sizes as in a `Session`."""

import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers.loop import Text
from keras_genai.samplers.rules import History, apply_rules
from keras_genai.samplers.tokens import COLDEST, NO_LIMIT, Greedy, Sample

DIGITS = 1e7  # of a share, which came in float32: 0.9 is 0.9, and not 0.89999998


def write(decoder, choose, prompts, inputs, numbers):
    """Appends tokens to each row until it has ended.

    Any number of rows and columns is read, which `loop.advance` is told beforehand.

    Args:
        decoder: see `keras_genai.samplers.loop`.
        choose: function of float32 logits `(B, V)` and a `History` that returns
            int32 `(B,)`.
        prompts: `(tokens, lengths)`, int32 `(B, P)` and `(B,)`.
        inputs: tuple of tensors, what an encoder reads.
        numbers: dict of `max_length`, int32 scalar, tokens of a row at most, prompt
            included; `stops`, bool `(V,)`; and `source`, see `History`.

    Returns:
        `Text`; each row's tokens from the left, 0 behind them.
    """
    tokens, lengths = prompts
    rows, size = tf.shape(tokens)[0], tf.shape(tokens)[1]
    most = numbers["max_length"]
    places = tf.range(size)[None]
    positions = tf.where(places < lengths[:, None], places, -1)
    window = tf.where(positions >= 0, tokens, 0)
    cache = decoder.initial_cache(rows, size + most, *inputs)
    shapes = tf.nest.map_structure(lambda part: part.shape, cache)
    logits, cache = decoder.decode(window, positions, cache, tf.constant(0))
    room = tf.maximum(most - size, 0)
    text = Text(tf.pad(window, [[0, 0], [0, room]]), lengths, lengths >= most)

    def append(text, logits):
        history = History(*text[:2], numbers["stops"], most, numbers["source"])
        chosen = choose(logits, history)
        end = tf.range(tf.shape(text.tokens)[1])[None] == text.lengths[:, None]
        tokens = tf.where(end & ~text.done[:, None], chosen[:, None], text.tokens)
        lengths = text.lengths + tf.cast(~text.done, tf.int32)
        ended = tf.gather(numbers["stops"], chosen) | (lengths >= most)
        return Text(tokens, lengths, text.done | ended)

    def kept(cache):
        return tf.nest.map_structure(tf.ensure_shape, cache, shapes)

    def step(text, cache, index):
        last = tf.gather(text.tokens, text.lengths - 1, batch_dims=1)
        places = text.lengths - 1
        logits, cache = decoder.decode(last[:, None], places[:, None], cache, index)
        return append(text, logits), kept(cache), index + 1

    text, _, _ = tf.while_loop(
        lambda text, *_: tf.reduce_any(~text.done),
        step,
        (append(text, logits), kept(cache), size),
        parallel_iterations=1,
    )
    return text


def as_asked(rules, rule_numbers, asked):
    """What `write` chooses tokens by, when a call says how.

    Args:
        rules: tuple of rules, applied first.
        rule_numbers: their numbers, tensors.
        asked: dict of tensors: `seed`, int64; `temperature`, float32, 0 for the most
            likely token; `top_k`, int32, 0 for all tokens; `top_p`, float32, 1 for all.

    Returns:
        `choose`.
    """
    seed = tf.bitcast(asked["seed"], tf.uint32)  # low half first
    share = tf.round(tf.cast(asked["top_p"], tf.float64) * DIGITS) / DIGITS
    mass = tf.cast(tf.round(share * draws.UNIT), tf.int32)
    mass = tf.where(share < 1, tf.maximum(mass, 1), NO_LIMIT)
    sampler = Sample()

    def choose(logits, history):
        logits = apply_rules(rules, logits, history, rule_numbers)
        size = logits.shape[-1]
        top_k = tf.where(asked["top_k"] > 0, asked["top_k"], size)
        temperature = tf.maximum(asked["temperature"], COLDEST)
        plain = {"temperature": temperature, "rules": ()}
        likely = {**plain, "top_k": tf.minimum(top_k, size), "top_p": mass}

        def restricted():
            some = (top_k < size) | (share < 1)
            return tf.cond(
                some,
                lambda: sampler.restrict(logits, likely),
                lambda: sampler.restrict(logits, plain),
            )

        def draw():
            chances = draws.uniform(seed, history.lengths)
            return draws.categorical(restricted(), chances)

        def best():
            return Greedy().choose(logits, history, seed, {"rules": ()})

        return tf.cond(asked["temperature"] > 0, draw, best)

    return choose
