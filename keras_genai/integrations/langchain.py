"""Models of this library in LangChain, in the same process; the extra `langchain`.

Over HTTP, `ChatOpenAI` of langchain-openai talks with `python -m zoo serve`.
"""

import dataclasses
import os
import threading
from collections.abc import Iterator
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from keras_genai.serving import conversation
from keras_genai.serving.engine import Engine
from keras_genai.serving.errors import Refusal
from keras_genai.serving.requests import TextRequest
from keras_genai.tasks.presets import from_preset

QUEUE = 100_000  # answers that may wait, of `batch`
ROLES = {"system": "system", "human": "user", "ai": "assistant"}
ROLES |= {role: role for role in ("developer", "user", "assistant")}
# What a call may say differently from the model.
SETTINGS = ("temperature", "max_tokens", "seed", "timeout", "top_p", "top_k")
SETTINGS += ("repetition_penalty", "frequency_penalty", "presence_penalty")


@dataclasses.dataclass(frozen=True)
class Said:
    """A message, as `keras_genai.serving.conversation.written` reads it."""

    role: str
    said: str


class ChatKerasGenAI(BaseChatModel):
    """A model that chats, in this process.

    Calls from several threads, and those of `batch` and `abatch`, are written at once.

    Args:
        model: path of a preset, name on the hub, or a `CausalLM` or `Seq2SeqLM` with a
            tokenizer: what `zoo.get(name).pretrained()` returns, for instance.
        temperature: float >= 0. 0 takes the most likely token.
        top_p, top_k: see `keras_genai.samplers.Sample`.
        repetition_penalty, frequency_penalty, presence_penalty: see
            `keras_genai.serving.TextRequest`.
        max_tokens: int or `None`: as many as the model's context has room for.
        stop: list of str or `None`. What ends an answer, besides what ends a turn.
        seed: int or `None`: another one each time.
        timeout: float or `None`, seconds. Then an answer ends where it is.
        max_retries, api_key: as others have them. Nothing that could fail here is worth
            a second try, and nobody asks for a key.
        streaming: bool. Whether `invoke` tells callbacks of each piece.
        rows: int. Answers that are written at once.

    Raises:
        ValueError: if the model cannot chat; in a call, for messages that are no texts
            and for settings that are not of these.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: Any
    temperature: float = 1.0
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    max_tokens: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    timeout: float | None = None
    max_retries: int = 0
    streaming: bool = False
    api_key: Any = None
    rows: int = Field(default=4, ge=1)

    _task: Any = PrivateAttr()
    _engine: Any = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @model_validator(mode="after")
    def _open(self):
        task = self.model
        if isinstance(task, str | os.PathLike):
            task = from_preset(task)
        if "chat" not in task.verbs or task.tokenizer is None:
            raise ValueError(
                "`model` must be one that chats, with a tokenizer. "
                f"Received: {task.name}, a {type(task).__name__}"
            )
        task.turns.check(task.tokenizer)
        self._task = task
        return self

    @property
    def _llm_type(self):
        return "keras-genai"

    @property
    def _identifying_params(self):
        settings = {name: getattr(self, name) for name in SETTINGS}
        return {"model": self._task.name, **settings, "stop": self.stop}

    def _get_ls_params(self, stop=None, **kwargs):
        found = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        name = kwargs.get("model", self._task.name)
        return {**found, "ls_provider": "keras_genai", "ls_model_name": name}

    def close(self) -> None:
        """Ends the thread that writes."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._engine = None

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        answer = self._ask(messages, stop, kwargs)
        for _ in answer:
            pass
        message = AIMessage(answer.text().lstrip(), **self._about(answer))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        answer = self._ask(messages, stop, kwargs)
        try:
            for text in _shown(answer):
                chunk = ChatGenerationChunk(message=AIMessageChunk(text))
                if run_manager is not None:
                    run_manager.on_llm_new_token(text, chunk=chunk)
                yield chunk
        finally:
            answer.cancel()
        last = AIMessageChunk("", chunk_position="last", **self._about(answer))
        yield ChatGenerationChunk(message=last)

    def _ask(self, messages, stop, asked):
        """A `keras_genai.serving.Completion` that is being written."""
        unknown = [name for name in asked if name not in SETTINGS]
        if unknown:
            raise ValueError(
                f"`{unknown[0]}` must be left out: this model takes "
                f"{', '.join(SETTINGS)}. Received: {asked[unknown[0]]!r:.80}"
            )
        settings = {name: getattr(self, name) for name in SETTINGS} | asked
        try:
            prompt = conversation.written(self._task, [_said(m) for m in messages])
        except Refusal as refusal:
            raise ValueError(refusal.message) from None
        ends = self.stop if stop is None else stop
        request = TextRequest(
            prompt,
            deadline=settings.pop("timeout"),
            stop=(*conversation.stops(self._task), *(ends or ())),
            **settings,
        )
        with self._lock:
            if self._engine is None:  # it takes memory: not before somebody asks
                self._engine = Engine(self._task, rows=self.rows, queue=QUEUE)
            return self._engine.submit(request)

    def _about(self, answer):
        """Arguments of a message: what it cost, and who wrote it."""
        read, wrote = answer.prompt_tokens, answer.completion_tokens
        usage = dict(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
        about = dict(
            model_name=self._task.name,
            model_provider="keras_genai",
            finish_reason=answer.finish_reason,
            seed=answer.seed,
        )
        return dict(usage_metadata=usage, response_metadata=about)


class KerasGenAIEmbeddings(Embeddings):
    """Vectors of texts by a model of this process.

    Args:
        model: path of a preset, name on the hub, or a model that makes vectors of
            texts, a `SentenceEmbedder` or a `Contrastive`.
        batch_size: int. Texts that are read at once.
        cut: bool. Whether of texts that are too long the beginning is read. By itself
            they are refused: what nobody reads is never found.

    Raises:
        ValueError: if the model makes something else; in a call, if a text is empty or
            too long.
    """

    def __init__(self, model: Any, batch_size: int = 32, cut: bool = False):
        task = from_preset(model) if isinstance(model, str | os.PathLike) else model
        if task.makes is None or task.makes.key != "vectors" or task.tokenizer is None:
            raise ValueError(
                "`model` must make vectors of texts, and have a tokenizer. "
                f"Received: {task.name}, a {type(task).__name__}"
            )
        self.model = task
        self.batch_size = batch_size
        self.cut = cut

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts, a list of floats each."""
        if not texts:
            return []
        most = self.model.longest_text
        if most is not None and not self.cut:
            longest = max(self.model.count_tokens(texts))
            if longest > most:
                raise ValueError(
                    f"`texts` must have at most {most} tokens each, or `cut` must be "
                    f"True. Received: one of {longest}"
                )
        return self.model.embed(texts, self.batch_size).tolist()

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text, a list of floats."""
        return self.embed_documents([text])[0]


def _said(message: BaseMessage) -> Said:
    """What somebody said.

    Raises:
        ValueError: if it is not a text of a person, a model or a system.
    """
    role = ROLES.get(getattr(message, "role", message.type))
    blocks = message.content
    blocks = [blocks] if isinstance(blocks, str) else blocks
    texts = [each if isinstance(each, str) else each.get("text") for each in blocks]
    if role is None or None in texts or getattr(message, "tool_calls", None):
        raise ValueError(
            "`messages` must be texts of a system, a person or a model. "
            f"Received: {message!r:.120}"
        )
    return Said(role, "\n".join(texts))


def _shown(answer: Any) -> Iterator[str]:
    """Yields the pieces of a text without the blanks before it."""
    begun = False
    for piece in answer:
        text = piece.text if begun else piece.text.lstrip()
        if text:
            begun = True
            yield text
