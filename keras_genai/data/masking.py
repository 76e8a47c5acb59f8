"""Text for masked language models: some tokens hidden, and weights that say which."""

import math

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_number
from keras_genai.data import published, text
from keras_genai.data.loading import DataLoader, Splits

MASKS = ("[MASK]", "<mask>")  # BERT's, and RoBERTa's


def python_docs(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=64,
    tokenizer="wordpiece:4000",
    rate=0.15,
    stand_in=False,
):
    """The Python documentation, with masks; see `keras_genai.data.text`.

    Args:
        batch_size: int.
        seed: int. The order of the rows, and what is masked in which step.
        data_dir: unused.
        length: int, tokens a row.
        tokenizer: str or `Tokenizer`. It gets a token `[MASK]`.
        rate: float. Share of tokens to be guessed.
        stand_in: bool. If `True`, a small part, for tests.

    Returns:
        `Splits`. A batch is `({"tokens", "places"}, targets, sample_weight)`, see
        `masker`.
    """
    splits = text.python_docs(
        batch_size, length=length, tokenizer=tokenizer, stand_in=stand_in
    )
    speaks = published.for_encoder(splits.tokenizer)
    hide = masker(speaks, rate)
    train = rows(splits.train.tokens, length)
    held_out = rows(splits.held_out, length)
    few = min(batch_size, len(held_out))
    return Splits(
        DataLoader(train, batch_size, seed=seed, transform=hide),
        DataLoader(
            held_out,
            few,
            shuffle=False,
            drop_remainder=True,
            seed=-1,
            transform=hide,
            fixed=True,
        ),
        speaks,
        splits.held_out,
        name=splits.name,
    )


def masker(tokenizer, rate=0.15):
    """A transform of a `DataLoader` from tokens to what a masked model learns from.

    Of the tokens that are to be guessed, 80 % are hidden, 10 % become any token, and
    10 % stay what they are. Special tokens are never among them.

    Args:
        tokenizer: `Tokenizer` with a token `[MASK]` or `<mask>`.
        rate: float. Share of tokens to be guessed.

    Returns:
        Function of int `(B, T)` tokens and a seed, int64 `(2,)`, to
        `({"tokens", "places"}, targets, sample_weight)`. `places`, targets and weights
        are `(B, P)`: where a guess is asked for, what stood there, and a weight that
        is 0 where fewer than `P` are; `P` is 1.5 times what is expected of a full row,
        and no more are hidden. The mean loss of a batch is that of its hidden tokens.

    Raises:
        ValueError: if the tokenizer has neither.

    Reference: Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805
    """
    check_number(
        "rate", rate, "a number above 0, at most 1", lambda share: 0 < share <= 1
    )
    mask, special = _mask_and_special(tokenizer)
    size = tokenizer.vocabulary_size

    def hide(tokens, seed):
        tokens = tf.cast(tokens, "int32")
        shape, first = tf.shape(tokens), seed * 2
        draw = tf.random.stateless_uniform(shape, first)
        fate = tf.random.stateless_uniform(shape, first + 1)
        others = tf.random.stateless_uniform(shape, first - 1, 0, size, "int32")
        plain = _plain(tokens, special)
        most = min(math.ceil(1.5 * rate * tokens.shape[1]), tokens.shape[1])
        lowest, places = tf.math.top_k(-tf.where(plain, draw, 1.0), most)
        chosen = lowest > -rate
        guessed = tf.one_hot(places, shape[1], True, False) & chosen[..., None]
        guessed = tf.reduce_any(guessed, axis=1)
        hidden = tf.where(fate < 0.8, mask, tf.where(fate < 0.9, others, tokens))
        weight = tf.cast(chosen, "float32")
        share = tf.maximum(tf.reduce_mean(weight), 1e-6)
        inputs = {"tokens": tf.where(guessed, hidden, tokens), "places": places}
        return inputs, tf.gather(tokens, places, batch_dims=1), weight / share

    return hide


def hider(tokenizer):
    """Hides tokens for robustness, not to be guessed.

    Args:
        tokenizer: `Tokenizer` with a token `[MASK]` or `<mask>`.

    Returns:
        Function of int `(B, T)` tokens, a rate and a seed, int64 `(2,)`, to the tokens
        with that share of the plain ones, not the special ones, turned to `[MASK]`.

    Raises:
        ValueError: if the tokenizer has neither.
    """
    mask, special = _mask_and_special(tokenizer)

    def hide(tokens, rate, seed):
        draw = tf.random.stateless_uniform(tf.shape(tokens), seed)
        return tf.where((draw < rate) & _plain(tokens, special), mask, tokens)

    return hide


def mask_token(tokenizer):
    """The token that stands for what is to be guessed.

    Args:
        tokenizer: `Tokenizer`.

    Returns:
        int, or `None` if it has none.
    """
    found = (tokenizer.core.token_to_id(name) for name in MASKS)
    return next((index for index in found if index is not None), None)


def _mask_and_special(tokenizer):
    mask = mask_token(tokenizer)
    if mask is None:
        raise ValueError(
            f"`tokenizer` must have a token {' or '.join(MASKS)}. Received one without"
        )
    return mask, [*tokenizer.special_tokens.values()]


def _plain(tokens, special):
    return tf.reduce_all(tokens[..., None] != tf.constant(special, tokens.dtype), -1)


def rows(tokens, length):
    """A text cut into rows; the rest is left out.

    Args:
        tokens: int `(N,)`.
        length: int, tokens of a row.

    Returns:
        int32 array `(N // length, length)`.

    Raises:
        ValueError: if the text is shorter than a row.
    """
    count = len(tokens) // length
    if not count:
        raise ValueError(
            f"`texts` must have at least {length} tokens, one row. "
            f"Received: {len(tokens)}"
        )
    return np.asarray(tokens[: count * length], "int32").reshape(count, length)
