"""Which symbol of a text each frame of its sound belongs to."""

import tensorflow as tf

__all__ = ["durations_of", "monotonic_alignment", "spread"]

NEVER = -1e9  # the score of what cannot be


def monotonic_alignment(scores, text_lengths, frame_lengths):
    """The best way from the first symbol to the last that never skips or turns back.

    The first frame belongs to the first symbol, the last to the last, and from a frame
    to the next one the symbol stays or is the one behind it. Of all these ways the one
    with the greatest sum of scores is found, by dynamic programming. There is no
    gradient.

    Args:
        scores: float `(B, T, F)`, how well symbol and frame go together.
        text_lengths: int `(B,)`, symbols of each row, from 1 to T.
        frame_lengths: int `(B,)`, frames of each row, at least as many as symbols.

    Returns:
        int32 `(B, F)`: the symbol of each frame, the last one behind the end. A row of
        fewer frames than symbols has the last frames' symbols only.

    Reference: Kim et al. 2020, algorithm 1, https://arxiv.org/abs/2005.11129
    """
    scores = tf.stop_gradient(tf.cast(scores, "float32"))
    last = tf.cast(text_lengths, "int32") - 1
    ends = tf.cast(frame_lengths, "int32")
    return _best(tf.transpose(scores, (2, 0, 1)), ends, last)


# A graph of its own: eagerly its loops would be ones in Python.
@tf.function(autograph=False, reduce_retracing=True)
def _best(scores, ends, last):
    """int32 `(B, F)`, of scores `(F, B, T)`."""
    return _backward(_forward(scores, ends), last)


def _forward(scores, ends):
    """bool `(F, B, T)`: whether the best way to a symbol came from the one before."""
    count = tf.shape(scores)[0]
    places = tf.shape(scores)[2]
    first = tf.where(tf.range(places)[None] == 0, scores[0], NEVER)
    shape = scores.shape[1:]
    nowhere = tf.fill((tf.shape(scores)[1], 1), NEVER)

    def body(frame, best, arrived):
        from_before = tf.concat([nowhere, best[:, :-1]], axis=1)
        inside = (frame < ends)[:, None]
        moved = (from_before > best) & inside
        found = tf.where(moved, from_before, best)
        best = tf.where(inside, found + scores[frame], best)
        return frame + 1, tf.ensure_shape(best, shape), arrived.write(frame, moved)

    arrived = tf.TensorArray("bool", count, element_shape=shape)
    arrived = arrived.write(0, tf.zeros_like(first, "bool"))
    loop = tf.while_loop(lambda frame, *_: frame < count, body, (1, first, arrived))
    return loop[2].stack()


def _backward(arrived, last):
    """int32 `(B, F)`: the way that ends at the last symbols."""
    count = tf.shape(arrived)[0]

    def body(step, symbol, way):
        frame = count - 1 - step
        way = way.write(frame, symbol)
        came = tf.gather(arrived[frame], symbol, batch_dims=1)
        return step + 1, symbol - tf.cast(came, "int32"), way

    way = tf.TensorArray("int32", count, element_shape=last.shape)
    loop = tf.while_loop(lambda step, *_: step < count, body, (0, last, way))
    return tf.transpose(loop[2].stack())


def durations_of(symbols, frame_lengths, places):
    """How many frames each symbol has.

    Args:
        symbols: int `(B, F)`, of each frame, see `monotonic_alignment`.
        frame_lengths: int `(B,)`.
        places: int, T.

    Returns:
        int32 `(B, T)`. A row adds up to its frames.
    """
    inside = tf.sequence_mask(frame_lengths, tf.shape(symbols)[1], "int32")
    rows = tf.range(tf.shape(symbols)[0])[:, None] * places
    flat = tf.reshape(symbols + rows, (-1,))
    counts = tf.math.unsorted_segment_sum(
        tf.reshape(inside, (-1,)), flat, tf.shape(symbols)[0] * places
    )
    return tf.reshape(counts, (-1, places))


def spread(durations, length):
    """The symbol of each frame, where symbols have durations.

    Args:
        durations: int `(B, T)`, frames of each symbol.
        length: int, F.

    Returns:
        int32 `(B, F)`; the last symbol behind the end.
    """
    ends = tf.cumsum(tf.cast(durations, "int32"), axis=1)
    frames = tf.range(length)[None, :, None]
    passed = tf.reduce_sum(tf.cast(frames >= ends[:, None], "int32"), axis=2)
    return tf.minimum(passed, tf.shape(durations)[1] - 1)
