"""A conversation with a language model that remembers what was said."""

from collections.abc import Iterator

from keras_genai.checks import check_integer, check_seed
from keras_genai.data.turns import Turns
from keras_genai.samplers import Beam, Greedy, Sample
from keras_genai.samplers.tokens import check_sampler
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

LEAST_REPLY = 60  # tokens, for models whose own settings stop sooner
LONGEST_HISTORY = 512  # tokens, for models without a limit of their own


class Chat:
    """Keeps the history of a conversation and lets a model answer.

    What does not fit into the model's context is forgotten, the oldest turns first.

    Args:
        model: `CausalLM` or `Seq2SeqLM` with a tokenizer.
        turns: `Turns` or `None` (`model.turns`). How the conversation is written down.
        reply_length: int or `None`. Most tokens of an answer; by itself, what the
            model's own settings say, and at least 60.
        sampler: `Greedy`, `Sample` or `Beam`; or `None`: what the model's own settings
            say, else `Sample(0.8, top_p=0.95)`.
        seed: int. With the number of the answer, decides every draw.
        system: str or `None`. What the model is told before all that is said; it is
            never forgotten.

    Attributes:
        history: list of `(speaker, text)`, the speaker `"person"` or `"model"`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if the model has no tokenizer or none that reads the marks of
            `turns`, or no room for an answer.
    """

    def __init__(
        self,
        model: CausalLM | Seq2SeqLM,
        turns: Turns | None = None,
        reply_length: int | None = None,
        sampler: Greedy | Sample | Beam | None = None,
        seed: int = 0,
        system: str | None = None,
    ):
        if model.tokenizer is None:
            raise ValueError(
                f"`model` must have a tokenizer to chat. Received: {model.name} "
                "without one"
            )
        self.model = model
        self.turns = model.turns if turns is None else turns
        self.turns.check(model.tokenizer)
        self._told = [] if system is None else [("system", system)]
        self._answers_apart = isinstance(model, Seq2SeqLM)
        own = model.generation if self._answers_apart else None
        context = model.context or LONGEST_HISTORY
        check_seed(seed)
        if reply_length is not None:
            check_integer("reply_length", reply_length, 2)
        else:
            reply_length = max(LEAST_REPLY, own.max_length if own else 0)
            reply_length = min(reply_length, context // (1 if own else 2))
        if sampler is None:
            sampler = own.sampler() if own else Sample(0.8, top_p=0.95)
        check_sampler(sampler)
        self.reply_length = reply_length
        self.sampler = sampler
        self.seed = seed
        # A causal model answers in the context that it reads.
        self.room = context if self._answers_apart else context - reply_length
        if self.room < 1 or reply_length < 2:
            raise ValueError(
                f"`reply_length` must be at least 2 and leave room in the context of "
                f"{context} tokens. Received: {reply_length=}"
            )
        self.history: list[tuple[str, str]] = []

    def say(self, text: str) -> str:
        """Says something to the model.

        Args:
            text: str. What spells a special token is left out.

        Returns:
            str: its answer.

        Raises:
            TypeError: if `text` is no str.
            ValueError: if `text` is empty without special tokens, or has what the
                tokenizer does not know; the history is then as it was.
        """
        return "".join(self.stream(text))

    def stream(self, text: str) -> Iterator[str]:
        """As `say`, but yields the answer in pieces while it is made.

        With beam search there is only one piece. If nobody wants the rest, the history
        has what was yielded.
        """
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a str. Received: {text!r}")
        said, text = text, self._on_one_line(text)
        if not text:
            raise ValueError(
                "`text` must be more than blanks and special tokens. Received: "
                f"{said[:40]!r}"
            )
        prompt = self.prompt(text)
        return self._recorded(text, self._pieces(prompt))

    def prompt(self, text: str | None = None) -> str:
        """str: what the model reads, of the history and of `text` as much as fits."""
        said = self.history + ([] if text is None else [("person", text)])
        kept = _most(len(said), lambda last: self._fits(said[len(said) - last :]))
        if said and not kept:
            # One turn alone is too long: its end is what is answered.
            who, text = said[-1]
            return self._written([(who, self._end_of(who, text))])
        return self._written(said[len(said) - kept :])

    def reset(self) -> None:
        """Forgets everything that was said."""
        self.history = []

    def _on_one_line(self, text):
        cut = self.model.tokenizer.without_special
        while text != (rest := " ".join(cut(text).split())):
            text = rest  # without some blanks it may spell another special token
        return text

    def _written(self, turns):
        """The conversation as one text, in which nobody spells a special token."""
        cut = self.model.tokenizer.without_special
        turns = [*self._told, *turns]
        return self.turns.text([(who, cut(text)) for who, text in turns])

    def _fits(self, turns):
        return len(self.model.tokenizer.encode(self._written(turns))) <= self.room

    def _end_of(self, who, text):
        """The last words of a turn that fit, or else the last characters of one."""
        words = text.split(" ")

        def end(pieces, glue, last):
            return glue.join(pieces[len(pieces) - last :])

        for pieces, glue in ((words, " "), (words[-1], "")):
            kept = _most(
                len(pieces),
                lambda last: self._fits([(who, end(pieces, glue, last))]),  # noqa: B023
            )
            if kept:
                return end(pieces, glue, kept)
        return ""

    def _pieces(self, prompt):
        """An iterator over the pieces of the model's answer."""
        stream = not isinstance(self.sampler, Beam)
        answers = sum(who == "model" for who, _ in self.history)
        arguments = dict(
            max_length=self.reply_length,
            sampler=self.sampler,
            seed=self.seed + answers,
            stop=self.turns.stops(self.model.tokenizer),
            stream=stream,
        )
        if not self._answers_apart:
            arguments["max_length"] += len(self.model.tokenizer.encode(prompt))
            arguments["strip_prompt"] = True
        found = self.model.generate(prompt, **arguments)
        return found if stream else iter([found])

    def _recorded(self, text, pieces):
        answer = ""
        try:
            for piece in pieces:
                if not answer:
                    piece = piece.lstrip()
                answer += piece
                if piece:
                    yield piece
        finally:
            self.history += [("person", text), ("model", answer.strip())]


def _most(count, fits):
    """The largest number up to `count` that fits, where all smaller ones do; or 0.

    It is looked for from below, so that what is far too long is never encoded.
    """
    low, high = 0, 1
    while high <= count and fits(high):
        low, high = high, 2 * high
    high = min(high, count + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
