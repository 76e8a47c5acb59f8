"""The one way to read JSON that somebody else may have written."""

import collections
import json
from typing import Any

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_text

LARGEST = 64 * 2**20  # bytes; a tokenizer of 250,000 tokens takes 20 MB
MOST_CONTAINERS = 2**21  # lists and dicts of a file; each takes 60 bytes and more


def read_json(path: AnyPath, limit: int = LARGEST) -> Any:
    """The content of a JSON file.

    Args:
        path: str or path of a regular file.
        limit: int. The most bytes that are read.

    Returns:
        dict, list, str, number, bool or `None`.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no regular file, larger than `limit`, no UTF-8, or not
            what `parse_json` takes; one line that names it.
    """
    text = read_text(path, limit)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from None


def parse_json(text: str, most: int = MOST_CONTAINERS) -> Any:
    """The value of a JSON text of reasonable size, in which every name comes once.

    Args:
        text: str.
        most: int. The most lists and dicts in it.

    Raises:
        ValueError: if it is something else, has more than `most` lists and dicts, or
            is nested too deeply.
    """
    if not isinstance(text, str):
        raise ValueError(f"it must be a str. Received: {text!r:.80}")
    if text.count("[") + text.count("{") > most:
        raise ValueError(f"it has more than {most:,} lists and dicts")
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        twice, _ = counts.most_common(1)[0]
        raise ValueError(f"{twice[:80]!r} comes twice")
    return found
