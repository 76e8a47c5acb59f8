"""transformers itself reads what we write, where it is installed."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
NEEDED = ("torch", "transformers", "sentencepiece")


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDED),
    reason=f"needs {', '.join(NEEDED)}",
)
@pytest.mark.parametrize("tool", ["make_seq2seq", "make_translator_tokenizers"])
def test_our_folders_give_transformers_the_same_numbers_and_ids(tool):
    paths = [str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, HERE / f"{tool}.py", "check"],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
