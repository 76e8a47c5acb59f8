"""Preferences: pairs of completions of which people, or a rule, took one.

A row is a dict of `prompt`, `chosen` and `rejected`, perhaps with a number `margin`, by
how much; or, where completions are judged by themselves, of `prompt`, `completion` and
a bool `label`. Each is a text or a list of messages, see
`keras_genai.data.conversations`. `PreferenceTuning` and `RewardModel` of
`keras_genai.tasks` make batches of lists of rows, or of `.jsonl` files.
"""

import gzip
import itertools

import numpy as np

from keras_genai.data import framing, published, tokenizers
from keras_genai.data.arguments import check_length
from keras_genai.data.completions import (
    completion_arrays,
    sequence_completion_arrays,
    written,
)
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.files.paths import as_path
from keras_genai.files.plain import parse_json
from keras_genai.files.text import decode, lines, read_bytes

PAIR = ("prompt", "chosen", "rejected")
LABELLED = ("prompt", "completion", "label")
ANSWER = "\n\nAssistant:"  # what begins an answer in the files of `hh`


def split_prompt(chosen, rejected, mark):
    """The prompt that two whole conversations share, and their ends.

    Args:
        chosen, rejected: str.
        mark: str that begins an answer. The prompt ends with the last one that is
            within what both share.

    Returns:
        dict of `prompt`, `chosen` and `rejected`.

    Raises:
        ValueError: if they share no `mark`.
    """
    end = _last_shared(chosen, rejected, mark)
    if end < 0:
        raise ValueError(
            f"`chosen` and `rejected` must share a prompt that ends with {mark!r}. "
            f"Received: {chosen[:60]!r}"
        )
    end += len(mark)
    return {
        "prompt": chosen[:end],
        "chosen": chosen[end:],
        "rejected": rejected[end:],
    }


def unpaired(rows):
    """Pairs as completions that are judged by themselves: two of each.

    Args:
        rows: list of dict with `prompt`, `chosen` and `rejected`.

    Returns:
        list of dict with `prompt`, `completion` and `label`: first all that were
        chosen, so that the others of a prompt are not next to them.
    """
    check_rows(rows, PAIR)
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
        for side in ("chosen", "rejected")
        for row in rows
    ]


def check_rows(rows, names):
    """Raises a `ValueError` unless rows are dicts that have these parts.

    Args:
        rows: sequence.
        names: `PAIR` or `LABELLED`.
    """
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or not set(names) <= row.keys():
            came = sorted(row) if isinstance(row, dict) else type(row).__name__
            raise ValueError(
                f"`rows` must be dicts with {', '.join(names)}. "
                f"Received: {came} in row {index}"
            )


def pair_arrays(tokenizer, rows, length=None, turns=None):
    """Pairs as the batch of a language model.

    Args:
        tokenizer: `Tokenizer`.
        rows: list of dict, see the module.
        length: int or `None`. Tokens of prompt and completion at most.
        turns: `Turns` with an `end`, of messages.

    Returns:
        dict of arrays, see `keras_genai.data.completions.completion_arrays`; column 0
        has the chosen ones. With `margin`, float32 `(N,)`, if rows have some.

    Raises:
        ValueError: if a row has other parts, and as `completion_arrays`.
    """
    arrays = completion_arrays(tokenizer, *_sides(rows), length, turns)
    return {**arrays, **_margin(rows)}


def sequence_pair_arrays(tokenizer, rows, length=None, turns=None, start_token=None):
    """Pairs as the batch of a `Seq2SeqLM`.

    Args:
        tokenizer, rows, turns: see `pair_arrays`.
        length, start_token: see `completions.sequence_completion_arrays`.
    """
    more = length, turns, start_token
    arrays = sequence_completion_arrays(tokenizer, *_sides(rows), *more)
    return {**arrays, **_margin(rows)}


