"""Sentences from film reviews with a label: 1 is praise, 0 is blame.

The files are `train.tsv`, `dev.tsv` and `test.tsv`: a sentence, a tab and its label on
each line. A stand-in of forty sentences written for this package needs no files.
"""

import importlib.resources

import numpy as np
import tensorflow as tf

from keras_genai.data import masking, published, tokenizers
from keras_genai.data.arguments import check_length, check_share
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.files.paths import as_path
from keras_genai.files.text import lines, read_text
from keras_genai.modalities.text import Label
from keras_genai.padding import pad_sequence

LABELS = ("negative", "positive")
_PARTS = ("train", "dev", "test")
_SPECIAL = dict(
    pad_token="[PAD]", start_token="[CLS]", end_token="[SEP]", unknown_token="[UNK]"
)


def sst2(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=48,
    tokenizer="wordpiece:10000",
    token_dropout=0.0,
    stand_in=False,
):
    """The Stanford Sentiment Treebank, whole sentences: 6,920 / 872 / 1,821.

    Args:
        batch_size: int.
        seed: int. Which sentences come in which batch.
        data_dir: path of the three files, or of a folder with them in `sst2`.
        length: int. Tokens a sentence, padding and two special ones included; what is
            longer is cut.
        tokenizer: `Tokenizer` with a padding, a start and an end token, or a name, see
            `tokenizers.build`, of one that learns from the training sentences.
        token_dropout: float. Share of the training tokens that become `[MASK]`, others
            in every epoch; Iyyer et al. 2015, section 2.2, on words.
        stand_in: bool. If `True`, the forty sentences, split 24 / 8 / 8, for tests.

    Returns:
        `Splits` with `test`. A batch is `({"tokens", "tokens_mask"}, labels)`, int32
        `(B, length)` and `(B,)`; `held_out` and `test` have these keys and `labels`.
        `texts` has `sentences` and `labels`, see `columns`.

    Raises:
        FileNotFoundError: if the files are not there.
        ValueError: if a line is not a sentence, a tab and 0 or 1.

    Reference: Socher et al. 2013, Recursive Deep Models for Semantic Compositionality
    """
    check_length(length, least=3)  # two special tokens, and one of the text
    check_share("token_dropout", token_dropout)
    parts = labelled_sentences(data_dir, stand_in)
    tokenizer = _tokenizer(tokenizer, parts[0])
    train, held_out, test = (_arrays(part, tokenizer, length) for part in parts)
    return Splits(
        DataLoader(
            _supervised(train),
            batch_size,
            seed=seed,
            transform=_token_dropout(tokenizer, token_dropout),
        ),
        DataLoader(
            _supervised(held_out), batch_size, shuffle=False, drop_remainder=False
        ),
        tokenizer,
        held_out,
        test,
        name="sst2",
        kinds=(Label(len(LABELS), LABELS),),
        texts={"train": columns(parts[0]), "test": columns(parts[2])},
    )


def sst2_masked(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=48,
    tokenizer="wordpiece:10000",
    rate=0.15,
    stand_in=False,
):
    """The same sentences without labels, some of their tokens hidden.

    Args:
        batch_size, seed, data_dir, length, tokenizer, stand_in: see `sst2`.
        rate: float. Share of tokens to be guessed.

    Returns:
        `Splits`. A batch is `({"tokens", "tokens_mask", "places"}, targets,
        sample_weight)`, see `keras_genai.data.masking.masker`.

    Raises: as `sst2`.
    """
    check_length(length, least=3)
    parts = labelled_sentences(data_dir, stand_in)
    tokenizer = _tokenizer(tokenizer, parts[0])
    hide = masking.masker(tokenizer, rate)
    pad = tokenizer.pad_token

    def hide_in_sentences(tokens, seed):
        inputs, targets, weight = hide(tokens, seed)
        mask = tf.cast(tokens != pad, "int32")
        return {**inputs, "tokens_mask": mask}, targets, weight

    rows = [_arrays(part, tokenizer, length)["tokens"] for part in parts]
    return Splits(
        DataLoader(rows[0], batch_size, seed=seed, transform=hide_in_sentences),
        DataLoader(
            rows[1],
            min(batch_size, len(rows[1])),
            shuffle=False,
            drop_remainder=True,
            seed=-1,
            transform=hide_in_sentences,
            fixed=True,
        ),
        tokenizer,
        rows[1],
        rows[2],
        name="sst2",
    )


