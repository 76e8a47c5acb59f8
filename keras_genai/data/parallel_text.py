"""Parallel text: reading it, cutting it into tokens, and batches for `Seq2SeqLM`."""

import functools
import gzip
import pathlib

import numpy as np

from keras_genai.data import framing, tokenizers
from keras_genai.data.loading import Buckets, DataLoader, Splits
from keras_genai.files.text import decode, lines, read_bytes
from keras_genai.padding import pad_sequence


def pair_batch(
    tokenizer,
    lengths=None,
    start_token=None,
    max_lengths=(None, None),
    same_length=False,
):
    """A collate function from pairs to batches of a `Seq2SeqLM`.

    Texts are framed as the tokenizer frames them; a target without an end token gets
    one. Padding has no part in the loss. What is read may also be arrays of anything
    else, `(S, ...)`, and is padded in the same way.

    Args:
        tokenizer: `Tokenizer`. Without a `pad_token`, zeros are the padding.
        lengths: pair of int or `None`. The padded lengths of inputs and targets;
            `None` is each batch's own longest.
        start_token: int or `None` (the tokenizer's). What the decoder begins with.
        max_lengths: pair of int or `None`. Inputs and targets are cut to so many
            tokens, see `shortened`.
        same_length: bool. If `True`, a `length` is that of the targets, too.

    Returns:
        Function of `(samples, length=None)`: a list of pairs of str, or of pairs of
        arrays, to `({"inputs": int32 (B, S), "inputs_mask": bool (B, S),
        "targets": int32 (B, T)}, labels, sample_weight)`, the last two int32 and
        float32 `(B, T)`. `length` counts for the inputs, as it does for a loader's
        `buckets`.

    Raises:
        ValueError: if there is no start or no end token.
    """
    start, end = framing.ends(tokenizer, start_token)
    pad = tokenizer.pad_token or 0
    longest_input, longest_target = max_lengths

    def ended(row):
        body = row[:-1] if len(row) and row[-1] == end else row
        body = body[: longest_target and longest_target - 1]
        return np.append(body, end)

    def encoded(rows, tokenizer):
        return tokenizer.encode_batch(rows) if isinstance(rows[0], str) else rows

    def collate(samples, length=None):
        inputs, targets = zip(*samples, strict=True)
        inputs = [
            shortened(row, longest_input, end) for row in encoded(inputs, tokenizer)
        ]
        labels = [ended(row) for row in encoded(targets, tokenizer.written)]
        sizes = (length, length if same_length else None)
        sizes = sizes if lengths is None else lengths
        whole = pad_sequence(inputs, pad, sizes[0])
        counts = np.array([len(row) for row in inputs])[:, None]
        answers = pad_sequence(labels, pad, sizes[1]).astype("int32")
        shifted = np.concatenate(
            [np.full((len(labels), 1), start, "int32"), answers[:, :-1]], axis=1
        )
        is_label = np.arange(answers.shape[1]) < np.array([[len(r)] for r in labels])
        features = {
            "inputs": whole.astype("int32") if whole.dtype.kind in "iu" else whole,
            "inputs_mask": np.arange(whole.shape[1]) < counts,
            "targets": shifted,
        }
        return features, answers, is_label.astype("float32")

    return collate


def shortened(row, most, end_token=None):
    """A sequence cut to a length; a text that has an end token keeps it.

    Args:
        row: array `(T, ...)`.
        most: int >= 1 or `None`, any number of tokens.
        end_token: int or `None`.

    Returns:
        Array, `(min(T, most), ...)`.
    """
    if most is None or len(row) <= most:
        return row
    ended = end_token is not None and np.ndim(row) == 1 and row[-1] == end_token
    return np.append(row[: most - 1], row[-1:]) if ended else row[:most]


