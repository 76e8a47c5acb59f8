"""CTC: the loss of texts whose places in a sound nobody knows, and what it means.

A path has a symbol or the blank in every frame; a text is what is left of it when
repeats are merged and blanks dropped. The blank is symbol 0 everywhere.
"""

import math

import tensorflow as tf

from keras_genai.xla import in_xla

__all__ = ["ctc_feasible", "ctc_loss"]

BLANK = 0
# Stands for log 0: sums of several are finite, and nothing real is as small.
NEVER = -1e30


def ctc_loss(logits, labels, frames, label_lengths):
    """How surprising texts are, summed over all paths that spell them.

    Labels may be empty. Where a text cannot be spelled in its frames, because there
    are fewer than symbols and the blanks between equal ones, the loss and its gradient
    are 0: `ctc_feasible` tells these rows, which are to be counted. Padding of either
    kind changes nothing. Logits may be -inf, of symbols that must not be: if a text
    cannot do without, its loss is inf and its gradient 0.

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
        # Not -inf, which may be all that there is to subtract; NaN stays.
        scores = tf.maximum(tf.nn.log_softmax(logits), NEVER)
        # XLA would compute anew for each frame what a few before it share.
        unrolled = 1 if in_xla() else 4
        total, posterior = _sums(scores, labels, frames, lengths, unrolled)
        impossible = total < NEVER / 2
        total = tf.where(impossible, -math.inf, total)
        learned = (counted & ~impossible)[:, None]
        real = tf.sequence_mask(frames, tf.shape(logits)[1]) & learned

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
def _sums(scores, labels, frames, lengths, unrolled):
    """Log-probabilities of texts `(B,)`, posteriors of symbols `(B, T, V)`.

    Sums backward over time are sums forward over everything turned round, padding
    included, so that one loop over twice the rows has both, `unrolled` frames a turn.
    """
    count, symbols = tf.unstack(tf.shape(scores)[1:])
    used = 2 * lengths + 1
    states = _states(labels, used, symbols)  # (B, S)
    emitted = _emitted(scores, states, frames, unrolled)  # (T', S, B)
    skips = tf.concat([_skips(states), _skips(tf.reverse(states, [1]))], axis=0)
    last = tf.shape(states)[1] - 1 - used  # of the padding, where it comes first
    start = tf.concat([tf.fill(tf.shape(last), -1), last], axis=0)
    both = tf.concat([emitted, tf.reverse(emitted, [0, 1])], axis=2)
    sums, taken = _forward(both, tf.transpose(skips), start, unrolled)
    ahead, back = tf.split(sums, 2, axis=2)
    through = ahead + tf.reverse(back, [0, 1]) - emitted  # which both have in them
    through = tf.transpose(through, (2, 0, 1))[:, :count]  # (B, T, S)
    chosen = tf.one_hot(states, symbols, dtype="float32")  # (B, S, V)
    posterior = tf.matmul(tf.nn.softmax(through), chosen)
    # Every path is in some state in every frame. Forward, the first one lacks nothing.
    total = tf.reduce_logsumexp(through[:, 0], axis=1) + tf.split(taken, 2)[1]
    return total, posterior


def _states(labels, used, padding):
    """int32 `(B, 2 * L + 2)`: a blank, labels with one after each, then `padding`."""
    labels = tf.pad(labels, [(0, 0), (0, 1)])
    pairs = tf.stack([tf.fill(tf.shape(labels), BLANK), labels], axis=2)
    count, length = tf.unstack(tf.shape(labels))
    states = tf.reshape(pairs, (count, 2 * length))
    return tf.where(tf.sequence_mask(used, 2 * length), states, padding)


def _emitted(scores, states, frames, multiple):
    """`(T', S, B)`: log-probabilities of each state's symbol in each frame.

    Frames are made up to such a multiple. In one that is not real padding is
    certain, and in a real one it never is.
    """
    length = tf.shape(scores)[1]
    more = -length % multiple
    real = tf.sequence_mask(frames, length + more)[:, None]  # (B, 1, T')
    scores = tf.transpose(tf.pad(scores, [(0, 0), (0, more), (0, 0)]), (0, 2, 1))
    scores, padding = tf.where(real, scores, NEVER), tf.where(real, NEVER, 0.0)
    by_symbol = tf.concat([scores, padding], axis=1)  # (B, V + 1, T')
    return tf.transpose(tf.gather(by_symbol, states, batch_dims=1), (2, 1, 0))


def _skips(states):
    """`(B, S)`: 0 where a path may come from two states before, else `NEVER`.

    It may leave out a blank between unequal symbols, and the first one.
    """
    two_before = tf.pad(states, [(0, 0), (2, 0)], constant_values=-1)[:, :-2]
    allowed = (states != BLANK) & (states != two_before)
    return tf.where(allowed, 0.0, NEVER)


def _forward(emitted, skips, start, unrolled):
    """Log-sums over all beginnings of paths that end in each state.

    They lack the largest that was there before each `unrolled` frames, so that they
    stay small: float32 would keep few digits of the rest.

    Args:
        emitted: `(T', S, B)`.
        skips: `(S, B)`.
        start: int32 `(B,)`. The state before the first frame, from -1 on.
        unrolled: int, of which `T'` is a multiple.

    Returns:
        `(T', S, B)`; and `(B,)`, what those of the last frames lack.
    """
    states, rows = tf.unstack(tf.shape(skips))
    blocks = tf.reshape(emitted, (-1, unrolled, states, rows))
    count = tf.shape(blocks)[0]
    # With two more states at the beginning, all have two before them.
    before = tf.one_hot(start + 2, states + 2, 0.0, NEVER, axis=0)

    def step(block, before, taken, sums):
        largest = tf.reduce_max(before, axis=0, keepdims=True)
        before, found = before - largest, []
        for here in tf.unstack(blocks[block]):
            ways = before[2:], before[1:-1], before[:-2] + skips
            found.append(_log_sum(*ways) + here)
            before = tf.pad(found[-1], [(2, 0), (0, 0)], constant_values=NEVER)
        return block + 1, before, taken + largest[0], sums.write(block, tf.stack(found))

    sums = tf.TensorArray("float32", count, element_shape=blocks.shape[1:])
    _, _, taken, sums = tf.while_loop(
        lambda block, *_: block < count,
        step,
        (0, before, tf.zeros((rows,)), sums),
        maximum_iterations=count,
    )
    return tf.reshape(sums.stack(), tf.shape(emitted)), taken


def _log_sum(one, two, three):
    """`tf.reduce_logsumexp` of three finite tensors, without putting them together."""
    largest = tf.maximum(tf.maximum(one, two), three)
    total = tf.exp(one - largest) + tf.exp(two - largest) + tf.exp(three - largest)
    return tf.math.log(total) + largest
