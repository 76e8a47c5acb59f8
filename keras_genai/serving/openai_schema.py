"""Requests as OpenAI's clients send them: what is known, and what can be honoured.

A field that could only be ignored is refused. Those of type `None` are known, and
refused unless they are null: a client shall not believe that it gets tools or JSON.
What nobody knows is refused, too.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SEEDS = dict(ge=-(2**63), le=2**63 - 1)
MOST_STOPS = 4
MOST_LOGPROBS = 20
MOST_BIASES = 1024
STEPS = 1000  # of a picture

Text = Annotated[str, Field(max_length=2_000_000)]
Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=1_000_000)]
Stop = Annotated[str, Field(min_length=1, max_length=1_000)]
Stops = Annotated[list[Stop], Field(max_length=MOST_STOPS)]
Name = Annotated[str, Field(min_length=1, max_length=1_000)]
Several = Annotated[int, Field(ge=1, le=1_000)]
Bias = Annotated[float, Field(ge=-100, le=100)]
TokenText = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Label = Annotated[str, Field(max_length=1_000)]


class Body(BaseModel):
    """What all requests share.

    Attributes:
        model: which of the served ones.
        user: ignored, as `metadata`, `safety_identifier`, `prompt_cache_key`: notes of
            a client for itself, that change no answer.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: Name
    user: Label | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: Label | None = None
    prompt_cache_key: Label | None = None
    service_tier: Literal["auto", "default"] | None = None


class Part(BaseModel):
    """A part of a message; texts alone are read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: Text


class Message(BaseModel):
    """What somebody said.

    Attributes:
        role: who. `developer` is another word for `system`.
        content: what.
        name: of who said it; no model here is told that.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[Part], Field(max_length=1_000)]
    name: Label | None = None
    tool_calls: None = None
    tool_call_id: None = None
    function_call: None = None
    refusal: None = None
    audio: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None

    @property
    def said(self) -> str:
        """str: all of its text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """What a stream has besides text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class ResponseFormat(BaseModel):
    """How an answer is written: as text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]


class Writing(Body):
    """What may be asked of texts, whoever asks.

    Attributes:
        temperature: 0 is greedy decoding.
        seed: with the number of a choice, decides every draw.
        top_k, min_p, typical_p, repetition_penalty: as vLLM and llama.cpp call them.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        Annotated[dict[TokenText, Bias], Field(max_length=MOST_BIASES)] | None
    ) = None
    n: Several | None = None
    seed: Annotated[int, Field(**SEEDS)] | None = None
    stop: Stop | Stops | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """tuple of str: what ends an answer."""
        if isinstance(self.stop, str):
            return (self.stop,)
        return tuple(self.stop or ())

    @property
    def includes_usage(self) -> bool:
        """bool: whether a stream ends with what it cost."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatCompletion(Writing):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=100_000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    response_format: ResponseFormat | None = None
    tools: None = None
    tool_choice: Literal["none"] | None = None
    parallel_tool_calls: bool | None = None  # without tools it says nothing
    functions: None = None
    function_call: Literal["none"] | None = None
    modalities: list[Literal["text"]] | None = None
    store: Literal[False] | None = None
    audio: None = None
    prediction: None = None
    reasoning_effort: None = None
    verbosity: None = None
    web_search_options: None = None


class Completion(Writing):
    """`POST /v1/completions`."""

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=1_000)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=1_000)]
    )
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    echo: bool | None = None
    best_of: Several | None = None
    suffix: None = None


class Embedding(Body):
    """`POST /v1/embeddings`."""

    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=2_048)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=2_048)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class Pictures(Body):
    """`POST /v1/images/generations`.

    Attributes:
        prompt: the name or number of a class, or what the pictures show, as the model
            has it; empty for any.
        steps, guidance, negative_prompt: of models that have such.
        seed: decides the pictures.
    """

    prompt: Label = ""
    n: Several | None = None
    size: Annotated[str, Field(pattern=r"^(auto|[0-9]{1,5}x[0-9]{1,5})$")] | None = None
    response_format: Literal["b64_json"] | None = None
    output_format: Literal["png"] | None = None
    background: Literal["auto", "opaque"] | None = None
    quality: Literal["auto", "standard"] | None = None
    moderation: Literal["auto", "low"] | None = None  # there is none
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    steps: Annotated[int, Field(ge=1, le=STEPS)] | None = None
    guidance: Annotated[float, Field(ge=0, le=100)] | None = None
    temperature: Annotated[float, Field(gt=0, le=10)] | None = None
    negative_prompt: Label | None = None
    style: None = None
    output_compression: None = None
    partial_images: None = None
    stream: Literal[False] | None = None


class Voice(BaseModel):
    """Who is heard, as an object."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Label


class Speech(Body):
    """`POST /v1/audio/speech`.

    Attributes:
        voice: the name or number of a speaker; `default`, or nothing, is the first.
        speed: 2 takes half as long.
    """

    input: Annotated[str, Field(min_length=1, max_length=100_000)]
    voice: Label | Voice | None = None
    response_format: Literal["wav", "pcm"] | None = None
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    instructions: None = None
    stream_format: Literal["audio"] | None = None


class Transcription(Body):
    """`POST /v1/audio/transcriptions`, the fields beside the file.

    A form has texts alone, so numbers and flags come as such.
    """

    model_config = ConfigDict(extra="forbid", strict=False)

    language: Annotated[str, Field(min_length=2, max_length=20)] | None = None
    response_format: Literal["json", "text"] | None = None
    temperature: Annotated[float, Field(ge=0, le=0)] | None = None
    prompt: None = None
    include: None = None
    chunking_strategy: None = None
    timestamp_granularities: None = None
    stream: Literal["false"] | None = None
