"""The two files of an adapter, checked: what it is, and its weights."""

import hashlib

import pydantic
from safetensors import SafetensorError
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as pack_arrays

from keras_genai import registry
from keras_genai.files.plain import parse_json
from keras_genai.files.tensors import is_finite
from keras_genai.files.text import decode, read_bytes
from keras_genai.files.writing import write_bytes, write_text

FORMAT = 1
SETTINGS, WEIGHTS = "adapter.json", "adapter.safetensors"
LARGEST_SETTINGS = 2**20  # bytes


class File(pydantic.BaseModel):
    """The schema of adapter.json; unknown keys are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    format: int
    adapter: dict
    base: str = pydantic.Field(pattern="^[0-9a-f]{64}$")
    weights: str = pydantic.Field(pattern="^[0-9a-f]{64}$")


def write(folder, config, base, arrays):
    """Writes an adapter; one that is there is replaced.

    Args:
        folder: `pathlib.Path`. Created if needed.
        config: dict, the arguments of its `LoRA`.
        base: str, the identity of the model it belongs to.
        arrays: dict of path to array, its weights.
    """
    packed = pack_arrays(arrays)
    content = File(
        format=FORMAT,
        adapter=registry.to_plain(config),
        base=base,
        weights=hashlib.sha256(packed).hexdigest(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, packed)
    write_text(folder / SETTINGS, content.model_dump_json(indent=1))


def read(folder):
    """The content of an adapter's files.

    Args:
        folder: `pathlib.Path`.

    Returns:
        `(File, arrays)`, the second a dict of path to array.

    Raises:
        ValueError: if they are missing, damaged, or not finite.
    """
    try:
        text = decode(read_bytes(folder / SETTINGS, LARGEST_SETTINGS), SETTINGS)
        content = File.model_validate(parse_json(text))
        packed = read_bytes(folder / WEIGHTS)
        if content.format != FORMAT:
            raise ValueError(f"`format` must be {FORMAT}. Received: {content.format}")
        if hashlib.sha256(packed).hexdigest() != content.weights:
            raise ValueError(f"{WEIGHTS} is damaged")
        arrays = read_arrays(packed)
        if not all(is_finite(array) for array in arrays.values()):
            raise ValueError(f"{WEIGHTS} is not finite")
        return content, arrays
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder} cannot be read as an adapter: {reason}") from None
