"""The compiled beam search. Its scores and its stopping are those of transformers 5."""

from typing import NamedTuple

import tensorflow as tf

from keras_genai.samplers.rules import History, apply_rules

NEVER = -1e9  # the score of a candidate that must not win
SHARED = "memory"  # where a cache keeps what all candidates of a text share


class Beams(NamedTuple):
    """W open and W finished candidates for each of B texts.

    Attributes:
        tokens: int32 `(B, W, H)`. The open candidates, best first.
        scores: float32 `(B, W)`. Their log-probabilities.
        finished: int32 `(B, W, H)`. The finished candidates, best first.
        finished_lengths: int32 `(B, W)`.
        finished_scores: float32 `(B, W)`. Length penalty included.
        is_finished: bool `(B, W)`. Which of them are real.
        hopeful: bool `(B,)`. Whether an open candidate may still win.
    """

    tokens: tf.Tensor
    scores: tf.Tensor
    finished: tf.Tensor
    finished_lengths: tf.Tensor
    finished_scores: tf.Tensor
    is_finished: tf.Tensor
    hopeful: tf.Tensor


def search(decoder, sampler, window, cache, text, numbers):
    """Finds the best continuation of every row.

    Args:
        decoder: see `samplers.loop`. What its cache keeps under the key `"memory"`
            stays one row a text, though tokens come in `width` rows a text.
        sampler: `Beam`.
        window: `(tokens, positions)`, int32 `(B, P)` each, -1 where there is padding.
        cache: the empty cache, of B rows.
        text: `Text`, the prompts.
        numbers: as in `loop.prefill`.

    Returns:
        `Text`, all rows ended.
    """
    width = sampler.width
    tokens, positions = window
    logits, cache = decoder.decode(tokens, positions, cache, tf.constant(0))
    # The prompt is read once, and all candidates begin with what is known of it.
    repeat = tf.range(text.lengths.shape[0] * width) // width
    cache = _take(cache, repeat)
    beams = _start(text, width)
    logits = tf.gather(logits, repeat)
    beams, _ = _extend(beams, logits, text.lengths, 1, sampler, numbers)

    def goes_on(beams, cache, index, count):
        return tf.reduce_any(_is_open(beams, sampler))

    def step(beams, cache, index, count):
        lengths = _lengths(text.lengths, count, numbers)
        places = tf.repeat(lengths, width)[:, None] - 1  # (B * W, 1)
        flat = tf.reshape(beams.tokens, (places.shape[0], -1))
        last = tf.gather(flat, places, batch_dims=1)
        logits, cache = decoder.decode(last, places, cache, index)
        count += 1
        beams, parents = _extend(beams, logits, text.lengths, count, sampler, numbers)
        return beams, _reorder(cache, parents), index + 1, count

    beams, *_ = tf.while_loop(
        goes_on, step, (beams, cache, tf.constant(tokens.shape[1]), tf.constant(1))
    )
    done = tf.ones_like(text.done)
    return type(text)(beams.finished[:, 0], beams.finished_lengths[:, 0], done)


def _start(text, width):
    batch = text.lengths.shape[0]
    tokens = tf.repeat(text.tokens[:, None], width, axis=1)
    # Only the first candidate counts at first, or all would be the same.
    first = tf.range(width)[None] == 0
    return Beams(
        tokens=tokens,
        scores=tf.where(first, tf.zeros((batch, width)), NEVER),
        finished=tokens,
        finished_lengths=tf.repeat(text.lengths[:, None], width, axis=1),
        finished_scores=tf.fill((batch, width), NEVER),
        is_finished=tf.zeros((batch, width), tf.bool),
        hopeful=tf.ones((batch,), tf.bool),
    )


def _extend(beams, logits, prompt_lengths, count, sampler, numbers):
    """One step: `count` is the number of generated tokens after it.

    Returns:
        `(beams, parents)`: int32 `(B, W)`, the candidate each open one came from.
    """
    lengths = _lengths(prompt_lengths, count, numbers)
    scores = _candidate_scores(beams, logits, lengths - 1, sampler, numbers)
    vocabulary_size = logits.shape[-1]
    is_last = lengths >= numbers["max_length"]
    stops = tf.tile(numbers["stops"], [sampler.width])[None]  # (1, W * V)

    best = tf.math.top_k(scores, sampler.width)
    ends = tf.gather(numbers["stops"], best.indices % vocabulary_size)
    ends |= is_last[:, None]
    beams = _finish(beams, best, ends, lengths, count, sampler, numbers)

    kept = tf.math.top_k(tf.where(stops, scores + NEVER, scores), sampler.width)
    parents = kept.indices // vocabulary_size
    beams = beams._replace(
        tokens=_written(beams.tokens, kept.indices, lengths, vocabulary_size),
        scores=kept.values,
    )
    hopeful = _may_win(beams, lengths, count, sampler, numbers) & ~is_last
    return beams._replace(hopeful=beams.hopeful & hopeful), parents