def parallel_splits(
    parts,
    batch_size,
    seed,
    tokenizer,
    max_tokens,
    name,
    max_length=None,
    padded_lengths=None,
):
    """`Splits` of parallel text, in batches of pairs of similar length.

    Args:
        parts: three lists of pairs of str: training, validation and test.
        batch_size: int, pairs a batch at most.
        seed: int. Which pairs come in which batch.
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`, of one that learns
            from the training pairs, both sides together.
        max_tokens: int or `None`. Tokens of one side of a batch, padding included.
        name: str.
        max_length: int or `None`. Longer pairs, in tokens, are left out of training
            and validation.
        padded_lengths: function from the lengths of pairs, int array `(N,)`, to those
            that they are padded to; or `None`: an eighth of the pairs each, the long
            ones in finer parts, in steps of four.
    """
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        texts = tuple(text for pair in parts[0] for text in pair)
        tokenizer = _learned(texts, tokenizer)
    collate = pair_batch(tokenizer, same_length=True)

    def loader(part, shuffle):
        both = tokenizer, tokenizer.written
        sides = [
            each.encode_batch(side)
            for each, side in zip(both, zip(*part, strict=True), strict=True)
        ]
        rows = list(zip(*sides, strict=True))
        lengths = np.array([max(len(a), len(b) + 1) for a, b in rows])
        if max_length is not None:
            kept = np.flatnonzero(lengths <= max_length)
            rows, lengths = [rows[index] for index in kept], lengths[kept]
        ends = np.unique((padded_lengths or _quantiles)(lengths))
        return DataLoader(
            rows,
            batch_size,
            shuffle=shuffle,
            collate=collate,
            buckets=Buckets(lengths, ends, max_tokens),
            seed=seed,
        )

    train, held_out, test = parts
    return Splits(
        loader(train, True),
        loader(held_out, False),
        tokenizer,
        held_out=columns(held_out),
        test=columns(test),
        name=name,
    )


def _quantiles(lengths):
    parts = [*np.arange(1, 8) / 8, 15 / 16, 63 / 64, 1.0]
    ends = np.quantile(lengths, parts, method="higher")
    return -(-ends.astype("int64") // 4) * 4


def read_pairs(path):
    """The user's pairs.

    Args:
        path: of a file with tabs, or two paths; see `translation.pairs`.

    Returns:
        list of pairs of str: all different ones with two sides, in the order of the
        files.

    Raises:
        ValueError: if a line has no tab, or if two files differ in length.
    """
    if is_path(path):
        rows = [line.split("\t") for line in _lines(path)]
        for number, row in enumerate(rows, 1):
            if len(row) < 2 and row != [""]:
                raise ValueError(
                    "`path` must have a tab in every line. "
                    f"Received: {row[0][:40]!r} in line {number}"
                )
        found = [(row[0].strip(), row[1].strip()) for row in rows if len(row) > 1]
    else:
        found = parallel_lines(path)
    return list(dict.fromkeys(pair for pair in found if all(pair)))


def is_path(path):
    """Whether this is one path, not two."""
    return isinstance(path, str | pathlib.Path)


def parallel_lines(paths):
    """The lines of two files side by side, as a list of pairs of str.

    Raises:
        ValueError: if the files differ in length.
    """
    first, second = (_lines(path) for path in paths)
    if len(first) != len(second):
        raise ValueError(
            f"`{paths[0]}` and `{paths[1]}` must have as many lines. "
            f"Received: {len(first)} and {len(second)}"
        )
    return [(a.strip(), b.strip()) for a, b in zip(first, second, strict=True)]


def _lines(path):
    content = read_bytes(path)
    if str(path).endswith(".gz"):
        content = gzip.decompress(content)
    # A carriage return alone ends no line: two files would no longer be side by side.
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    return lines(decode(content, path))


def columns(rows):
    """Pairs as the two arrays of `Splits.held_out`."""
    inputs, targets = zip(*rows, strict=True)
    return {"inputs": np.array(inputs), "targets": np.array(targets)}


@functools.lru_cache(maxsize=4)
def _learned(texts, name):
    """A tokenizer of these texts; the same texts are not read twice."""
    return tokenizers.build(name, texts, **tokenizers.SPECIAL_TOKENS)
