"""Where a trained preset of an entry is: made here, shipped, or published."""

import pathlib

from zoo import _weights
from zoo._command import say
from zoo._declared import declared

# Run folders, unless `--out` names another: of `train`, and of `verify`.
TRAINED, VERIFIED = "runs/{}", "runs/verify/{}"


def presets(name):
    """Paths, which need not exist: of the presets that an entry's runs have here."""
    return [pathlib.Path(run.format(name), "preset") for run in (TRAINED, VERIFIED)]


def trained(name):
    """The first of `presets` that exists, or `None`."""
    return next((path for path in presets(name) if path.is_dir()), None)


def taken(name):
    """The first that there is of an entry's presets, and a line that says which it is.

    One that was trained here comes before the weights that ship with the zoo, and these
    before the published checkpoint.

    Args:
        name: str, an entry.

    Returns:
        path, or a name on the hub; or `None`.
    """
    here = trained(name)
    places = {
        f"the preset in {here}": lambda: here,
        "the weights that ship with the zoo": lambda: _weights.folder(name),
        "the published checkpoint": lambda: declared(name).get("hub"),
    }
    for kind, find in places.items():
        found = find()
        if found:
            say("zoo", f"{name}: taking {kind}")
            return found
    return None


def missing(name):
    """Where `taken` has looked for an entry that has no preset, as half a sentence."""
    looked = " or ".join(str(path) for path in presets(name))
    return f"no preset in {looked}, and no weights of {name} ship"