def labelled_arrays(tokenizer, rows, length=None, turns=None):
    """Completions that are good or bad by themselves, as the batch of a language model.

    Args:
        tokenizer, length, turns: see `pair_arrays`.
        rows: list of at least two dicts, see the module.

    Returns:
        dict as `pair_arrays` returns it, and `labels`, int32 `(N,)`. Column 1 has
        completions of other prompts, which tell where the policy is as a whole.

    Raises:
        ValueError: as `pair_arrays`, or if there is one row only.
    """
    *sides, labels = _labelled(rows)
    return {**completion_arrays(tokenizer, *sides, length, turns), **labels}


def sequence_labelled_arrays(
    tokenizer, rows, length=None, turns=None, start_token=None
):
    """The same for a `Seq2SeqLM`; see `sequence_pair_arrays`."""
    *sides, labels = _labelled(rows)
    more = length, turns, start_token
    return {**sequence_completion_arrays(tokenizer, *sides, *more), **labels}


def framed_pair_arrays(tokenizer, rows, length=None, turns=None):
    """Pairs as the batch of an encoder: a prompt and a completion are a pair of texts.

    Args:
        tokenizer: `Tokenizer` that frames texts.
        rows, turns: see `pair_arrays`.
        length: int or `None`. Tokens at most, special ones included.

    Returns:
        dict of int32 `(N, 2, T)`: `tokens`, `tokens_mask` and `segments`. With
        `margin`, float32 `(N,)`, if rows have some.

    Raises:
        ValueError: if a row has other parts.
    """
    prompts, sides = _sides(rows)
    encodings = [framed(tokenizer, prompts, side, length, turns) for side in sides]
    longest = max(len(each.ids) for side in encodings for each in side)
    found = [framing.collate(side, tokenizer.pad_token, longest) for side in encodings]
    arrays = {key: np.stack([side[key] for side in found], axis=1) for key in found[0]}
    return {**arrays, **_margin(rows)}


def framed(tokenizer, prompts, completions, length=None, turns=None):
    """Encodings of prompts with completions, or of completions where no prompt is.

    Args:
        tokenizer, length, turns: see `framed_pair_arrays`.
        prompts, completions: lists of str, or of lists of messages.

    Returns:
        list of `tokenizers.Encoding`.
    """
    prompts, completions = written(tokenizer, prompts, completions, turns)
    if not any(prompts):
        return framing.encode(tokenizer, completions, context=length)
    return framing.encode(tokenizer, prompts, completions, length)


def hh(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=256,
    tokenizer="bpe:4096",
    encoder=False,
    stand_in=False,
):
    """Answers of assistants, of which people took the more harmless or helpful one.

    The files are those of `hh-rlhf`: whole conversations in `chosen` and `rejected`.
    Without a file for training, an eighth of the prompts is for validation and an
    eighth for the test. **Their content is offensive by design.**

    Args:
        batch_size: int, pairs.
        seed: int. Which pairs come in which batch.
        data_dir: path of a folder with `test.jsonl.gz` and perhaps `train.jsonl.gz`.
        length: int. Tokens of prompt and answer at most. Answers that are longer are
            cut at their end, pairs whose prompt takes more than half are left out.
        tokenizer: `Tokenizer`, or a name, see `tokenizers.build`, of one that learns
            from the training texts.
        encoder: bool. Whether batches are those of an encoder, see
            `framed_pair_arrays`; else those of a language model, see `pair_arrays`.
        stand_in: bool. If `True`, forty made-up questions with a polite and a rude
            answer, for tests.

    Returns:
        `Splits`, whose `held_out` and `test` are dicts of arrays, too.

    Raises:
        FileNotFoundError: if the files are not there.

    Reference: Bai et al. 2022, https://arxiv.org/abs/2204.05862
    """
    check_length(length, least=4)
    parts = _stand_in_parts() if stand_in else _hh_parts(data_dir)
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = _learned(tokenizer, parts[0], encoder)
    make = framed_pair_arrays if encoder else pair_arrays
    train, held_out, test = (
        make(tokenizer, _with_room(tokenizer, part, length), length) for part in parts
    )
    return Splits(
        DataLoader(train, batch_size, seed=seed),
        DataLoader(held_out, batch_size, shuffle=False, drop_remainder=False),
        tokenizer,
        held_out,
        test,
        name="made-up answers" if stand_in else "hh",
    )


