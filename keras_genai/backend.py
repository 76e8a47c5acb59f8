"""What Keras must run on, said before anything of it is used."""

import json
import os
import pathlib
import sys

CURE = "set KERAS_BACKEND=tensorflow, or `backend` in ~/.keras/keras.json"
NEEDED = "tensorflow"


def check_backend():
    """Raises unless Keras runs on TensorFlow, or will once it is imported.

    Raises:
        ImportError: if Keras has another backend, or is to have one.
    """
    backend = _chosen()
    if backend != NEEDED:
        raise ImportError(
            f"keras_genai needs the {NEEDED} backend of Keras: {CURE}. "
            f"Received: {backend=}"
        )


def _chosen():
    """What Keras runs on; before it is imported, what it would read by itself."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "backend"):
        return keras.backend.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    try:
        text = (pathlib.Path(home).expanduser() / "keras.json").read_text("utf-8")
        return json.loads(text).get("backend", NEEDED)
    except (OSError, ValueError):  # Keras, too, then takes its default
        return NEEDED
