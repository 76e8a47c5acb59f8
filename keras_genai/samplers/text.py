"""Prompts in, texts out: what stands between people and rows of tokens."""

import numbers

import numpy as np

from keras_genai.checks import check_integer


class Prompts:
    """Prompts as the user gave them, and as tokens.

    Args:
        prompts: a str, a list or array of str, a 1-D sequence of ints, or a list of
            those (a 2-D array is one). An empty one begins with the tokenizer's start
            token, or else its end token (a text begins where another ended), or else a
            newline, or else token 0.
        tokenizer: `Tokenizer` or `None`. Only text needs one.
        vocabulary_size: int.

    Attributes:
        tokens: list of int32 arrays.
        texts: list of str, or `None` if the prompts are tokens.
        single: bool. Whether there was one prompt outside of a list.

    Raises:
        TypeError: if a prompt is neither text nor ints, or both kinds are mixed.
        ValueError: if there are no prompts, a token is outside of the vocabulary, or
            text comes without a tokenizer.
    """

    def __init__(self, prompts, tokenizer, vocabulary_size):
        rows, self.single = _rows(prompts)
        is_text = [isinstance(row, str) for row in rows]
        if any(is_text) and not all(is_text):
            raise TypeError(
                f"`prompts` must be all text or all tokens. Received: {prompts!r}"
            )
        self.texts = rows if is_text[0] else None
        if is_text[0] and tokenizer is None:
            raise ValueError(
                "`prompts` must be int tokens, because this model has no `tokenizer`. "
                f"Received: {prompts!r}"
            )
        self.tokens = [
            tokenizer.encode(row) if is_text[0] else _as_tokens(row) for row in rows
        ]
        for index, row in enumerate(self.tokens):
            if not len(row):
                self.tokens[index] = np.array([first_token(tokenizer)], "int32")
            elif row.min() < 0 or row.max() >= vocabulary_size:
                raise ValueError(
                    f"`prompts` must hold tokens from 0 to {vocabulary_size - 1}. "
                    f"Received: {row.min()} to {row.max()} in prompt {index}"
                )


def read_stop(stop, tokenizer, vocabulary_size):
    """What ends a text, as the user gave it and the tokenizer says.

    Args:
        stop: int or str, or a list, tuple or set of these.
        tokenizer: `Tokenizer` or `None`. Its end token is added.
        vocabulary_size: int.

    Returns:
        `(tokens, texts)`: a set of int and a tuple of str.

    Raises:
        TypeError: if there is something else in `stop`.
        ValueError: if a token is outside of the vocabulary, a text is empty, or text
            comes without a tokenizer.
    """
    stops = stop if isinstance(stop, list | tuple | set) else (stop,)
    texts = tuple(item for item in stops if isinstance(item, str))
    tokens = [item for item in stops if not isinstance(item, str)]
    for token in tokens:
        check_integer("stop", token, 0)
        if token >= vocabulary_size:
            raise ValueError(
                f"`stop` must hold tokens from 0 to {vocabulary_size - 1}. "
                f"Received: {token}"
            )
    if "" in texts:
        raise ValueError(f"`stop` must not hold an empty text. Received: {stop!r}")
    if texts and tokenizer is None:
        raise ValueError(
            "`stop` must be int tokens, because this model has no `tokenizer`. "
            f"Received: {stop!r}"
        )
    tokens = set(tokens)
    end = getattr(tokenizer, "end_token", None)
    return (tokens if end is None else tokens | {end}), texts


def first_token(tokenizer):
    """int: what a text without a prompt begins with. See `Prompts`."""
    for role in ("start_token", "end_token"):
        token = getattr(tokenizer, role, None)
        if token is not None:
            return token
    try:
        newline = tokenizer.encode("\n") if tokenizer is not None else ()
    except ValueError:  # it is not in the vocabulary
        newline = ()
    return int(newline[0]) if len(newline) == 1 else 0


