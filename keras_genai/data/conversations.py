"""Conversations, and prompts with completions: what a model learns to answer from.

A row is a dict with these keys, others are passed over; or a text alone:

    {"prompt": "2 + 2 =", "completion": " 4"}
    {"messages": [{"role": "user", "content": "Hi"},
                  {"role": "assistant", "content": "Hello"}]}
    {"prompt": MESSAGES, "completion": MESSAGES}
    "Once upon a time."

Of two texts, the completion is learned, and the tokenizer's end token after it; of a
text alone all of it, framed by the tokenizer's start and end tokens. Messages, whose
roles are `system`, `user` and `assistant`, are written down by a `Turns`; what the
assistant says is learned, of the third kind in the completion only.

A row is encoded as the one text that it is, because the borders of tokens depend on
what is around them. Which tokens are learned is found by their characters; and what
stands before them must be encoded as it is without them, as `generate` reads it.
"""

import bisect
import os
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_genai.data.arguments import check_count
from keras_genai.data.held import as_rows
from keras_genai.data.loading import DataLoader
from keras_genai.files.plain import parse_json
from keras_genai.files.text import lines, read_text
from keras_genai.padding import pad_sequence

ROLES = {"system": "system", "user": "person", "assistant": "model"}


class Sample(NamedTuple):
    """A row as tokens.

    Attributes:
        tokens: int32 `(T,)`.
        learned: bool `(T,)`, true where the model is to write the token.
    """

    tokens: np.ndarray
    learned: np.ndarray


def from_jsonl(path):
    """The rows of a file with one JSON object a line.

    Args:
        path: str or path.

    Returns:
        list of dict.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if a line is no JSON object, or if there is none.
    """
    found = []
    for number, line in enumerate(lines(read_text(path)), 1):
        if line.strip():
            found.append(_object(line, f"{path}, line {number}"))
    if not found:
        raise ValueError(f"{path} must have at least one line. Received: an empty file")
    return found


def rows(value, name="rows"):
    """Samples one by one, of a `.jsonl` file, too.

    Args:
        value: path object of such a file; or what `held.as_rows` takes: a list, a
            generator, a `tf.data.Dataset`.
        name: str, what errors call it.

    Returns:
        Array or list.

    Raises:
        ValueError: if it is none of these, endless, or empty.
    """
    if isinstance(value, os.PathLike) and os.fspath(value).endswith(".jsonl"):
        return from_jsonl(value)
    return as_rows(value, name)


def loader(
    rows,
    tokenizer,
    turns=None,
    batch_size=16,
    length=None,
    packed=False,
    shuffle=True,
    seed=0,
    fixed=False,
):
    """Batches for a language model, of whose losses the mean is that of the words.

    Args:
        rows: list of dict or of str, see the head of this module.
        tokenizer: `Tokenizer`.
        turns: `Turns` with an `end`, of messages.
        batch_size: int. Rows of a batch, at most all there are.
        length: int or `None` (the longest). Tokens of a row; what is longer is cut at
            its end.
        packed: bool. Whether several samples share a row, see `pack`. The model must
            read `segments`.
        shuffle, seed, fixed: see `DataLoader`.

    Returns:
        `DataLoader` of `(inputs, targets, sample_weight)`. `inputs` is a dict of int32
        `tokens` `(B, T)`; `places` `(B, P)`, the columns after which a token is
        learned; and with `packed` `segments` `(B, T)`, which sample of the row a token
        is of, from 1, and 0 at padding. `targets`, int32 `(B, P)`, are those tokens.
        Weights, float32 `(B, P)`, are 0 at padding, and their mean is 1: the sum of the
        weighted losses over `B * P`, as Keras takes it, is the mean of all learned
        tokens of the batch.

    Raises:
        ValueError: if a row is none of these, if the model says nothing in it, or if a
            token is half the model's; the error says which row. If `length` leaves none
            of the model's words.
    """
    check_count("batch_size", batch_size)
    samples = _within(encode(rows, tokenizer, turns), length)
    arrays = batch(samples, length, packed, tokenizer.pad_token or 0)
    return DataLoader(
        arrays,
        min(batch_size, len(arrays[1])),
        shuffle=shuffle,
        seed=seed,
        transform=as_token_mean,
        fixed=fixed,
    )


def encode(rows, tokenizer, turns=None):
    """Rows as tokens, and which of them are learned.

    Args:
        rows, tokenizer, turns: see `loader`.

    Returns:
        list of `Sample`, one a row.

    Raises:
        ValueError: see `loader`.
    """
    if turns is not None and not all(isinstance(r, str) or _is_text(r) for r in rows):
        turns.check(tokenizer)
    return [_sample(row, tokenizer, turns, number) for number, row in enumerate(rows)]