def _lengths(prompt_lengths, count, numbers):
    """int32 `(B,)`: tokens in each text; a closed one stays at its full length."""
    return tf.minimum(prompt_lengths + count, numbers["max_length"])


def _candidate_scores(beams, logits, lengths, sampler, numbers):
    """float32 `(B, W * V)`: log-probability of each candidate with each token."""
    batch, width, size = beams.tokens.shape
    flat = tf.reshape(beams.tokens, (batch * width, size))
    source = numbers["source"]
    history = History(
        flat,
        tf.repeat(lengths, width),
        numbers["stops"],
        numbers["max_length"],
        None if source is None else tf.repeat(source, width, axis=0),
    )
    scores = tf.nn.log_softmax(logits)
    scores = apply_rules(sampler.rules, scores, history, numbers["sampler"]["rules"])
    scores += tf.reshape(beams.scores, (-1, 1))
    return tf.reshape(scores, (batch, -1))


def _finish(beams, best, ends, lengths, count, sampler, numbers):
    """Puts the best candidates that end with this step among the finished ones."""
    penalty = numbers["sampler"]["length_penalty"]
    scores = best.values / tf.cast(count, tf.float32) ** penalty
    closed = ~ends | ~_is_open(beams, sampler)[:, None]
    scores += tf.where(closed, NEVER, 0.0)
    size = best.values.shape[1]
    ours = _written(beams.tokens, best.indices, lengths, numbers["stops"].shape[0])

    merged = tf.math.top_k(tf.concat([beams.finished_scores, scores], 1), size)

    def select(old, new):
        return tf.gather(tf.concat([old, new], 1), merged.indices, batch_dims=1)

    new_lengths = tf.repeat(lengths[:, None], size, axis=1)
    return beams._replace(
        finished=select(beams.finished, ours),
        finished_lengths=select(beams.finished_lengths, new_lengths),
        finished_scores=merged.values,
        is_finished=select(beams.is_finished, ~closed),
    )


def _written(tokens, candidates, lengths, vocabulary_size):
    """The texts of candidates `(B, W)`: their parents' and one token more."""
    parents = tf.gather(tokens, candidates // vocabulary_size, batch_dims=1)
    end = tf.range(tokens.shape[2])[None] == lengths[:, None] - 1  # (B, H)
    chosen = candidates % vocabulary_size
    return tf.where(end[:, None], chosen[:, :, None], parents)


def _is_open(beams, sampler):
    """bool `(B,)`: the texts whose search goes on."""
    if sampler.early_stopping is True:
        return beams.hopeful & ~tf.reduce_all(beams.is_finished, axis=1)
    return beams.hopeful


def _may_win(beams, lengths, count, sampler, numbers):
    """bool `(B,)`: whether the best open candidate can beat a finished one."""
    penalty = numbers["sampler"]["length_penalty"]
    length = tf.broadcast_to(count, lengths.shape)
    if sampler.early_stopping == "never":
        longest = numbers["max_length"] - (lengths - count)
        length = tf.where(penalty > 0, longest, length)
    # Not `scores[:, 0]`: XLA merges such a slice with that of the `top_k` they are
    # from, does not know it again for one, and sorts all candidates.
    best = tf.reduce_max(beams.scores, axis=1)
    reachable = best / tf.cast(length, tf.float32) ** penalty
    worst = tf.reduce_min(beams.finished_scores, axis=1)
    # A place that nothing has finished in is free to any candidate.
    to_beat = tf.where(tf.reduce_all(beams.is_finished, axis=1), worst, NEVER)
    return reachable > to_beat


def _reorder(cache, parents):
    """The cache whose rows follow the candidates to their new places."""
    batch, width = parents.shape
    rows = tf.reshape(parents + tf.range(batch)[:, None] * width, [-1])
    return _take(cache, rows)


def _take(cache, rows):
    """Rows of all that is not shared."""
    if not isinstance(cache, dict) or SHARED not in cache:
        return tf.nest.map_structure(lambda leaf: tf.gather(leaf, rows), cache)
    own = {key: value for key, value in cache.items() if key != SHARED}
    return {**_take(own, rows), SHARED: cache[SHARED]}
