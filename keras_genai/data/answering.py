"""Questions on texts that hold the answers: sources for `QuestionAnswering`.

A batch is `({"tokens", "tokens_mask", "segments"}, {"start", "end"})`, int32 `(B, T)`
and `(B,)`: a question beside one window of its text, and the first and the last token
of the answer, which are 0 in a window that has not the whole of it. `held_out` and
`test` are dicts of object arrays, `questions` and `contexts`, `(N,)` str, and
`answers`, `(N,)` tuples of str: all that are right, none if the text has no answer.
Sources are found by name with `source("people")`.
"""

import json
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_genai.data import framing, lives, naming, published, tokenizers
from keras_genai.data.arguments import check_length
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.data.spans import answer_span, token_span, windows
from keras_genai.files.paths import as_path
from keras_genai.files.text import read_text

_CHUNK = 512  # questions whose windows are in memory as objects


class Question(NamedTuple):
    """A question, its text, and the answers in it, each with its first character."""

    question: str
    context: str
    answers: tuple
    starts: tuple


def people(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    tokenizer="wordpiece:3000",
    length=64,
    stride=24,
    stand_in=False,
):
    """Questions about short lives of people, made up, offline: 16,000 / 500 / 1,000.

    A text says of several people where and when they were born, where they moved, what
    they do and what they bought, one fact a sentence. Their names are real, ship with
    the package, and are not the same in any two of the three parts. See
    `keras_genai.data.lives`.

    Args:
        batch_size: int, windows a batch.
        seed: int. Which windows come in which batch.
        data_dir: unused.
        tokenizer: `"wordpiece:SIZE"`, learned from the training texts in lower case, or
            a `Tokenizer` that frames pairs.
        length: int, tokens of a window.
        stride: int or `None`. See `keras_genai.data.spans.windows`.
        stand_in: bool. If `True`, 40 / 8 / 8 questions, for tests.

    Returns:
        `Splits`, with `test`.
    """
    check_length(length)
    counts = (40, 8, 8) if stand_in else (16_000, 500, 1_000)
    parts = [
        [Question(*made) for made in lives.questions(part, count)]
        for part, count in enumerate(counts)
    ]
    return _splits("people", parts, batch_size, seed, tokenizer, length, stride)


