"""What a folder of ours says beside the one of transformers that it was read from."""

import json

from safetensors.numpy import load_file


def tensors(written, folder):
    """The tensors of both folders, by the names that ours have.

    Args:
        written: path of a folder of ours.
        folder: path of the reference.

    Returns:
        `(ours, theirs)`, dicts of arrays. A body alone has no prefix in a reference.
    """
    ours, theirs = load_file(written / "model.safetensors"), {}
    for path in folder.glob("*.safetensors"):
        theirs.update(load_file(path))
    prefix = next(iter(ours)).split(".")[0]

    def name(key):
        own = f"{prefix}.{key}"
        return own if key not in ours and own in ours else key

    return ours, {name(key): value for key, value in theirs.items()}


def settings(written, folder):
    """The settings of both folders: `(ours, theirs)`, dicts of config.json."""
    return tuple(
        json.loads((path / "config.json").read_text("utf-8"))
        for path in (written, folder)
    )
