"""CTC: the loss of texts whose places in a sound nobody knows, and what it means.

A path has a symbol or the blank in every frame; a text is what is left of it when
repeats are merged and blanks dropped. The blank is symbol 0 everywhere.
"""

import tensorflow as tf

__all__ = ["ctc_feasible", "ctc_loss"]

BLANK = 0
# Stands for log 0: sums of several are finite, and nothing real is as small.
NEVER = -1e30


def ctc_loss(logits, labels, frames, label_lengths):
    """How surprising texts are, summed over all paths that spell them.

    Labels may be empty. Where a text cannot be spelled in its frames, because there
    are fewer than symbols and the blanks between equal ones, the loss and its gradient
    are 0: `ctc_feasible` tells these rows, which are to be counted. Padding of either
    kind changes nothing.

    The gradient is the softmax minus the posterior of the symbols, from sums forward
    and backward over time that share one loop, all in logarithms and in float32.

    Args:
        logits: float `(B, T, V)`; symbol 0 is the blank.
        labels: int `(B, L)` from 1 to V - 1, and anything from 0 on after their end.
        frames: int `(B,)`, from 0 to T: how many of each row are real.
        label_lengths: int `(B,)`, from 0 to L.

    Returns:
        float32 `(B,)`, negative log-probabilities in nats.

    Reference: Graves et al. 2006, Connectionist Temporal Classification, sections 3
        and 4, equations 6 to 16
    """
    labels, frames, lengths = (
        tf.cast(each, "int32") for each in (labels, frames, label_lengths)
    )
    counted = ctc_feasible(labels, frames, lengths) & (frames > 0)

    @tf.custom_gradient
    def run(logits):
        scores = tf.nn.log_softmax(logits)
        total, posterior = _sums(scores, labels, frames, lengths)
        real = tf.sequence_mask(frames, tf.shape(logits)[1]) & counted[:, None]

        def gradient(d_loss):
            # Chosen, not multiplied: what stands in other places may be no number.
            change = tf.where(real[:, :, None], tf.exp(scores) - posterior, 0.0)
            return d_loss[:, None, None] * change

        return tf.where(counted, -total, 0.0), gradient

    return run(tf.cast(logits, "float32"))


def ctc_feasible(labels, frames, label_lengths):
    """Whether each text can be spelled in its frames.

    Args:
        labels, frames, label_lengths: see `ctc_loss`.

    Returns:
        bool `(B,)`.
    """
    labels, frames, lengths = (
        tf.cast(each, "int32") for each in (labels, frames, label_lengths)
    )
    inside = tf.sequence_mask(lengths - 1, tf.maximum(tf.shape(labels)[1] - 1, 0))
    repeats = (labels[:, 1:] == labels[:, :-1]) & inside
    needed = lengths + tf.reduce_sum(tf.cast(repeats, "int32"), axis=1)
    return frames >= needed


# A function of its own, because the loop is a slow one in Python where nothing else is.
@tf.function(autograph=False)
def _sums(scores, labels, frames, lengths):
    """Log-probabilities of texts `(B,)`, posteriors of symbols `(B, T, V)`.

    Sums backward over time are sums forward over rows turned round, so that one loop
    over twice the rows has both.
    """
    states = _with_blanks(labels)  # (B, S)
    used = 2 * lengths + 1
    both = tf.concat([states, tf.reverse_sequence(states, used, seq_axis=1)], axis=0)
    turned = tf.reverse_sequence(scores, frames, seq_axis=1)
    emitted = _emitted(tf.concat([scores, turned], axis=0), both)  # (T, 2 * B, S)
    ahead, back = tf.split(_forward(emitted, _skips(both)), 2, axis=1)
    is_before = tf.sequence_mask(frames - 1, tf.shape(scores)[1])
    taken = tf.transpose(tf.reduce_max(back, axis=2))  # what `_forward` left out
    taken = tf.reduce_sum(tf.where(is_before, taken, 0.0), axis=1)
    back = tf.reverse_sequence(back, used, seq_axis=2, batch_axis=1)
    back = tf.reverse_sequence(back, frames, seq_axis=0, batch_axis=1)
    here = tf.split(emitted, 2, axis=1)[0]  # which both sums have in them
    through = tf.transpose(ahead + back - here, (1, 0, 2))  # (B, T, S)
    is_state = tf.sequence_mask(used, tf.shape(states)[1])[:, None]
    through = tf.where(is_state, through, NEVER)
    chosen = tf.one_hot(states, tf.shape(scores)[2], dtype="float32")  # (B, S, V)
    posterior = tf.matmul(tf.nn.softmax(through), chosen)
    # Every path is in some state in every frame, so any frame would do.
    return _log_sum(through[:, 0]) + taken, posterior


def _with_blanks(labels):
    """int32 `(B, 2 * L + 1)`: labels with a blank around each."""
    blanks = tf.fill(tf.shape(labels), BLANK)
    pairs = tf.stack([blanks, labels], axis=2)
    count, length = tf.unstack(tf.shape(labels))
    flat = tf.reshape(pairs, (count, 2 * length))
    return tf.pad(flat, [(0, 0), (0, 1)], constant_values=BLANK)


def _emitted(scores, states):
    """`(T, B, S)`: log-probabilities of each state's symbol in each frame."""
    by_symbol = tf.transpose(scores, (0, 2, 1))
    return tf.transpose(tf.gather(by_symbol, states, batch_dims=1), (2, 0, 1))


def _skips(states):
    """`(B, S)`: 0 where a path may come from two states before, else `NEVER`.

    It may leave out a blank between unequal symbols, and the first one.
    """
    two_before = tf.pad(states, [(0, 0), (2, 0)], constant_values=-1)[:, :-2]
    allowed = (states != BLANK) & (states != two_before)
    return tf.where(allowed, 0.0, NEVER)


def _forward(emitted, skips):
    """`(T, B, S)`: log-sums over all beginnings of paths that end in each state.

    Those of a frame lack the largest of each frame before, so that they stay small:
    float32 would keep few digits of the rest. Before the first frame, all is in a state
    left of the first blank.
    """
    length = emitted.shape[0] or tf.shape(emitted)[0]
    before = tf.fill(tf.shape(skips), NEVER)
    before = tf.pad(before, [(0, 0), (2, 0)], constant_values=NEVER)
    start = tf.one_hot(tf.ones_like(before[:, 0], "int32"), tf.shape(before)[1])
    before = tf.where(start > 0, 0.0, before)  # (B, 2 + S)

    def step(time, before, sums):
        ways = tf.stack([before[:, 2:], before[:, 1:-1], before[:, :-2] + skips])
        now = _log_sum(ways, axis=0) + emitted[time]
        before = now - tf.reduce_max(now, axis=1, keepdims=True)
        before = tf.pad(before, [(0, 0), (2, 0)], constant_values=NEVER)
        return time + 1, before, sums.write(time, now)

    sums = tf.TensorArray("float32", length, element_shape=emitted.shape[1:])
    *_, sums = tf.while_loop(
        lambda time, *_: time < length,
        step,
        (0, before, sums),
        maximum_iterations=length,
    )
    return sums.stack()


def _log_sum(values, axis=-1):
    """`tf.reduce_logsumexp` of finite values, in fewer operations."""
    largest = tf.reduce_max(values, axis=axis, keepdims=True)
    total = tf.math.log(tf.reduce_sum(tf.exp(values - largest), axis=axis))
    return total + tf.squeeze(largest, axis=axis)
