"""Where an export goes: a path that is checked before anything is computed."""

from keras_genai.files.paths import as_path
from keras_genai.files.writing import write_text


def file_at(path, suffix):
    """The path of a file to write.

    Args:
        path: str or path.
        suffix: str, such as `".onnx"`.

    Returns:
        `pathlib.Path`.

    Raises:
        ValueError: if it ends otherwise, or its folder does not exist.
    """
    target = as_path(path, "path")
    if target.suffix != suffix:
        raise ValueError(f"`path` must end with {suffix}. Received: {path}")
    if not target.parent.is_dir():
        raise ValueError(f"`path` must be in a folder that exists. Received: {path}")
    return target


def write_tokenizer(model, path):
    """Writes the tokenizer of a model beside a file, as `tokenizers` reads it.

    Args:
        model: `Task`.
        path: `pathlib.Path` of the file that it goes with.

    Returns:
        list of str: a line that says where it is; nothing without a tokenizer.
    """
    if model.tokenizer is None:
        return []
    beside = path.with_suffix(".tokenizer.json")
    write_text(beside, model.tokenizer.core.to_str(pretty=True))
    return [f"the tokenizer is in {beside.name}"]
