"""tokenizer.json beside a file, as the package `tokenizers` reads it."""

from keras_genai.files.writing import write_text


def write_beside(model, path):
    """Writes the tokenizer of a model, if it has one.

    Args:
        model: `Task`.
        path: `pathlib.Path` of the file that it goes with.

    Returns:
        list of str: a line that says where it is.
    """
    if model.tokenizer is None:
        return []
    beside = path.with_suffix(".tokenizer.json")
    write_text(beside, model.tokenizer.core.to_str(pretty=True))
    return [f"the tokenizer is in {beside.name}"]