def squad(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    tokenizer="wordpiece:30000",
    length=384,
    stride=None,
    stand_in=False,
):
    """SQuAD, or other data in its files, with unanswerable questions or without.

    Of the `.json` files in a folder, those with `dev`, `val` or `test` in their name
    validate, the others train. Without the former, the last tenth of the articles does.

    Args:
        batch_size: int, windows a batch.
        seed: int. Which windows come in which batch.
        data_dir: path of the files, for instance `train-v1.1.json` and `dev-v1.1.json`,
            or of a folder with them in `squad`.
        tokenizer, length, stride: see `people`. A text of more than `length` tokens
            is several windows, each of which is trained on.
        stand_in: bool. If `True`, that of `people`, for tests.

    Returns:
        `Splits`, without `test`: that of SQuAD is hidden.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is not of that format, or if an answer is not in its text.

    Reference: Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, and 2018 (v2.0),
        https://arxiv.org/abs/1806.03822
    """
    check_length(length)
    if stand_in:
        own = dict(tokenizer=tokenizer, length=length, stride=stride)
        return people(batch_size, seed, stand_in=True, **own)
    files = _files(data_dir)
    dev = [path for path in files if _is_held_out(path)]
    train = [article for path in files if path not in dev for article in _read(path)]
    held_out = [article for path in dev for article in _read(path)]
    if not train or (not dev and len(train) < 2):
        raise ValueError(
            "`data_dir` must have articles to train and to validate on. Received: "
            f"{len(train)} in {', '.join(path.name for path in files)}"
        )
    if not dev:
        cut = -max(1, len(train) // 10)
        train, held_out = train[:cut], train[cut:]
    parts = [[q for article in part for q in article] for part in (train, held_out)]
    name = files[0].parent.name or "squad"
    return _splits(name, [*parts, None], batch_size, seed, tokenizer, length, stride)


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"people"` or `"squad"`.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
    """
    known = {"people": people, "squad": squad}
    if spec in known:
        return known[spec]
    others = "; `squad` reads any files of that format in --data-dir"
    raise naming.unknown(spec, [*known], others)


def _splits(name, parts, batch_size, seed, tokenizer, length, stride):
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = _learned(parts[0], tokenizer)
    train, held_out = (_arrays(part, tokenizer, length, stride) for part in parts[:2])
    return Splits(
        DataLoader(train, batch_size, seed=seed, transform=_widen),
        DataLoader(
            held_out, batch_size, shuffle=False, drop_remainder=False, transform=_widen
        ),
        tokenizer,
        held_out=_columns(parts[1]),
        test=None if parts[2] is None else _columns(parts[2]),
        name=name,
    )


def _learned(questions, name):
    """WordPiece of questions and texts, each text once."""
    _, size = tokenizers.parse(name, ["wordpiece:SIZE"])
    corpus = dict.fromkeys(text for asked in questions for text in asked[:2])
    learned = tokenizers.wordpiece(corpus, size, lowercase=True)
    return published.for_encoder(learned)


def _arrays(questions, tokenizer, length, stride):
    """All windows of all questions, padded, and where the first answer is in each."""
    inputs, spans = [], []
    for first in range(0, len(questions), _CHUNK):
        found = []
        for asked in questions[first : first + _CHUNK]:
            place = (0, 0)
            if asked.answers:
                place = answer_span(asked.context, asked.starts[0], asked.answers[0])
            for window in windows(
                tokenizer, asked.question, asked.context, length, stride
            ):
                found.append(window)
                spans.append(token_span(window, *place))
        batch = framing.collate(found, tokenizer.pad_token, length)
        small = {key: batch[key].astype("int8") for key in ("tokens_mask", "segments")}
        inputs.append({"tokens": batch["tokens"], **small})
    starts, ends = np.asarray(spans, "int32").T
    joined = {key: np.concatenate([one[key] for one in inputs]) for key in inputs[0]}
    return joined, {"start": starts, "end": ends}


def _widen(batch, seed):
    """Masks and segments are kept in bytes, of which SQuAD has 70 million."""
    inputs, targets = batch
    return {key: tf.cast(rows, "int32") for key, rows in inputs.items()}, targets


def _columns(questions):
    columns = {
        "questions": [asked.question for asked in questions],
        "contexts": [asked.context for asked in questions],
        "answers": [asked.answers for asked in questions],
    }
    return {key: _objects(values) for key, values in columns.items()}


def _objects(values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _files(data_dir):
    for folder in () if data_dir is None else (data_dir, f"{data_dir}/squad"):
        files = sorted(as_path(folder, "data_dir").glob("*.json"))
        if files:
            return files
    raise FileNotFoundError(
        "`data_dir` must have JSON files like train-v1.1.json and dev-v1.1.json of "
        f"https://rajpurkar.github.io/SQuAD-explorer. Received: {str(data_dir)!r}"
    )


def _is_held_out(path):
    return any(mark in path.stem.lower() for mark in ("dev", "val", "test"))


def _read(path):
    """The articles of a file: a list of lists of `Question`."""
    try:
        content = json.loads(read_text(path))
        return [
            [
                _question(asked, paragraph["context"])
                for paragraph in article["paragraphs"]
                for asked in paragraph["qas"]
            ]
            for article in content["data"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be JSON as SQuAD's is: data, paragraphs, context and qas. "
            f"Received: {type(error).__name__}: {str(error)[:80]}"
        ) from None


def _question(asked, context):
    answers = [] if asked.get("is_impossible") else asked["answers"]
    return Question(
        asked["question"].strip(),
        context,
        tuple(answer["text"] for answer in answers),
        tuple(int(answer["answer_start"]) for answer in answers),
    )
