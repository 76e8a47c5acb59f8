"""What `data` asks for: a source by its name, or files of a user's own."""

import difflib

from keras_genai.files.paths import as_path


def own_files(spec, kinds):
    """The path that a user asks for, `KIND:PATH` or as it is.

    Args:
        spec: str or path.
        kinds: dict of `KIND` to `"file"` or `"folder"`, which it must be.

    Returns:
        str, or `spec`; `None` if no such file or folder is asked for.

    Raises:
        FileNotFoundError: if one is asked for by its kind and does not exist.
    """
    kind, _, rest = str(spec).partition(":")
    if kind in kinds and rest:
        if not _exists(rest, kinds[kind]):
            raise FileNotFoundError(
                f"`data` must name a {kinds[kind]} that exists. Received: {str(spec)!r}"
            )
        return rest
    there = str(spec) and any(_exists(spec, each) for each in kinds.values())
    return spec if there else None


def unknown(spec, choices, others=""):
    """The error of what is no source, which names the nearest.

    Args:
        spec: what came.
        choices: list of str: names, and kinds such as `"tfds:NAME"`.
        others: str, what else it may be, as the end of a sentence.

    Returns:
        `ValueError`.
    """
    kind, _, rest = str(spec).partition(":")
    words = {choice.partition(":")[0]: ":" in choice for choice in choices}
    # With something behind a colon the word before it is no name of a source.
    fitting = [word for word, takes in words.items() if takes or not rest] or words
    near = difflib.get_close_matches(kind, fitting, n=1)
    shown = [f"{word}:..." if words[word] else word for word in near]
    hint = f"; did you mean {shown[0]!r}?" if shown else ""
    return ValueError(
        f"`data` must be one of {choices}{others}. Received: {str(spec)!r}{hint}"
    )


def _exists(path, kind):
    path = as_path(path, "data")
    return path.is_file() if kind == "file" else path.is_dir()
