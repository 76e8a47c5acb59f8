"""Packages that only some formats need."""

import importlib


def need(module, extra):
    """A package that is not always installed.

    Args:
        module: str, its dotted name.
        extra: str, which one of this library installs it.

    Raises:
        ImportError: if it is not there; one line that says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module.partition('.')[0]} must be installed: python -m pip install "
            f'"keras_genai[{extra}]". Received: {error}'
        ) from None
