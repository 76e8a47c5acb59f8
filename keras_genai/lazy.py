"""Packages whose public names stand in their stub and are imported when asked for."""

import importlib
import importlib.util

import lazy_loader


def attach(package, file):
    """What makes a package lazy.

    `__getattr__, __dir__, __all__ = attach(__name__, __file__)` is all that its
    `__init__.py` has to say: names come from the stub beside it, `__init__.pyi`. A
    module that is in no stub is found by its name, too, but not listed.

    Args:
        package: str, the package's `__name__`.
        file: str, its `__file__`.

    Returns:
        `(__getattr__, __dir__, __all__)`.
    """
    find, listed, names = lazy_loader.attach_stub(package, file)

    def find_name_or_module(name):
        module = f"{package}.{name}"
        if name in names:
            return find(name)
        if not name.startswith("_") and importlib.util.find_spec(module):
            return importlib.import_module(module)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find_name_or_module, listed, names
