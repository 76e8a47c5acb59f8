"""Our classes in Keras' table before they are imported.

A `.keras` file names a class that somebody must have registered. Whoever imports
keras_genai may expect that, and pays for a class only when a file asks for it.
"""

import functools
import importlib
import importlib.abc
import importlib.util
import pathlib
import re
import sys

PACKAGE = "keras_genai"
_ROOT = pathlib.Path(__file__).parent
_REGISTERED = re.compile(
    r"^@(?:register|keras\.saving\.register_keras_serializable\(.*\))\n"
    r"(?:@.*\n)*class (\w+)",
    re.MULTILINE,
)


@functools.cache
def modules_of_classes():
    """dict of str to str: the module of each registered class of this library.

    The files are searched, not imported: some ten milliseconds for all.
    """
    found = {}
    for path in sorted(_ROOT.rglob("*.py")):
        parts = path.relative_to(_ROOT).with_suffix("").parts
        for name in _REGISTERED.findall(path.read_text("utf-8")):
            found[name] = ".".join((PACKAGE, *parts))
    return found


def announce():
    """Lets Keras know our classes: now, or as soon as somebody imports it."""
    if hasattr(sys.modules.get("keras"), "saving"):
        _fill_table()
    else:
        sys.meta_path.insert(0, _Announcer())


def _fill_table():
    import keras

    table = keras.saving.get_custom_objects()
    for name, module in modules_of_classes().items():
        key = f"{PACKAGE}>{name}"
        table.setdefault(key, _StandIn(key, module))


class _StandIn:
    """In the place of a class that registers itself under the same key."""

    def __init__(self, key, module):
        self.key = key
        self.module = module

    def from_config(self, config):
        import keras

        importlib.import_module(self.module)
        # Not by the name alone: Keras copies its table before it reads a file.
        return keras.saving.get_custom_objects()[self.key].from_config(config)


class _Announcer(importlib.abc.MetaPathFinder):
    """Waits for the import of Keras, and leaves when it comes."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (run(module), _fill_table())
        return spec
