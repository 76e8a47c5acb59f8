"""Folders of transformers as we write them again, for transformers to read."""

import contextlib
import pathlib
import subprocess
import sys
import tempfile

# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import pathlib, sys
from keras_genai import from_preset
files, place, *names = sys.argv[1:]
for name in names:
    model = from_preset(pathlib.Path(files, name))
    model.save_to_preset(pathlib.Path(place, name), format="huggingface")
"""


@contextlib.contextmanager
def rewritten(files, names):
    """The path of a folder with what we make of folders; it is gone afterwards.

    Args:
        files: path of the folder in which they are.
        names: strs.
    """
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-c", REWRITE, files, place, *names]
        subprocess.run(command, check=True)
        yield pathlib.Path(place)
