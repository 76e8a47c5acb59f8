"""Trained presets that ship with the zoo: `weights/NAME/`, and what is known of each.

`weights/NAME.json` says what lies in the folder: the sha256 of every file, how its
numbers are stored, and the score measured from them beside the one that was trained.
`python -m zoo ship NAME` writes both.
"""

import pathlib

from zoo._command import training

FOLDER = pathlib.Path(__file__).parent / "weights"
MOST_BYTES = 44 * 10**6  # of all files together: every installation carries them
DTYPES = ("float32", "bfloat16", "int8")


def names():
    """Names of the entries whose weights ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def record(name):
    """The `Shipped` of an entry, or `None` if its weights do not ship.

    Raises:
        ValueError: if the record is damaged.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    import pydantic

    from zoo._shipped import Shipped

    try:
        return Shipped.model_validate_json(path.read_bytes())
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{path} is damaged: {first['msg']}") from None


def folder(name):
    """The preset folder of an entry's weights, or `None` if they do not ship.

    Its manifest is compared with the record; the files are compared with the manifest
    by `from_preset`, so that they are hashed once.

    Raises:
        ValueError: if the folder is missing or is not the one that was recorded.
    """
    known = record(name)
    if known is None:
        return None
    from keras_genai.tasks.manifests import MANIFEST, read_manifest

    place = FOLDER / name
    if not place.is_dir():
        raise ValueError(f"{place} is missing: {place}.json says that it ships")
    if read_manifest(place) != known.sha256:
        raise ValueError(
            f"{place / MANIFEST} is damaged: its sha256 are not those of {place}.json"
        )
    return place


def pretrained(entry, **overrides):
    """See `Entry.pretrained`."""
    from keras_genai.tasks.presets import from_preset

    place = folder(entry.name) or entry.hub
    if not place:
        raise ValueError(
            f"`name` must be an entry whose weights ship: {', '.join(names())}. "
            f"Train this one with `{training(entry.name)}`. Received: {entry.name!r}"
        )
    return from_preset(place, **overrides)
