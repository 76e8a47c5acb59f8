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
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read_back", ()),
        ("make_encoder", ("check",)),
        ("make_bert_kin", ("check",)),
        ("make_seq2seq", ("check",)),
        ("make_translator_tokenizers", ("check",)),
        ("make_decoder", ("check",)),
        ("make_decoder_heads", ("check",)),
        ("make_decoder_pieces", ("check",)),
    ],
)
def test_our_folders_give_transformers_the_same_numbers_and_ids(tool, arguments):
    paths = [str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, HERE / f"{tool}.py", *arguments],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
