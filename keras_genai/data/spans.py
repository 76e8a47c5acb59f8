"""Questions beside windows of a text, and where in them an answer stands."""

import numpy as np

from keras_genai.data.vetting import guarded

USUAL_STRIDE = 128  # tokens; less where the windows themselves are short


def windows(tokenizer, question, context, length, stride=None):
    """A question with a text, in as many overlapping pieces as the text needs.

    Args:
        tokenizer: `Tokenizer` that frames pairs of texts.
        question: str, which comes first in each window.
        context: str of any length.
        length: int. Tokens of a window at most.
        stride: int or `None`. Tokens by which neighbours overlap, fewer than fit
            beside the question; `None` is 128, or half of what fits where that is less.

    Returns:
        List of `tokenizers.Encoding`, in the order of the text.

    Raises:
        ValueError: if the question leaves no room, or if `stride` is out of range.
    """
    core = tokenizer.core
    with guarded("`question` cannot be read by this tokenizer"):
        asked = core.encode(question, add_special_tokens=False)
    room = length - core.num_special_tokens_to_add(is_pair=True) - len(asked)
    if room < 1:
        raise ValueError(
            f"`question` must leave room for the text in {length} tokens. "
            f"Received: one of {len(asked)} tokens, {question[:60]!r}"
        )
    stride = min(USUAL_STRIDE, room // 2) if stride is None else stride
    if not 0 <= stride < room:
        raise ValueError(
            f"`stride` must be from 0 to {room - 1}, what fits beside the "
            f"{len(asked)} tokens of the question. Received: {stride}"
        )
    with guarded("`context` cannot be read by this tokenizer"):
        told = core.encode(context, add_special_tokens=False)
    told.truncate(room, stride=stride)
    framed = core.post_process(asked, told)
    return [framed, *framed.overflowing]


def token_span(window, start, end):
    """First and last token of the characters `start:end` of the text.

    Args:
        window: `tokenizers.Encoding` of a question and a text.
        start: int.
        end: int, after the last character.

    Returns:
        `(first, last)`; `(0, 0)`, the first token of all, if the window has not the
        whole of them, or if there are none.
    """
    offsets = np.asarray(window.offsets).reshape(-1, 2)
    of_text = np.array([sequence == 1 for sequence in window.sequence_ids])
    touched = of_text & (offsets[:, 0] < end) & (offsets[:, 1] > start)
    (tokens,) = np.nonzero(touched)
    if end <= start or not tokens.size:
        return 0, 0
    first, last = int(tokens[0]), int(tokens[-1])
    whole = offsets[first, 0] <= start and offsets[last, 1] >= end
    return (first, last) if whole else (0, 0)


def answer_span(context, start, answer):
    """`(start, end)` of an answer in its text, without the blanks around it.

    Args:
        context: str.
        start: int, the character at which `answer` begins.
        answer: str; an empty one is nowhere, `(0, 0)`.

    Raises:
        ValueError: if the text has something else there.
    """
    if context[start : start + len(answer)] != answer or start < 0:
        raise ValueError(
            f"`answer` must stand at character {start} of its text. Received: "
            f"{answer[:60]!r}, where the text has "
            f"{context[max(start, 0) : start + len(answer)][:60]!r}"
        )
    bare = answer.strip()
    start += len(answer) - len(answer.lstrip())
    return (start, start + len(bare)) if bare else (0, 0)
