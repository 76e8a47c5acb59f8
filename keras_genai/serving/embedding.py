"""Vectors of texts for people who ask over HTTP."""

import base64
import threading
from typing import Any

import numpy as np

from keras_genai.serving.errors import invalid, too_long, unsupported
from keras_genai.serving.limits import Limits
from keras_genai.serving.openai_schema import Embedding
from keras_genai.serving.served import Served
from keras_genai.serving.writing import several

AT_ONCE = 32  # texts, between two looks whether anybody still waits


async def embed(served: Served, body: Embedding, limits: Limits) -> dict[str, Any]:
    """The response of `/v1/embeddings`.

    Raises:
        Refusal: if it cannot be done.
    """
    texts = several(body.input)
    limits.check("prompts", len(texts), "input")
    model, gone = served.model, threading.Event()

    def work():
        written = [_as_text(model, text) for text in texts]
        counts = model.count_tokens(written)
        most = model.longest_text
        if most is not None and max(counts) > most:
            raise too_long(max(counts), most, "input")
        parts = []
        for first in range(0, len(written), AT_ONCE):
            if gone.is_set():
                break
            parts.append(np.asarray(model.embed(written[first : first + AT_ONCE])))
        return np.concatenate(parts).astype("float32"), sum(counts)

    try:
        vectors, tokens = await served.call(work, limits.seconds, "input")
    finally:
        gone.set()
    size = vectors.shape[1]
    if body.dimensions not in (None, size):
        raise unsupported("dimensions", f"vectors of this model have {size}")
    is_text = body.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if is_text else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": data,
        "model": served.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _packed(vector):
    """str: little-endian float32 in base64."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _as_text(model, text):
    if isinstance(text, str):
        if not text.strip():
            raise invalid("`input` must be texts that are not empty.", "input")
        return text
    size = model.tokenizer.vocabulary_size
    if max(text) >= size:
        raise invalid(
            f"`input` must be texts, or tokens of this model, below {size}. Received: "
            f"{max(text)} (LangChain's OpenAIEmbeddings sends those of another model "
            "unless it is told check_embedding_ctx_length=False)",
            "input",
        )
    return model.tokenizer.decode(text)
