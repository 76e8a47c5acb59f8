"""JSON files of a published folder: objects of reasonable size, or nothing."""

import json

from keras_genai.files.finding import find_file
from keras_genai.files.plain import parse_json
from keras_genai.files.text import read_text
from keras_genai.files.writing import write_text
from keras_genai.tasks.presets import PresetError

LARGEST = 8 * 2**20  # bytes; config.json with 100,000 labels takes 4 MB


def read_object(folder, name, limit=LARGEST):
    """The dict that a JSON file of a folder holds.

    Args:
        folder: path.
        name: str.
        limit: int, bytes.

    Returns:
        dict, or `None` if there is no such file.

    Raises:
        PresetError: if it is no regular file, too large, no JSON, or no dict.
    """
    return _read(folder, name, limit, dict)


def read_list(folder, name, limit=LARGEST):
    """As `read_object`, for a file that holds a list."""
    return _read(folder, name, limit, list)


def write_object(path, content):
    """Writes a dict as a JSON file."""
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
    write_text(path, f"{text}\n")


def _read(folder, name, limit, kind):
    try:
        path = find_file(folder, name)
        if path is None:
            return None
        text = read_text(path, limit)
    except (ValueError, OSError) as error:
        raise PresetError(str(error)[:300]) from None
    try:
        content = parse_json(text)
    except ValueError as error:
        raise PresetError(f"{path} cannot be read as JSON: {error}"[:300]) from None
    if not isinstance(content, kind):
        raise PresetError(
            f"{path} must hold a {kind.__name__}. Received: {str(content)[:40]}"
        )
    return content
