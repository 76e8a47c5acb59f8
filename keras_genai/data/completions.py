"""Prompts and what follows them, as arrays in which both are told apart.

A prompt and its completion are two texts, or two lists of messages; how they become
tokens is said in `keras_genai.data.conversations`, so that a policy sees what it was
trained to write. Padding is on the right, and is never looked for by its token, which
may be one that means something.
"""

import numpy as np

from keras_genai.data import conversations, framing
from keras_genai.padding import pad_sequence


def encode_completions(
    tokenizer,
    prompts,
    completions,
    length=None,
    ended=True,
    turns=None,
    name="rows",
):
    """Prompts and completions as rows of tokens.

    Args:
        tokenizer: `Tokenizer`. Its end token ends a text, if it has one.
        prompts: list of str, or of lists of messages.
        completions: list of as many of the same kind.
        length: int or `None`. Tokens of a row at most; the end of others is cut off.
        ended: bool, or sequence of bool: whether each completion is whole, and so has
            the end token.
        turns: `Turns` with an `end`, of messages.
        name: str, what errors call them.

    Returns:
        `(rows, prompt_lengths)`: list of int32 arrays `(T_i,)`, and int32 `(N,)`.

    Raises:
        ValueError: if a prompt leaves no room for a completion, and as
            `conversations.encode`.
    """
    pairs = _pairs(prompts, completions)
    samples = conversations.encode(pairs, tokenizer, turns)
    ended = np.broadcast_to(ended, len(samples))
    rows, begins = [], []
    for index, (sample, is_whole) in enumerate(zip(samples, ended, strict=True)):
        begin = int(np.argmax(sample.learned))
        tokens = sample.tokens
        if not is_whole and tokens[-1] == tokenizer.end_token:
            tokens = tokens[:-1]
        tokens = tokens[:length]
        if len(tokens) <= begin or not sample.learned[begin:].all():
            within = "" if length is None else f" that begins within {length} tokens"
            raise ValueError(
                f"`{name}` must each have a completion{within}, of one turn, to the "
                f"end. Received: row {index} with {begin} tokens before it"
            )
        rows.append(tokens.astype("int32"))
        begins.append(begin)
    return rows, np.array(begins, "int32")


def completion_arrays(tokenizer, prompts, sides, length=None, turns=None):
    """Several completions of each prompt as the arrays of a batch.

    Args:
        tokenizer, prompts, length, turns: see `encode_completions`.
        sides: list of K lists of as many completions.

    Returns:
        dict of `tokens`, int32 `(N, K, T)`, `prompt_lengths`, int32 `(N,)`, and
        `completion_mask`, bool `(N, K, L)`, true for as many columns as a completion
        has tokens.

    Raises: as `encode_completions`.
    """
    found = [
        encode_completions(tokenizer, prompts, side, length, turns=turns)
        for side in sides
    ]
    rows = [side for side, _ in found]
    prompt_lengths = found[0][1]
    counts = np.array([[len(row) for row in side] for side in rows]).T  # (N, K)
    return {
        "tokens": _stacked(rows, tokenizer.pad_token or 0),
        "prompt_lengths": prompt_lengths,
        "completion_mask": _first(counts - prompt_lengths[:, None]),
    }


def sequence_completion_arrays(
    tokenizer, prompts, sides, length=None, turns=None, start_token=None
):
    """The same for a `Seq2SeqLM`, which reads the prompt apart.

    Args:
        tokenizer, prompts, sides, turns: see `completion_arrays`.
        length: int or `None`. Tokens of either side at most.
        start_token: int or `None` (the tokenizer's). What the decoder begins with.

    Returns:
        dict of `inputs`, int32 `(N, S)`, and `inputs_mask`, bool; `tokens`, int32
        `(N, K, T)`, what the decoder reads; and `completion_mask`, bool
        `(N, K, T - 1)`.

    Raises:
        ValueError: if there is no start token or no end token, or a text is empty.
    """
    start, end = framing.ends(tokenizer, start_token)
    pad = tokenizer.pad_token or 0
    found = [written(tokenizer, prompts, side, turns) for side in sides]
    inputs = tokenizer.encode_batch(found[0][0])
    bodies = [tokenizer.encode_batch(side) for _, side in found]
    for texts in (inputs, *bodies):
        _refuse_empty(texts)
    rows = [[_framed(row, start, end)[:length] for row in side] for side in bodies]
    inputs = [row[:length] for row in inputs]
    return {
        "inputs": pad_sequence(inputs, pad).astype("int32"),
        "inputs_mask": _first(np.array([len(row) for row in inputs])),
        "tokens": _stacked(rows, pad),
        "completion_mask": _first(
            np.array([[len(row) - 1 for row in side] for side in rows]).T
        ),
    }


def written(tokenizer, prompts, completions, turns=None):
    """Prompts and completions as two lists of texts, messages written down.

    Args:
        tokenizer, prompts, completions, turns: see `encode_completions`.

    Raises:
        ValueError: if a completion has several turns of the model, and as
            `conversations.pairs`.
    """
    rows = _pairs(prompts, completions)
    found = conversations.pairs(rows, tokenizer, turns)
    if len(found) != len(rows):
        raise ValueError(
            "`rows` must have completions of one turn. Received: "
            f"{len(found)} turns in {len(rows)} rows"
        )
    return [prompt for prompt, _ in found], [answer for _, answer in found]


def _pairs(prompts, completions):
    """Rows as `conversations` knows them."""
    return [
        {"prompt": prompt, "completion": completion}
        for prompt, completion in zip(prompts, completions, strict=True)
    ]


def _framed(row, start, end):
    """int array: a text between its start and its end token, which it may have."""
    body = row[:-1] if row[-1] == end else row
    return np.array([start, *body, end])


def _refuse_empty(rows):
    for index, row in enumerate(rows):
        if not len(row):
            raise ValueError(
                "`rows` must have prompts and completions of at least one token. "
                f"Received: an empty one in row {index}"
            )


def _first(counts):
    """bool `(..., largest)`: true in the first columns, as many as `counts` says."""
    return np.arange(counts.max()) < counts[..., None]


def _stacked(sides, pad):
    """int32 `(N, K, T)` of K lists of N rows."""
    longest = max(len(row) for side in sides for row in side)
    padded = [pad_sequence(side, pad, longest) for side in sides]
    return np.stack(padded, axis=1).astype("int32")