def sst2_pairs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=48,
    tokenizer="wordpiece:10000",
    stand_in=False,
):
    """The same sentences as pairs of praise and blame, for a `RewardModel`.

    Every sentence of praise comes once an epoch, each time with another one of blame.

    Args:
        batch_size: int, pairs.
        seed: int. Which sentences come in which batch.
        data_dir, length, tokenizer, stand_in: see `sst2`.

    Returns:
        `Splits`. A batch is `{"tokens", "tokens_mask"}`, int32 `(B, 2, length)`, praise
        first; `held_out` and `test` are single sentences with `labels`, as in `sst2`.

    Raises: as `sst2`.
    """
    check_length(length, least=3)
    parts = labelled_sentences(data_dir, stand_in)
    tokenizer = _tokenizer(tokenizer, parts[0])
    train, held_out, test = (_arrays(part, tokenizer, length) for part in parts)
    return Splits(
        pair_loader(train, batch_size, seed),
        pair_loader(held_out, batch_size, -1, shuffle=False, fixed=True),
        tokenizer,
        held_out,
        test,
        name="sst2",
    )


def pair_loader(arrays, batch_size, seed, **settings):
    """Batches of praise, each sentence beside one of blame that is drawn.

    Args:
        arrays: dict of `labels`, int `(N,)`, and of rows of tokens.
        batch_size: int. Pairs, at most as many as there are sentences of praise.
        seed: int.
        **settings: of `DataLoader`.

    Returns:
        `DataLoader` of dicts of `(B, 2, ...)`, without `labels`.
    """
    labels = arrays["labels"]
    texts = {key: value for key, value in arrays.items() if key != "labels"}
    praise, blame = (
        {key: value[labels == label] for key, value in texts.items()}
        for label in (1, 0)
    )
    count = len(blame["tokens"])

    def beside(batch, seed):
        size = tf.shape(batch["tokens"])[:1]
        rows = tf.random.stateless_uniform(size, seed, maxval=count, dtype="int64")
        return {
            key: tf.stack([value, tf.gather(blame[key], rows)], axis=1)
            for key, value in batch.items()
        }

    batch_size = min(batch_size, len(praise["tokens"]))
    return DataLoader(praise, batch_size, seed=seed, transform=beside, **settings)


def labelled_sentences(data_dir=None, stand_in=False):
    """All sentences for training, validation and test.

    Args:
        data_dir, stand_in: see `sst2`.

    Returns:
        Three lists of `(sentence, label)`.

    Raises: as `sst2`.
    """
    if stand_in:
        shipped = importlib.resources.files("keras_genai.data") / "files/sentences.tsv"
        known = _lines(shipped.read_text("utf-8"), shipped)
        return known[:24], known[24:32], known[32:]
    folder = as_path(data_dir or ".", "data_dir")
    if (folder / "sst2").is_dir():
        folder = folder / "sst2"
    parts = []
    for part in _PARTS:
        path = folder / f"{part}.tsv"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is not there. SST-2 is {', '.join(_PARTS)} .tsv, with a "
                "sentence, a tab and its label a line; `data_dir` says where"
            )
        parts.append(_lines(read_text(path), path))
    return parts


def columns(rows):
    """Labelled sentences as arrays.

    Args:
        rows: list of `(sentence, label)`.

    Returns:
        dict of `sentences`, str `(N,)`, and `labels`, int32 `(N,)`.
    """
    sentences, labels = zip(*rows, strict=True)
    return {"sentences": np.array(sentences), "labels": np.array(labels, "int32")}


def _lines(text, path):
    pairs = []
    for number, line in enumerate(lines(text), 1):
        sentence, tab, label = line.rpartition("\t")
        if not tab or label not in ("0", "1") or not sentence.strip():
            raise ValueError(
                f"{path}, line {number}, must be a sentence, a tab and 0 or 1. "
                f"Received: {line[:60]!r}"
            )
        pairs.append((sentence.strip(), int(label)))
    return pairs


def _tokenizer(name, train):
    if isinstance(name, tokenizers.Tokenizer):
        return name
    sentences = [sentence for sentence, _ in train]
    return published.for_encoder(tokenizers.build(name, sentences, **_SPECIAL))


def _arrays(pairs, tokenizer, length):
    """Sentences framed and padded, and their labels, as a dict of arrays."""
    sentences, labels = zip(*pairs, strict=True)
    start, end = [tokenizer.start_token], [tokenizer.end_token]
    rows = [
        np.concatenate([start, row[: length - 2], end]).astype("int32")
        for row in tokenizer.encode_batch(sentences, add_special_tokens=False)
    ]
    tokens = pad_sequence(rows, tokenizer.pad_token, length)
    return {
        "tokens": tokens,
        "tokens_mask": (tokens != tokenizer.pad_token).astype("int32"),
        "labels": np.array(labels, "int32"),
    }


def _token_dropout(tokenizer, rate):
    """A transform of supervised batches that hides so many of their tokens."""
    if not rate:
        return None
    hide = masking.hider(tokenizer)

    def transform(batch, seed):
        inputs, labels = batch
        return {**inputs, "tokens": hide(inputs["tokens"], rate, seed)}, labels

    return transform


def _supervised(arrays):
    inputs = {name: arrays[name] for name in ("tokens", "tokens_mask")}
    return inputs, arrays["labels"]