def pairs(rows, tokenizer, turns):
    """What is read and what is written, for models with an encoder.

    Args:
        rows, tokenizer: see `loader`.
        turns: `Turns`, of messages.

    Returns:
        list of pairs of str: the prompt and the completion; of messages all that was
        said before, and the answer, for each that is learned.

    Raises:
        ValueError: if a row is none of a known kind; the error says which.
    """
    found = []
    for number, row in enumerate(rows):
        if _is_text(row):
            found.append((row["prompt"], row["completion"]))
            continue
        said, count = _said(row, tokenizer, number)
        answers = [place for place, (who, _) in enumerate(said) if who == "model"]
        found += [
            (turns.text(said[:place]), said[place][1]) for place in answers[-count:]
        ]
    return found


def pack(lengths, room):
    """Shares out sequences to rows: the longest first, each where it just fits.

    Args:
        lengths: ints `(N,)`, none above `room`.
        room: int, tokens of a row.

    Returns:
        list of lists of int: which sequences are in each row.

    Reference: Ding et al. 2024, section 3, https://arxiv.org/abs/2404.10830
    """
    packs, left = [], []  # `(room that is left, pack)`, the fullest first
    for index in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        place = bisect.bisect_left(left, (lengths[index], -1))
        rest, number = left.pop(place) if place < len(left) else (room, len(packs))
        if number == len(packs):
            packs.append([])
        packs[number].append(index)
        bisect.insort(left, (rest - lengths[index], number))
    return packs


def batch(samples, length=None, packed=False, pad_token=0):
    """The arrays of all rows.

    Args:
        samples: list of `Sample`, of `length + 1` tokens at most.
        length: int or `None` (the longest). Tokens of a packed row.
        packed: bool.
        pad_token: int.

    Returns:
        `(inputs, targets, sample_weight)`, see `loader`; weights are 0 or 1.
    """
    sizes = [len(sample.tokens) - 1 for sample in samples]  # the last one is no input
    width = length if packed and length else max(sizes)
    packs = pack(sizes, width) if packed else [[n] for n in range(len(samples))]
    made = [_row([samples[index] for index in members]) for members in packs]
    tokens, segments, places, targets = zip(*made, strict=True)
    inputs = {
        "tokens": pad_sequence(tokens, pad_token, width),
        "places": pad_sequence(places),
    }
    if packed:
        inputs["segments"] = pad_sequence(segments, length=width)
    counts = np.array([len(row) for row in places])[:, None]
    weight = np.arange(inputs["places"].shape[1]) < counts
    return inputs, pad_sequence(targets), weight.astype("float32")


def as_token_mean(batch, seed=None):
    """Weights whose mean is 1, so that a mean over all places is that of the tokens.

    Keras divides the sum of the losses by their number, those of weight 0 included.

    Args:
        batch: `(inputs, targets, sample_weight)`.
        seed: ignored; a `DataLoader` hands it on.
    """
    inputs, targets, weight = batch
    return inputs, targets, weight / tf.reduce_mean(weight)


def _object(line, place):
    try:
        found = parse_json(line)
    except ValueError as error:
        raise ValueError(f"{place}, cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{place}, must be a JSON object. Received: {line[:60]!r}")
    return found


def _whole(text, tokenizer):
    """A text alone, all of which is learned."""
    frame = (tokenizer.start_token, tokenizer.end_token)
    before, after = ([] if token is None else [token] for token in frame)
    tokens = np.array([*before, *tokenizer.encode(text), *after], "int32")
    return Sample(tokens, np.ones(len(tokens), bool))


def _sample(row, tokenizer, turns, number):
    if isinstance(row, str):
        return _checked(_whole(row, tokenizer), row, number)
    text, spans = _written(row, tokenizer, turns, number)
    tokens, offsets = tokenizer.encode_with_offsets(text)
    learned = np.zeros(len(tokens), bool)
    for start, stop in spans:
        before = tokenizer.encode(text[:start])
        starts, ends = offsets[:, 0], offsets[:, 1]
        across = ((starts < stop) & (ends > stop)).any()
        if across or not np.array_equal(tokens[: len(before)], before):
            raise ValueError(
                f"What the model says in row {number} must be tokens of its own, the "
                "blank before a word among them. Received: one token across "
                f"{text[max(start - 20, 0) : start]!r}, {text[start:stop][:20]!r} and "
                "what is behind"
            )
        inside = (ends > start) & (ends <= stop)
        learned |= inside & (np.arange(len(tokens)) >= len(before))
    if _is_text(row) and tokenizer.end_token is not None:
        tokens = np.append(tokens, np.int32(tokenizer.end_token))
        learned = np.append(learned, True)
    return _checked(Sample(tokens, learned), text, number)


