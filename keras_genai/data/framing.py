"""Special tokens around texts, and padded batches as encoders read them."""

import numpy as np

from keras_genai.data.tokenizer import check_texts
from keras_genai.data.vetting import guarded
from keras_genai.padding import pad_sequence

ROUND = 16  # padded lengths are multiples, so that few shapes are compiled


def encode(tokenizer, texts, pairs=None, context=None, special_in_text=None):
    """Texts to encodings, framed by the tokenizer's special tokens.

    Args:
        tokenizer: `Tokenizer`.
        texts: sequence of str.
        pairs: sequence of str, the second text of each, or `None`.
        context: int or `None`. Longer ones are cut at their ends, the longer of two
            texts first.
        special_in_text: bool or `None`, as in `Tokenizer.encode`.

    Returns:
        List of `tokenizers.Encoding`, which know `ids`, `type_ids`, `offsets`,
        `word_ids` and `sequence_ids`.

    Raises:
        TypeError: if `texts` is not a sequence of str.
        ValueError: if `pairs` has another length than `texts`.
    """
    core = tokenizer.core_for(special_in_text)
    first = _encode("texts", texts, core)
    second = [None] * len(first)
    if pairs is not None:
        second = _encode("pairs", pairs, core)
    if len(first) != len(second):
        raise ValueError(
            "`pairs` must have as many texts as `texts`. "
            f"Received: {len(second)} and {len(first)}"
        )
    return _framed(core, first, second, context)


def encode_words(tokenizer, texts, context=None):
    """Texts that are split into words to encodings, framed as those of `encode`.

    Args:
        tokenizer: `Tokenizer`.
        texts: sequence of lists of str.
        context: int or `None`. Longer ones are cut at their ends.

    Returns:
        List of `tokenizers.Encoding`, whose `word_ids` count the words given.

    Raises:
        TypeError: if a text is not a list of str.
    """
    core = tokenizer.core_for(None)
    for words in texts:
        check_texts("words", words)
    with guarded("`words` cannot be read by this tokenizer"):
        first = core.encode_batch(
            list(texts), is_pretokenized=True, add_special_tokens=False
        )
    return _framed(core, first, [None] * len(first), context)


def _framed(core, first, second, context):
    """Encodings of texts, or of pairs, cut and within their special tokens."""
    is_pair = any(other is not None for other in second)
    room = None
    if context is not None:
        room = context - core.num_special_tokens_to_add(is_pair=is_pair)
    framed = []
    for one, other in zip(first, second, strict=True):
        if room is not None:
            _cut(one, other, room)
        framed.append(core.post_process(one, other))
    return framed


def ends(tokenizer, start_token=None):
    """The tokens around what a decoder writes.

    Args:
        tokenizer: `Tokenizer`.
        start_token: int or `None` (the tokenizer's).

    Returns:
        `(start, end)`, two ints.

    Raises:
        ValueError: if there is no start or no end token.
    """
    start = tokenizer.start_token if start_token is None else start_token
    end = tokenizer.end_token
    if start is None or end is None:
        raise ValueError(
            "`tokenizer` must have a start and an end token. "
            f"Received: start_token={start}, end_token={end}"
        )
    return start, end


def collate(encodings, pad_token=None, length=None):
    """Encodings to the batch that an encoder is called with.

    Args:
        encodings: non-empty list of `tokenizers.Encoding`.
        pad_token: int or `None` (0).
        length: int or `None`: the longest one's, rounded up.

    Returns:
        Dict of int32 `(B, T)`: `tokens`, `segments` (0 or 1), and `tokens_mask`, 1 at
        tokens and 0 at padding.
    """
    longest = max(len(encoding.ids) for encoding in encodings)
    length = -(-longest // ROUND) * ROUND if length is None else length
    fields = {
        "tokens": ([encoding.ids for encoding in encodings], pad_token or 0),
        "segments": ([encoding.type_ids for encoding in encodings], 0),
        "tokens_mask": ([[1] * len(encoding.ids) for encoding in encodings], 0),
    }
    return {
        name: pad_sequence([np.asarray(row, "int32") for row in rows], fill, length)
        for name, (rows, fill) in fields.items()
    }


def _cut(one, other, room):
    """Cuts one encoding or two, so that they have `room` tokens together."""
    if other is None:
        one.truncate(room)
        return
    surplus = len(one) + len(other) - room
    if surplus > 0:
        longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
        # First down to the shorter one's length, then by turns.
        taken = min(surplus, len(longer) - len(shorter))
        rest = surplus - taken
        longer.truncate(len(longer) - taken - (rest + 1) // 2)
        shorter.truncate(len(shorter) - rest // 2)


def _encode(name, texts, core):
    texts = check_texts(name, texts)
    with guarded(f"`{name}` cannot be read by this tokenizer"):
        return core.encode_batch(texts, add_special_tokens=False)