def _last_shared(one, other, mark):
    """int: where the last `mark` begins that both have in the same place, or -1."""
    pairs = enumerate(zip(one, other, strict=False))
    least = min(len(one), len(other))
    shared = next((place for place, (a, b) in pairs if a != b), least)
    return one.rfind(mark, 0, shared)


def _sides(rows):
    """Prompts, and the two lists of completions."""
    check_rows(rows, PAIR)
    prompts, chosen, rejected = ([row[key] for row in rows] for key in PAIR)
    return prompts, [chosen, rejected]


def _margin(rows):
    if "margin" not in rows[0]:
        return {}
    return {"margin": np.array([row["margin"] for row in rows], "float32")}


def _labelled(rows):
    """Prompts, completions with those of other prompts, and a dict of labels."""
    check_rows(rows, LABELLED)
    if len(rows) < 2:
        raise ValueError(f"`rows` must be at least 2. Received: {len(rows)}")
    prompts, completions, labels = ([row[key] for row in rows] for key in LABELLED)
    # Of far rows: answers to one prompt often stand next to each other.
    half = len(rows) // 2
    others = completions[half:] + completions[:half]
    labels = {"labels": np.array(labels, "int32")}
    return prompts, [completions, others], labels


def _learned(name, rows, encoder):
    """A tokenizer of the texts of pairs, which frames them for an encoder."""
    texts = [row[key] for row in rows for key in PAIR]
    found = tokenizers.build(name, texts, **tokenizers.SPECIAL_TOKENS)
    return published.for_encoder(found) if encoder else found


def _with_room(tokenizer, rows, length):
    """The pairs whose prompt leaves half of the tokens to the answer, or more."""
    prompts = tokenizer.encode_batch([row["prompt"] for row in rows])
    return [
        row
        for row, prompt in zip(rows, prompts, strict=True)
        if 2 * len(prompt) <= length
    ]


def _hh_parts(data_dir):
    """Rows of training, validation and test."""
    folder = as_path(data_dir or ".", "data_dir")
    if not (folder / "test.jsonl.gz").is_file():
        raise FileNotFoundError(
            f"{folder / 'test.jsonl.gz'} is not there. hh-rlhf has it in each of its "
            "folders, such as `harmless-base`; `data_dir` says where"
        )
    test = _conversations(folder / "test.jsonl.gz")
    if (folder / "train.jsonl.gz").is_file():
        train = _conversations(folder / "train.jsonl.gz")
        held = len(train) // 20
        return train[held:], train[:held], test
    eighth = len(test) // 8
    order = np.random.default_rng(0).permutation(len(test))
    test = [test[index] for index in order]
    return test[2 * eighth :], test[:eighth], test[eighth : 2 * eighth]


def _conversations(path):
    """Pairs that share a prompt and differ in the answer."""
    text = decode(gzip.decompress(read_bytes(path)), path)
    found = []
    for row in map(parse_json, lines(text)):
        if _last_shared(row["chosen"], row["rejected"], ANSWER) < 0:
            continue
        pair = split_prompt(row["chosen"], row["rejected"], ANSWER)
        if pair["chosen"].strip() and pair["rejected"].strip():
            found.append(pair)
    return found


def _stand_in_parts():
    asked = ("open", "close", "find", "read", "lend me", "sell me", "fix", "show me")
    things = ("the door", "a book", "this lamp", "the map", "your pen")
    rows = [
        {
            "prompt": f"Human: Can you {ask} {thing}?{ANSWER}",
            "chosen": f" Yes, gladly: {thing} it is.",
            "rejected": f" No, {ask} {thing} yourself.",
        }
        for ask, thing in itertools.product(asked, things)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    rows = [rows[index] for index in order]
    return rows[:24], rows[24:32], rows[32:]
