"""The catalogue as a table, by family, read without running an entry."""

import collections
import json
import shutil
import sys

import zoo
from keras_genai.files.text import read_text
from zoo import _places, _weights
from zoo._declared import declared

# The order of the groups; an entry of any other family comes after these.
FAMILIES = (
    *("n-grams", "recurrent networks", "transformers", "encoder-decoders", "encoders"),
    *("alignment", "VAEs and codecs", "autoregressive pictures", "GANs", "diffusion"),
    "captioning",
    "speech",
    "sound",
    "music",
    "tables",
)


def list(options):
    """Names the entries that match a pattern, by family, with size and score.

    Weights that are `here` were trained in runs/NAME or runs/verify/NAME of this
    folder, those that `ship` are a part of the zoo, and those on the `hub` can be
    downloaded.
    """
    found = zoo.names(options.pattern)
    if not found:
        raise ValueError(
            f"`pattern` must match an entry of the zoo. Received: {options.pattern!r}"
        )
    print_table(found)


def print_table(names):
    """Prints a line for each entry, as wide as a person's terminal, by family."""
    seen = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if seen else None
    for family, members in by_family(names).items():
        print(family)
        for name in members:
            print(_row(name)[:width])


def by_family(names):
    """Names of entries grouped by their family.

    Args:
        names: iterable of str.

    Returns:
        dict from str to list of str, families in the order of `FAMILIES`.
    """
    groups = collections.defaultdict(lambda: [])
    for name in names:
        groups[declared(name).get("family", "others")].append(name)
    known = {family: place for place, family in enumerate(FAMILIES)}
    return dict(sorted(groups.items(), key=lambda item: known.get(item[0], 99)))


def _row(name):
    result = _result(name)
    size, score = _short(result.get("parameters")), ""
    if "value" in result:
        score = f"{result['value']:.4g} {result['metric']}"
    return f"  {name:24} {size:>5} {score:38} {_place(name):5} {zoo.describe(name)}"


def _result(name):
    """The recorded result as a dict; reading it as a `Result` would cost an import."""
    path = zoo.record(name)
    return json.loads(read_text(path)) if path.is_file() else {}


def _short(count):
    """A number of parameters in five characters: 1.2M."""
    if not count:
        return ""
    for unit, size in {"B": 10**9, "M": 10**6, "k": 10**3}.items():
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _place(name):
    """Where trained weights of an entry are: a word, or nothing."""
    places = {
        "here": _places.trained(name) is not None,
        "ship": name in _weights.names(),
        "hub": bool(declared(name).get("hub")),
    }
    return next((word for word, there in places.items() if there), "")