def _rows(prompts):
    """The list of prompts, and whether it was just one."""
    if isinstance(prompts, str):
        return [prompts], True
    if hasattr(prompts, "shape") and len(prompts.shape):
        prompts = np.asarray(prompts)
        if prompts.dtype.kind in "UO":  # texts, as a column of a table holds them
            return _rows(prompts.tolist())
        if prompts.ndim == 1:
            return [prompts], True
    elif not isinstance(prompts, list | tuple):
        raise TypeError(
            "`prompts` must be a str, int tokens, or a list of one of them. "
            f"Received: {prompts!r}"
        )
    if not len(prompts):
        raise ValueError(f"`prompts` must not be empty. Received: {prompts!r}")
    if isinstance(prompts[0], numbers.Integral):
        return [prompts], True
    return list(prompts), False


def _as_tokens(row):
    try:
        array = np.asarray(row)
    except ValueError:  # of rows of unequal length
        array = np.zeros((), object)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(
            f"A prompt must be a str or a 1-D sequence of int tokens. Received: {row!r}"
        )
    return array.astype("int64")


class Reader:
    """Turns one row's growing tokens into text that will not change any more.

    It ends a text before the first stop text to be complete, wherever the borders of
    the tokens are, and holds back what may still become one, or may still become
    another character.

    Args:
        prompt: int array `(n,)`.
        tokenizer: `Tokenizer` or `None`, if no text is asked for.
        stop_texts: tuple of str.
        stop_tokens: set of int. Each ends a row, and is no part of its text.

    Attributes:
        ids: int32 array. The final tokens so far. A stop token is the last of them; a
            token that a stop text begins in is not among them.
        text: str. The final text so far, without the prompt's.
        stopped: bool. Whether a stop text has been found.
    """

    def __init__(self, prompt, tokenizer, stop_texts, stop_tokens):
        self.prompt, self.tokenizer = np.asarray(prompt, "int32"), tokenizer
        self.stop_texts, self.stop_tokens = stop_texts, stop_tokens
        self.ids, self.text, self.stopped = self.prompt[:0], "", False
        self._start = "" if tokenizer is None else tokenizer.decode(self.prompt)

    def read(self, generated, done):
        """Takes in the row's generated tokens, all of them.

        Args:
            generated: int32 array.
            done: bool. Whether the row has ended, so that nothing is held back.
        """
        if self.stopped:
            return
        if self.tokenizer is None:
            self.ids = generated
            return
        body = generated
        if len(body) and int(body[-1]) in self.stop_tokens:
            body = body[:-1]
        text = self.continuation(body)
        cut = first_stop(text, self.stop_texts)
        self.stopped = cut is not None
        if done and not self.stopped:
            self.text, self.ids = text, generated
            return
        if self.stopped:
            self.text = text[:cut]
        else:  # an unfinished character decodes to U+FFFD
            self.text = without_partial_stop(text.rstrip("\ufffd"), self.stop_texts)
        self.ids = self._within(body, len(self.text))

    def continuation(self, ids):
        """Decoded with the prompt, because spaces may depend on what came before."""
        text = self.tokenizer.decode(np.concatenate([self.prompt, ids]))
        if text.startswith(self._start):
            return text[len(self._start) :]
        return self.tokenizer.decode(ids)

    def _within(self, ids, length):
        """As many tokens as fit into a text of `length` characters."""
        if not self.stop_texts:
            return ids
        count = len(self.ids)
        while count < len(ids) and len(self.continuation(ids[: count + 1])) <= length:
            count += 1
        return ids[:count]


def first_stop(text, stops):
    """Where the first stop text to be complete begins in `text`; `None` without one."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops]
    found = [(end, start) for end, start in found if start >= 0]
    return min(found)[1] if found else None


def without_partial_stop(text, stops):
    """`text` without an end that a stop text may begin with."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for start in range(max(0, len(text) - longest), len(text)):
        if any(stop.startswith(text[start:]) for stop in stops):
            return text[:start]
    return text
