"""Extractive question answering: the span of a text that answers a question."""

from typing import NamedTuple

import numpy as np
from keras import ops

from keras_genai.registry import register
from keras_genai.tasks.encoder import BATCH, EncoderTask


class Answer(NamedTuple):
    """`context[start:end]`, and the sum of its first and last token's logits."""

    text: str
    start: int
    end: int
    score: float


@register
class QuestionAnswering(EncoderTask):
    """Where in a text the answer to a question begins and ends.

    Args:
        backbone: see `EncoderTask`.

    Call arguments:
        inputs: what the backbone is called with, questions first.
        training: bool.

    Returns:
        Dict of float32 logits `start` and `end`, `(B, T)` each, `end` of the last
        token. Targets are a dict of ints `(B,)`, as `targets` makes them.

    Reference: Devlin et al. 2019, section 4.2, https://arxiv.org/abs/1810.04805
    """

    def __init__(self, backbone, **kwargs):
        super().__init__(backbone, **kwargs)
        self.span = self._dense(2, backbone.width, "span")
        self.built = True

    def call(self, inputs, training=False):
        hidden = self.backbone(inputs, training=training)["hidden"]
        logits = ops.cast(self.span(hidden), "float32")  # (B, T, 2)
        return {"start": logits[:, :, 0], "end": logits[:, :, 1]}

    def answer(self, question, context, stride=128, longest=30, allow_none=False):
        """The best answer in a text of any length.

        A text that does not fit is read in windows that overlap.

        Args:
            question: str.
            context: str, the text to look in.
            stride: int. Tokens by which neighbouring windows overlap, fewer than fit
                beside the question.
            longest: int. Tokens of an answer at most.
            allow_none: bool. If `True`, the answer is empty where the model prefers
                the first token, which is no part of the text.

        Returns:
            `Answer`.

        Raises:
            ValueError: if the question leaves no room for the text, or if there is
                none.
        """
        windows = self._windows(question, context, stride)
        best, none = None, np.inf
        for window, logits in zip(windows, self._read(windows, BATCH), strict=True):
            start, end, score = _best_span(window, logits, longest)
            none = min(none, float(logits["start"][0] + logits["end"][0]))
            if start is not None and (best is None or score > best.score):
                best = Answer(context[start:end], start, end, score)
        if best is None:
            raise ValueError(f"`context` must have a token. Received: {context!r}")
        return Answer("", 0, 0, none) if allow_none and none > best.score else best

    def targets(self, questions, contexts, starts, answers):
        """A batch to train on, one window a question.

        Args:
            questions: list of str.
            contexts: list of str. Cut to what fits.
            starts: list of int, the character at which each answer begins.
            answers: list of str. An empty one, or one that was cut off, is the first
                token.

        Returns:
            `(inputs, targets)`: the dict of `batch`, and a dict of int32 `start` and
            `end`, `(B,)`.
        """
        encodings = self._encode(questions, contexts)
        spans = [
            _token_span(encoding, begin, begin + len(answer))
            for encoding, begin, answer in zip(encodings, starts, answers, strict=True)
        ]
        first, last = np.asarray(spans, "int32").T
        return self._collate(encodings), {"start": first, "end": last}

    def _windows(self, question, context, stride):
        core = self._need_tokenizer().core
        room = self.context - core.num_special_tokens_to_add(is_pair=True)
        asked = core.encode(question, add_special_tokens=False)
        room -= len(asked)
        if not 0 <= stride < room:
            raise ValueError(
                f"`stride` must be from 0 to {room - 1}, what fits beside the "
                f"{len(asked)} tokens of the question. Received: {stride}"
            )
        told = core.encode(context, add_special_tokens=False)
        told.truncate(room, stride=stride)
        framed = core.post_process(asked, told)
        return [framed, *framed.overflowing]


def _best_span(window, logits, longest):
    """(first character, the one after the last, score) of the best span, or `None`s."""
    inside = np.array([sequence == 1 for sequence in window.sequence_ids])
    tokens = np.flatnonzero(inside)
    if not tokens.size:
        return None, None, -np.inf
    scores = logits["start"][tokens][:, None] + logits["end"][tokens][None]
    distance = tokens[None] - tokens[:, None]
    scores = np.where((distance >= 0) & (distance < longest), scores, -np.inf)
    first, last = np.unravel_index(np.argmax(scores), scores.shape)
    start, end = window.offsets[tokens[first]][0], window.offsets[tokens[last]][1]
    return start, end, float(scores[first, last])


def _token_span(encoding, start, end):
    """First and last token of the characters `start:end` of the second text."""
    tokens = [
        token
        for token, (begin, finish) in enumerate(encoding.offsets)
        if encoding.sequence_ids[token] == 1 and begin < end and finish > start
    ]
    whole = tokens and encoding.offsets[tokens[-1]][1] >= end
    return (tokens[0], tokens[-1]) if whole else (0, 0)
