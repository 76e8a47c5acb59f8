"""Texts and their summaries: sources that return `Splits` for `Seq2SeqLM`.

A batch is that of `keras_genai.data.translation`. `held_out` and `test` are dicts of
two str arrays: `inputs`, `(N,)`, and `targets`, `(N, R)`, the summaries that people
wrote of each; where there are fewer than R, the rest is empty.
"""

import functools
import json

import numpy as np

from keras_genai.checks import check_size
from keras_genai.data import tokenizers
from keras_genai.data.batching import default_boundaries
from keras_genai.data.loading import Buckets, DataLoader, Splits
from keras_genai.data.parallel_text import pair_batch
from keras_genai.files.paths import folders
from keras_genai.files.text import lines, read_text

PARTS = ("train", "dev", "test")


def scitldr(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    tokenizer="bpe:8000",
    prefix="",
    input_length=512,
    target_length=64,
    start_token=None,
    stand_in=False,
):
    """SciTLDR: abstracts of computer science papers, and what they say in one sentence.

    1,992 / 619 / 618 papers with 1 / 2.3 / 3.2 summaries each. Abstracts have 159 words
    on average and 487 at most, summaries 20 and 102. What is longer than `input_length`
    and `target_length` is cut at its end; the name of the `Splits`, which a run prints,
    says how many of the training texts were.

    Args:
        batch_size: int, papers a batch.
        seed: int. Which papers come in which batch.
        data_dir: path of `train.jsonl`, `dev.jsonl` and `test.jsonl`, or of a folder
            with them in `scitldr`.
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`, of one that learns
            from both sides of the training papers.
        prefix: str before each abstract, what T5 calls the task.
        input_length: int, tokens of an abstract at most, the prefix included.
        target_length: int, tokens of a summary in training.
        start_token: int or `None` (the tokenizer's). What the decoder begins with.
        stand_in: bool. If `True`, 50 topics of Python's manual and the first sentence
            of each, for tests.

    Returns:
        `Splits`, with `test`. Loaders have one summary a paper, the first.

    Raises:
        FileNotFoundError: if the files are not in `data_dir`.
        ValueError: if a line has no `source` or no `target`.

    Reference: Cachola et al. 2020, https://arxiv.org/abs/2004.15011
    """
    check_size("input_length", input_length)
    check_size("target_length", target_length)
    parts = _topics() if stand_in else [_read(part, data_dir) for part in PARTS]
    parts = [[(prefix + text, summaries) for text, summaries in part] for part in parts]
    first = [[(text, summaries[0]) for text, summaries in part] for part in parts]
    texts = [text for pair in first[0] for text in pair]
    tokenizer = tokenizers.build(tokenizer, texts, **tokenizers.SPECIAL_TOKENS)
    rows = [_encoded(tokenizer, part) for part in first[:2]]
    loader = functools.partial(
        _loader, tokenizer, batch_size, seed, start_token, (input_length, target_length)
    )
    lengths = np.array([[len(side) for side in pair] for pair in rows[0]])
    cut = (lengths > (input_length, target_length)).sum(axis=0)
    name = "python_topics" if stand_in else "scitldr"
    return Splits(
        loader(rows[0], shuffle=True),
        loader(rows[1], shuffle=False),
        tokenizer,
        held_out=_columns(parts[1]),
        test=_columns(parts[2]),
        name=f"{name} ({cut[0]:,} of {len(first[0]):,} texts cut to {input_length} "
        f"tokens, {cut[1]:,} summaries to {target_length})",
    )


def _read(part, data_dir):
    """List of (text, list of summaries)."""
    for folder in folders(data_dir, "scitldr"):
        path = folder / f"{part}.jsonl"
        if path.is_file():
            found = enumerate(lines(read_text(path)), 1)
            return [_paper(line, f"{path}, line {n}") for n, line in found if line]
    raise FileNotFoundError(
        f"`data_dir` must have {part}.jsonl of SciTLDR-A, "
        f"https://github.com/allenai/scitldr. Received: data_dir={str(data_dir)!r}"
    )


def _paper(line, place):
    try:
        found = json.loads(line)
        text = found["source"]
        text = text if isinstance(text, str) else " ".join(map(str.strip, text))
        summaries = [summary.strip() for summary in found["target"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        text, summaries = "", []
    summaries = [summary for summary in summaries if summary]
    if not text.strip() or not summaries:
        raise ValueError(
            f"{place}, must have the sentences `source` and the list `target`. "
            f"Received: {line[:60]!r}"
        )
    return text.strip(), summaries


def _topics():
    """Topics of Python's manual: their text, and their first sentence and title."""
    from pydoc_data import topics

    found = []
    for name in sorted(topics.topics):
        title, *rest = topics.topics[name].strip().split("\n\n")
        prose = [" ".join(part.split()) for part in rest if not part.startswith(" ")]
        sentence, point, _ = " ".join(prose).partition(". ")
        if point and 20 < len(sentence) < 300:
            text = " ".join(prose)[:600]
            found.append((text, [f"{sentence}.", title.partition("\n")[0]]))
    found = found[:50]
    return [found[:-20], found[-20:-10], found[-10:]]


def _encoded(tokenizer, pairs):
    sides = [tokenizer.encode_batch(side) for side in zip(*pairs, strict=True)]
    return list(zip(*sides, strict=True))


def _loader(tokenizer, batch_size, seed, start_token, most, rows, shuffle):
    def collate(samples, length):
        make = pair_batch(tokenizer, (length, most[1]), start_token, most)
        return make(samples)

    lengths = np.array([min(len(row), most[0]) for row, _ in rows])
    ends = np.minimum(default_boundaries(lengths), most[0])
    buckets = Buckets(lengths, ends)
    return DataLoader(rows, batch_size, shuffle, collate, buckets, seed)


def _columns(part):
    texts, summaries = zip(*part, strict=True)
    most = max(map(len, summaries))
    filled = [[*each, *[""] * (most - len(each))] for each in summaries]
    return {"inputs": np.array(texts), "targets": np.array(filled)}
