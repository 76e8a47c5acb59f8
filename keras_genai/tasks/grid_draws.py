"""Grids of codes, drawn from a network that predicts each from those before it."""

import functools

import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures


def draw(task, count, labels, seed, temperature):
    """New grids of codes.

    Args:
        task: `CodeModel` whose `network` is called with codes `(B, h, w)` and labels.
        count: int.
        labels: int32 array `(count,)`, or `None` without classes.
        seed: int.
        temperature: float > 0. Divides the logits.

    Returns:
        int32 array `(count, h, w)`.
    """
    size = pictures.few_sizes(count)
    if labels is not None:
        labels = tf.constant(pictures.padded_rows(labels, size))
    function = compiled(
        task, ("draw", size), lambda: functools.partial(grids, task, size)
    )
    numbers = tf.constant(draws.key(seed)), tf.constant(temperature, tf.float32)
    return function(labels, *numbers).numpy()[:count]


def grids(task, count, labels, seed, temperature):
    """`draw` inside a graph.

    Args:
        task: see `draw`.
        count: int, or int scalar tensor.
        labels: int32 `(count,)` or `None`.
        seed: uint32 `(2,)`, as `keras_genai.draws.key` makes it.
        temperature: float32 scalar.

    Returns:
        int32 `(count, h, w)`.
    """
    height, width = task.grid_shape

    def step(place, codes):
        logits = task.network(tf.reshape(codes, (count, height, width)), labels)
        logits = tf.reshape(logits, (count, height * width, task.num_codes))
        # Not by TensorFlow's draws, which are others under XLA.
        chances = draws.uniform(seed, tf.fill([count], place))
        drawn = draws.categorical(logits[:, place] / temperature, chances)[:, None]
        here = tf.range(height * width)[None] == place
        return place + 1, tf.where(here, drawn, codes)

    start = tf.constant(0), tf.zeros((count, height * width), tf.int32)
    _, codes = tf.while_loop(lambda place, _: place < height * width, step, start)
    return tf.reshape(codes, (count, height, width))
