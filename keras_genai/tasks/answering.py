"""Extractive question answering: the span of a text that answers a question."""

from typing import ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.data.spans import answer_span, token_span, windows
from keras_genai.declared import Rate
from keras_genai.modalities.base import Modality
from keras_genai.modalities.text import Text
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import BATCH, TextTask


class Answer(NamedTuple):
    """`context[start:end]`, and the sum of its first and last token's logits."""

    text: str
    start: int
    end: int
    score: float


@register
class QuestionAnswering(TextTask):
    """Where in a text the answer to a question begins and ends.

    Args:
        network: any `TokenNetwork`.
        given: `Text`.
        dropout: float. Rate on the hidden vectors.
        transform: bool. See `TokenClassifier`.

    Call arguments:
        inputs, training: see `TextTask`; questions come first.

    Returns:
        Dict of float32 logits `start` and `end`, `(B, T)` each, `end` of the last
        token. Targets are a dict of ints `(B,)`, as `targets` makes them.

    Raises:
        TypeError: if there is a `transform` and the network has no `head_activation`.

    Reference: Devlin et al. 2019, section 4.2, https://arxiv.org/abs/1810.04805
    """

    network: TokenNetwork
    given: tuple[Modality, ...] = (Text(),)
    dropout: Rate = 0.0
    transform: bool = False

    verbs: ClassVar = ("answer",)

    def check(self):
        self._check_transform()

    def make(self):
        self.target = self.given[0]  # an answer is a piece of the text
        if self.transform:
            self._make_transform()
        self.drop = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="head_dropout"
        )
        self.span = self._dense(2, self.network.width, "span")

    def looked_up(self, x, y=None):
        spans = self.rows_read(x)
        length = tf.TensorShape(np.shape(spans[0].values))[1]
        for name in ("start", "end") if isinstance(y, dict) else ():
            loss = self.loss.get(name) if isinstance(self.loss, dict) else self.loss
            spans += self._chosen(name, y.get(name), loss, length or self.context)
        return spans

    def call(self, inputs, training=False):
        hidden, _ = self.hidden(inputs)
        if self.transform:
            hidden = self._transformed(hidden)
        logits = ops.cast(self.span(self.drop(hidden)), "float32")  # (B, T, 2)
        return {"start": logits[:, :, 0], "end": logits[:, :, 1]}

    def loader(
        self,
        questions,
        contexts=None,
        answers=None,
        batch_size=16,
        stride=None,
        shuffle=True,
        seed=0,
    ):
        """Batches for `fit` of questions, the texts they are about, and the answers.

        Args:
            questions: list, generator or data set of str, or of triples of a question,
                a text and an answer.
            contexts: list of str, of any length, or `None`: in the triples.
            answers: an answer for each, or `None`: in the triples. A str is the first
                piece of the text that reads so, an empty one nowhere; `(start, end)`
                are its first character and the one after the last.
            batch_size: int, windows a batch.
            stride: see `answer`.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader` of what `targets` makes.

        Raises:
            ValueError: if the model has no tokenizer, or an answer is not in its text.
        """
        questions = as_rows(questions, "questions")
        if contexts is None or answers is None:
            questions, contexts, answers = columns(questions, 3, "questions")
        places = [
            _place(context, answer)
            for context, answer in zip(contexts, answers, strict=True)
        ]
        starts, answers = zip(*places, strict=True)
        arrays = self.targets(questions, contexts, starts, answers, stride)
        count = len(arrays[0]["tokens"])
        return in_batches(arrays, count, batch_size, shuffle, seed)

    def answer(self, question, context, stride=None, longest=30, allow_none=False):
        """The best answer in a text of any length.

        A text that does not fit is read in windows that overlap.

        Args:
            question: str, or list of str.
            context: str, the text to look in, or a list of as many.
            stride: int or `None`. Tokens by which neighbouring windows overlap; see
                `keras_genai.data.spans.windows`.
            longest: int. Tokens of an answer at most.
            allow_none: bool. If `True`, the answer is empty where the model prefers
                the first token, which is no part of the text.

        Returns:
            `Answer`, or a list of them.

        Raises:
            ValueError: if a question leaves no room for the text, if a text has no
                token, or if there are not as many texts as questions.
        """
        if isinstance(question, str):
            return self.answer([question], [context], stride, longest, allow_none)[0]
        windows = [
            self._windows(one, text, stride)
            for one, text in zip(question, context, strict=True)
        ]
        read = iter(self._read([window for each in windows for window in each], BATCH))
        return [
            _best_answer(text, each, [next(read) for _ in each], longest, allow_none)
            for text, each in zip(context, windows, strict=True)
        ]

    def targets(self, questions, contexts, starts, answers, stride=None):
        """A batch to train on: every window of every text.

        Args:
            questions: list of str.
            contexts: list of str, of any length.
            starts: list of int, the character at which each answer begins.
            answers: list of str. In a window that has not the whole of it, and for an
                empty one, the first token is the target.
            stride: see `answer`.

        Returns:
            `(inputs, targets)`: the dict of `batch`, and a dict of int32 `start` and
            `end`, `(W,)`, W the number of windows.

        Raises:
            ValueError: if an answer is not where it should begin.
        """
        encodings, spans = [], []
        for question, context, start, answer in zip(
            questions, contexts, starts, answers, strict=True
        ):
            place = answer_span(context, start, answer)
            for window in self._windows(question, context, stride):
                encodings.append(window)
                spans.append(token_span(window, *place))
        first, last = np.asarray(spans, "int32").T
        return self._collate(encodings), {"start": first, "end": last}

    def _windows(self, question, context, stride):
        tokenizer = self._need_tokenizer()
        return windows(tokenizer, question, context, self.context, stride)


def _place(context, answer):
    """The first character of an answer, and the answer, from either of what it is."""
    if isinstance(answer, str):
        start = context.find(answer)
        if start < 0:
            raise ValueError(
                f"`answers` must be in their texts. Received: {answer[:60]!r}, which "
                f"is not in {context[:60]!r}"
            )
        return start, answer
    start, end = answer
    if not 0 <= start <= end <= len(context):
        raise ValueError(
            f"`answers` must be places from 0 to {len(context)} of their texts. "
            f"Received: ({start}, {end})"
        )
    return int(start), context[start:end]


def _best_answer(context, windows, outputs, longest, allow_none):
    """The `Answer` of one question, from the logits of all its windows."""
    best, none = None, np.inf
    for window, logits in zip(windows, outputs, strict=True):
        start, end, score = _best_span(window, logits, longest)
        none = min(none, float(logits["start"][0] + logits["end"][0]))
        if start is not None and (best is None or score > best.score):
            best = Answer(context[start:end], start, end, score)
    if best is None:
        raise ValueError(f"`context` must have a token. Received: {context!r}")
    return Answer("", 0, 0, none) if allow_none and none > best.score else best


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
