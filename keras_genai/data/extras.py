"""Packages that only some sources need: those of the extra `data`."""

import importlib


def require(module, source):
    """A module of the extra, imported now.

    Args:
        module: str, its dotted name.
        source: str. What needs it, for the error.

    Returns:
        The module.

    Raises:
        ImportError: if it is not installed; the one line says what to do.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{source} needs {package}, which is not installed: "
            f'python -m pip install "keras_genai[data]". Received: {error}'
        ) from None
