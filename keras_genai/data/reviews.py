"""Beginnings of film reviews to go on from, and what tells praise from blame in them.

The sentences are those of `keras_genai.data.sentiment`. One tokenizer, learned from the
training sentences, is shared by policies that write reviews and by reward models that
read them: no token says that a text begins, and one says that it ends.
"""

import functools

import numpy as np

from keras_genai.data import conversations, sentiment, tokenizers
from keras_genai.data.arguments import check_count, check_length
from keras_genai.data.loading import Splits
from keras_genai.padding import pad_sequence

SPECIAL = dict(pad_token="<pad>", end_token="</s>", unknown_token="<unk>")


def reviews(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=48,
    tokenizer="bpe:2048",
    words=3,
    praise_only=False,
    stand_in=False,
):
    """Sentences to learn to write, and their first words to go on from.

    Args:
        batch_size: int, rows.
        seed: int. Which sentences come in which batch.
        data_dir: see `sentiment.sst2`.
        length: int. Tokens of a row; sentences share rows where they have room.
        tokenizer: `Tokenizer` with an end token, or a name, see `tokenizers.build`, of
            one that learns from the training sentences.
        words: int. Words of a prompt; shorter sentences give none, nor do those whose
            prompt has more than half of `length` tokens.
        praise_only: bool. Whether only sentences of praise are learned, and of these
            only what follows the prompt.
        stand_in: bool. If `True`, the forty sentences of `sentiment`, for tests.

    Returns:
        `Splits`. `prompts` are of the training. `test` has those of the test set, and
        `held_out` of the validation: a dict of `prompts` and `completions`, str `(N,)`;
        and `sentences` and `labels` of the half of the training sentences that `pairs`
        leaves to judges.

    Raises: as `sentiment.sst2`.
    """
    check_count("words", words)
    check_length(length, least=8)
    train, held_out, test = sentiment.labelled_sentences(data_dir, stand_in)
    tokenizer = _tokenizer(tokenizer, train)
    loader = functools.partial(
        conversations.loader,
        tokenizer=tokenizer,
        batch_size=batch_size,
        length=length,
    )
    rows, unseen = (
        [
            row
            for sentence, label in part
            if (row := _row(sentence, label, words, praise_only))
        ]
        for part in (train, held_out)
    )
    known, held_out, test = (
        _parted(part, words, tokenizer, length // 2) for part in (train, held_out, test)
    )
    return Splits(
        loader(rows, packed=True, seed=seed),
        loader(unseen, shuffle=False, fixed=True),
        tokenizer,
        held_out={**held_out, **sentiment.columns(halves(train)[1])},
        test=test,
        name="sst2",
        prompts=tuple(dict.fromkeys(known["prompts"].tolist())),
    )


def pairs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=48,
    tokenizer="bpe:2048",
    stand_in=False,
):
    """Praise beside blame, for a reward model that reads what a policy writes.

    It learns from one half of the training sentences, so that judges which learn from
    the other half have seen nothing of what it saw.

    Args:
        batch_size: int, pairs.
        seed: int. Which sentences come in which batch.
        data_dir, tokenizer, stand_in: see `reviews`.
        length: int. Tokens of a sentence, its end included; what is longer is cut.

    Returns:
        `Splits`. A batch is that of `sentiment.sst2_pairs`. `held_out` and `test` are
        dicts of `sentences`, str `(N,)`, and `labels`, int `(N,)`; `texts` has the same
        of all sentences of the training, of which batches have the first of `halves`.

    Raises: as `sentiment.sst2`.
    """
    check_length(length, least=2)
    train, held_out, test = sentiment.labelled_sentences(data_dir, stand_in)
    tokenizer = _tokenizer(tokenizer, train)
    arrays, unseen = (
        _arrays(part, tokenizer, length) for part in (halves(train)[0], held_out)
    )
    return Splits(
        sentiment.pair_loader(arrays, batch_size, seed),
        sentiment.pair_loader(unseen, batch_size, -1, shuffle=False, fixed=True),
        tokenizer,
        held_out=sentiment.columns(held_out),
        test=sentiment.columns(test),
        name="sst2",
        texts={"train": sentiment.columns(train), "test": sentiment.columns(test)},
    )


def halves(rows):
    """Two halves of labelled sentences: the first, and the second one.

    Args:
        rows: list of `(sentence, label)`.
    """
    middle = len(rows) // 2
    return rows[:middle], rows[middle:]


def _row(sentence, label, words, praise_only):
    """What is learned of a sentence, or `None`."""
    if not praise_only:
        return sentence
    prompt, completion = _cut(sentence, words)
    if not label or not completion:
        return None
    return {"prompt": prompt, "completion": completion}


def _cut(sentence, words):
    """The first words of a sentence, and the rest with its blank, or nothing."""
    prompt = " ".join(sentence.split()[:words])
    return prompt, " ".join(sentence.split())[len(prompt) :]


def _parted(rows, words, tokenizer, most):
    """Prompts of at most so many tokens, and completions, as arrays of a dict."""
    found = [_cut(sentence, words) for sentence, _ in rows]
    sizes = [len(row) for row in tokenizer.encode_batch([a for a, _ in found])]
    pairs = zip(found, sizes, strict=True)
    found = [pair for pair, size in pairs if pair[1] and size <= most]
    return {
        "prompts": np.array([prompt for prompt, _ in found]),
        "completions": np.array([completion for _, completion in found]),
    }


def _tokenizer(name, train):
    return tokenizers.build(name, [sentence for sentence, _ in train], **SPECIAL)


def _arrays(rows, tokenizer, length):
    """Sentences with their ends, padded, and their labels."""
    sentences, labels = zip(*rows, strict=True)
    tokens = [
        np.append(row[: length - 1], tokenizer.end_token).astype("int32")
        for row in tokenizer.encode_batch(sentences)
    ]
    sizes = np.array([len(row) for row in tokens])
    return {
        "tokens": pad_sequence(tokens, tokenizer.pad_token, length),
        "tokens_mask": (np.arange(length) < sizes[:, None]).astype("int32"),
        "labels": np.array(labels, "int32"),
    }
