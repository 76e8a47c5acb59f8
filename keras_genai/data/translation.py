"""Sources of pairs of texts: functions that return `Splits` for `Seq2SeqLM`.

A batch is `({"inputs", "inputs_mask", "targets"}, labels, sample_weight)`; see
`pair_batch`. `held_out` and `test` are dicts of two str arrays, `inputs` and `targets`,
each `(N,)`: whole texts, to be generated and compared.
"""

import datetime
import functools

import numpy as np

from keras_genai.data import tokenizers
from keras_genai.data.batching import pad_sequence
from keras_genai.data.loading import DataLoader, Splits

# Written out, because those of `calendar` and `strftime` follow the user's locale.
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
# Slashes put the month first, dots the day, as in the United States and in Germany.
FORMATS = (
    "{month} {day}, {year}",
    "{month} {ordinal}, {year}",
    "{short_month} {day}, {year}",
    "{day} {month} {year}",
    "{day} {short_month} {year}",
    "the {ordinal} of {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday} {day} {month} {year}",
    "{short_weekday}, {day} {short_month} {year}",
    "{short_weekday} {short_month} {day} {year}",
    "{month_number}/{day}/{year}",
    "{month_number:02}/{day:02}/{year}",
    "{day}.{month_number}.{year}",
    "{day:02}.{month_number:02}.{year}",
    "{year}/{month_number:02}/{day:02}",
    "{year} {month} {day}",
)
_CASES = (str, str, str, str.lower, str.upper)  # how often a date is written how
_CHARACTERS = " ,-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FIRST, _LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
_LONGEST = 32  # characters of a date as people write it, "wednesday, september ..."
_HELD_OUT = 1000  # days in each of validation and test


def dates(batch_size, seed=0, data_dir=None, *, tokenizer="characters", stand_in=False):
    """Dates as people write them in English, and as ISO 8601 does: made up, offline.

    Each day from 1900 to 2099 is written in one of 16 ways, in one of three cases. The
    days are cut into 71,049 / 1,000 / 1,000 after one fixed shuffle, whatever `seed`
    is; no day is in two parts.

    Args:
        batch_size: int, pairs a batch.
        seed: int. Which pairs come in which batch.
        data_dir: unused.
        tokenizer: `"characters"`, with one id for each character and three special
            tokens, or a `Tokenizer`. Both sides share it.
        stand_in: bool. If `True`, 300 days, split 200 / 50 / 50, for tests.

    Returns:
        `Splits`, with `test`.
    """
    if tokenizer == "characters":
        tokenizer = tokenizers.characters(
            _CHARACTERS, pad_token="<pad>", start_token="<s>", end_token="</s>"
        )
    pairs = _date_pairs(300 if stand_in else None)
    part = 50 if stand_in else _HELD_OUT
    train, held_out, test = pairs[: -2 * part], pairs[-2 * part : -part], pairs[-part:]
    lengths = None
    if tokenizer.vocabulary_size < 100:  # characters: one shape, compiled once
        lengths = (_LONGEST, len("2000-01-01") + 1)
    collate = pair_batch(tokenizer, lengths)
    return Splits(
        DataLoader(train, batch_size, collate=collate, seed=seed),
        DataLoader(held_out, batch_size, collate=collate, shuffle=False),
        tokenizer,
        held_out=_columns(held_out),
        test=_columns(test),
        name="dates",
    )


@functools.lru_cache(maxsize=2)
def _date_pairs(count):
    draws = np.random.default_rng(0)
    days = draws.permutation((_LAST - _FIRST).days + 1)[:count]
    return [written_date(_FIRST + datetime.timedelta(int(d)), draws) for d in days]


def written_date(date, draws):
    """A day in a random way of writing.

    Args:
        date: `datetime.date`.
        draws: `numpy.random.Generator`.

    Returns:
        `(written, iso)`, two str.
    """
    month, weekday = MONTHS[date.month - 1], WEEKDAYS[date.weekday()]
    way = FORMATS[draws.integers(len(FORMATS))]
    text = way.format(
        year=date.year,
        month_number=date.month,
        month=month,
        short_month=month[:3],
        day=date.day,
        ordinal=f"{date.day}{_ordinal_ending(date.day)}",
        weekday=weekday,
        short_weekday=weekday[:3],
    )
    return _CASES[draws.integers(len(_CASES))](text), date.isoformat()


def pair_batch(tokenizer, lengths=None, start_token=None, max_lengths=(None, None)):
    """A collate function from pairs of texts to batches of a `Seq2SeqLM`.

    Texts are framed as the tokenizer frames them; a target without an end token gets
    one. Padding has no part in the loss.

    Args:
        tokenizer: `Tokenizer`. Without a `pad_token`, zeros are the padding.
        lengths: pair of int or `None`. The padded lengths of inputs and targets;
            `None` is each batch's own longest.
        start_token: int or `None` (the tokenizer's). What the decoder begins with.
        max_lengths: pair of int or `None`. Inputs and targets are cut after so many
            tokens.

    Returns:
        Function of `(samples, length=None)`: a list of pairs of str to
        `({"inputs": int32 (B, S), "inputs_mask": bool (B, S), "targets": int32
        (B, T)}, labels, sample_weight)`, the last two int32 and float32 `(B, T)`.
        `length` counts for the inputs, as it does for a loader's `bucket_by`.

    Raises:
        ValueError: if there is no start or no end token.
    """
    start = tokenizer.start_token if start_token is None else start_token
    end, pad = tokenizer.end_token, tokenizer.pad_token or 0
    if start is None or end is None:
        raise ValueError(
            "`tokenizer` must have a start and an end token. "
            f"Received: start_token={start}, end_token={end}"
        )
    longest_input, longest_target = max_lengths

    def ended(row):
        body = row[:-1] if len(row) and row[-1] == end else row
        body = body[: longest_target and longest_target - 1]
        return np.append(body, end)

    def collate(samples, length=None):
        inputs, targets = zip(*samples, strict=True)
        inputs = [row[:longest_input] for row in tokenizer.encode_batch(inputs)]
        labels = [ended(row) for row in tokenizer.encode_batch(targets)]
        sizes = (length, None) if lengths is None else lengths
        whole = pad_sequence(inputs, pad, sizes[0]).astype("int32")
        counts = np.array([len(row) for row in inputs])[:, None]
        answers = pad_sequence(labels, pad, sizes[1]).astype("int32")
        shifted = np.concatenate(
            [np.full((len(labels), 1), start, "int32"), answers[:, :-1]], axis=1
        )
        is_label = np.arange(answers.shape[1]) < np.array([[len(r)] for r in labels])
        features = {
            "inputs": whole,
            "inputs_mask": np.arange(whole.shape[1]) < counts,
            "targets": shifted,
        }
        return features, answers, is_label.astype("float32")

    return collate


def _columns(pairs):
    """Pairs as the two arrays of `held_out`."""
    inputs, targets = zip(*pairs, strict=True)
    return {"inputs": np.array(inputs), "targets": np.array(targets)}


def _ordinal_ending(day):
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
