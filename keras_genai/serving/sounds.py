"""Speech for people who ask over HTTP, and what is said in their recordings."""

import inspect
import pathlib
import secrets
import tempfile
from typing import Any

from keras_genai.files.sound import EXTENSIONS
from keras_genai.files.wav import HEADER
from keras_genai.files.writing import write_bytes
from keras_genai.serving.drawing import class_of
from keras_genai.serving.errors import Refusal, invalid, unsupported
from keras_genai.serving.limits import Limits
from keras_genai.serving.openai_schema import Speech, Transcription
from keras_genai.serving.served import Served

KINDS = {"wav": "audio/wav", "pcm": "audio/pcm"}
ANY_VOICE = "default"


async def speak(
    served: Served, body: Speech, limits: Limits
) -> tuple[bytes, dict[str, str]]:
    """The file of `/v1/audio/speech`, and the headers that say what it is.

    Raises:
        Refusal: if it cannot be done.
    """
    model = served.model
    speaker = _speaker(served, body.voice)
    seed = secrets.randbits(31) if body.seed is None else body.seed

    def work():
        speed = 1.0 if body.speed is None else body.speed
        waves = model.speak([body.input], speaker, speed=speed, seed=seed)
        return model.makes.encode(waves)

    content = await served.call(work, limits.seconds, "input")
    kind = body.response_format or "wav"
    headers = {
        "content-type": KINDS[kind],
        "x-sample-rate": str(model.makes.rate),
        "x-seed": str(seed),
    }
    return content[HEADER:] if kind == "pcm" else content, headers


async def transcribe(
    served: Served, name: str, content: bytes, fields: Transcription, limits: Limits
) -> str:
    """What is said in a recording.

    Args:
        served: `Served`.
        name: str, what a client calls the file: its suffix says what it is.
        content: bytes.
        fields: `Transcription`.
        limits: `Limits`.

    Raises:
        Refusal: if it cannot be done.
    """
    suffix = pathlib.PurePosixPath(name).suffix.lower() or EXTENSIONS[0]
    if suffix not in EXTENSIONS:
        raise invalid(
            f"`file` must be one of {', '.join(EXTENSIONS)}. Received: {name[-80:]!r}",
            "file",
        )
    known = inspect.signature(served.model.transcribe).parameters
    more = {}
    if fields.language is not None:
        if "language" not in known:
            raise unsupported("language", "this model is told no language")
        more["language"] = fields.language

    def work():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / f"sound{suffix}"
            write_bytes(path, content)
            try:
                return served.model.transcribe(path, **more)
            except (OSError, ValueError, ImportError) as error:
                raise _about_the_file(error, path) from error

    return " ".join(str(await served.call(work, limits.seconds)).split())


def _about_the_file(error, path):
    """The error without the name of a folder of this machine."""
    said = " ".join(str(error).replace(str(path), "`file`").split())
    if "`language`" in said:
        return invalid(said, "language")
    return invalid(said if "`file`" in said else f"`file`: {said}", "file")


def _speaker(served: Served, voice: Any) -> int | None:
    """The number of a voice, `None` for the first."""
    name = voice if isinstance(voice, str) or voice is None else voice.id
    if name in (None, "", ANY_VOICE):
        return None
    for kind in served.model.given:
        if kind.key == "speakers":
            return class_of(served, kind, name, "voice")
    raise Refusal(
        400,
        f"`voice` must be {ANY_VOICE!r} for this model, which has one voice. "
        f"Received: {name[:80]!r}",
        "voice",
    )