def _checked(sample, text, number):
    if not sample.learned[1:].any():  # nothing is before the first token
        raise ValueError(
            f"Row {number} must have something for the model to say. "
            f"Received: {text[:60]!r}"
        )
    return sample


def _written(row, tokenizer, turns, number):
    """`(text, spans)` of a row, see `Turns.spans`."""
    if _is_text(row):
        if not row["prompt"]:
            raise ValueError(
                f"`prompt` of row {number} must not be empty. Received: ''"
            )
        text = row["prompt"] + row["completion"]
        return text, [(len(row["prompt"]), len(text))] if row["completion"] else []
    said, count = _said(row, tokenizer, number)
    if turns is None or not turns.end:
        raise ValueError(
            "`turns` must have an `end`, from which the model learns to end an answer, "
            f"as `CHATML` has. Received: turns={turns!r}"
        )
    text, spans = turns.spans(said)
    return text, spans[len(spans) - count :]


def _is_text(row):
    """Whether a row is a prompt and a completion that are texts."""
    return isinstance(row, dict) and all(
        isinstance(row.get(key), str) for key in ("prompt", "completion")
    )


def _said(row, tokenizer, number):
    """What was said, and how many of the model's turns are learned, the last ones.

    Returns:
        `(turns, count)`: list of `(speaker, text)`, and int.
    """
    keys = set(row) if isinstance(row, dict) else set()
    if "messages" in keys:
        parts = [[], _messages(row["messages"], tokenizer, number)]
    elif {"prompt", "completion"} <= keys:
        parts = [
            _messages(row[key], tokenizer, number) for key in ("prompt", "completion")
        ]
    else:
        raise ValueError(
            f"Row {number} must be a str, or a dict with `prompt` and `completion`, or "
            f"with `messages`. Received: {str(row)[:80]}"
        )
    count = sum(who == "model" for who, _ in parts[1])
    if not count:
        raise ValueError(
            f"Row {number} must have a message of the assistant to learn from. "
            f"Received: {str(row)[:80]}"
        )
    return [turn for part in parts for turn in part], count


def _messages(messages, tokenizer, number):
    """list of `(speaker, text)`, in which nobody spells a special token."""
    if isinstance(messages, dict):  # a column for each key, as tf.data has it
        messages = [
            dict(zip(messages, values, strict=True))
            for values in zip(*messages.values(), strict=True)
        ]
    found = []
    for message in messages:
        known = isinstance(message, dict) and message.get("role") in ROLES
        if not known or not isinstance(message.get("content"), str):
            raise ValueError(
                f"A message of row {number} must have a `role`, one of "
                f"{', '.join(ROLES)}, and a str `content`. Received: "
                f"{str(message)[:80]}"
            )
        said = tokenizer.without_special(message["content"])
        found.append((ROLES[message["role"]], said))
    return found


def _row(samples):
    """`(tokens, segments, places, targets)` of samples side by side, int32 `(T,)`."""
    begins = np.cumsum([0, *(len(sample.tokens) - 1 for sample in samples)])
    tokens, segments, places, targets = [], [], [], []
    for number, (sample, begin) in enumerate(zip(samples, begins, strict=False), 1):
        own = np.flatnonzero(sample.learned[1:])
        tokens.append(sample.tokens[:-1])
        segments.append(np.full(len(sample.tokens) - 1, number))
        places.append(begin + own)
        targets.append(sample.tokens[1:][own])
    parts = (tokens, segments, places, targets)
    return tuple(np.concatenate(part).astype("int32") for part in parts)


def _within(samples, length):
    """Samples cut to `length` inputs, those left out that have no word then."""
    if length is None:
        return samples
    check_count("length", length)
    cut = [Sample(*(part[: length + 1] for part in sample)) for sample in samples]
    kept = [sample for sample in cut if sample.learned[1:].any()]
    lost = len(cut) - len(kept)
    if not kept:
        raise ValueError(
            "`length` must leave some of the model's words in a row. "
            f"Received: {length=}, and prompts that are longer"
        )
    if lost:
        warnings.warn(
            f"{lost:,} of {len(cut):,} rows are left out, whose prompts alone have "
            f"length={length} tokens",
            stacklevel=3,
        )
    return kept
