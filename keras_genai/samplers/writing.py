"""From a session that writes tokens to what the user asked for, whole or in pieces."""

import numpy as np

from keras_genai.samplers.text import Reader
from keras_genai.samplers.tokens import NO_LIMIT

STREAM_STEP = 4  # tokens between two pieces
STOP_STEP = 32  # tokens between two looks for a stop text


def written(session, prompts, before, stop, tokenizer, stream=False, starts=None):
    """Runs a session to its end.

    Args:
        session: `Session`.
        prompts: `Prompts`. Results are of their kind and nesting.
        before: list of int arrays. What stands before each row's generated tokens.
        stop: what `read_stop` returned.
        tokenizer: `Tokenizer` or `None`.
        stream: bool.
        starts: list of str or of int arrays that the results begin with, or `None`.

    Returns:
        The results; with `stream`, an iterator over pieces of them.
    """
    stop_tokens, stop_texts = stop
    with_text = prompts.texts is not None or stop_texts
    tokenizer = tokenizer if with_text else None
    readers = [Reader(row, tokenizer, stop_texts, stop_tokens) for row in before]
    pieces = _pieces(session, prompts, readers, stream, starts)
    return pieces if stream else _joined(pieces, prompts)


def _pieces(session, prompts, readers, stream, starts):
    """Yields what each row gained since the last time, until all rows have ended."""
    if starts is not None:
        starts = [s if isinstance(s, str) else np.asarray(s, "int32") for s in starts]
        yield starts[0] if prompts.single else starts
    has_stop_texts = any(reader.stop_texts for reader in readers)
    budget = STREAM_STEP if stream else STOP_STEP if has_stop_texts else NO_LIMIT
    seen = [0] * len(readers)
    while not session.done.all():
        session.advance(budget)
        gained = []
        for row, reader in enumerate(readers):
            reader.read(session.generated(row), session.done[row])
            session.done[row] |= reader.stopped
            whole = reader.ids if prompts.texts is None else reader.text
            gained.append(whole[seen[row] :])
            seen[row] = len(whole)
        if not stream or any(len(piece) for piece in gained):
            yield gained[0] if prompts.single else gained


def _joined(pieces, prompts):
    """One result a prompt, from the pieces of all."""
    join = "".join if prompts.texts is not None else np.concatenate
    if prompts.single:
        return join(list(pieces))
    return [join(row) for row in zip(*pieces, strict=True)]
