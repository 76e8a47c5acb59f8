"""Starting TensorFlow for a command: what is left out, and that it comes back."""

import os
import pathlib
import subprocess
import sys

import pytest

from zoo import __main__ as command
from zoo import _quiet


def test_what_is_absent_cannot_be_imported_and_then_can(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with _quiet.absent(["colorsys", "subprocess"]):
        with pytest.raises(ImportError, match="colorsys"):
            import colorsys
        assert sys.modules["subprocess"] is subprocess  # it was there before
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


VERBS = (
    *("show ngram_names", "train ngram_names", "verify ngram_names"),
    *("sample ngram_names", "chat ngram_names", "export ngram_names --out x"),
    *("translate seq2seq_dates x", "summarize seq2seq_dates x", "useful cvae_digits"),
    *("classify seq2seq_dates x", "answer seq2seq_dates x --context x", "list"),
    *("transcribe ctc_digits {file}", "caption caption_emoji {file} --picture x.png"),
    *("rank clip_emoji {file} --text x", "speak tts_digits x --picture x.png"),
    *("edit face_edit_emoji {file} --to x", "continue ngram_names {file}"),
    *("harmonize ngram_names {file}", "score ngram_names x", "serve ngram_names"),
    *("compare ngram_names ngram_names --judge ngram_names --prompts {file}",),
    *("ship ngram_names", "frontier ngram_names --picture x.png", "results"),
)
# Runs verbs up to where they start TensorFlow, which they must not do otherwise.
CODE = """
import sys
from zoo import _quiet

class Started(Exception):
    pass

def start():
    raise Started

_quiet.start_tensorflow = start
from zoo.__main__ import parse

for line in sys.argv[1:]:
    options = parse(line.split())
    try:
        options.run(options)
    except Started:
        pass
    assert "tensorflow" not in sys.modules, line
"""


def test_no_verb_starts_tensorflow_with_its_pages_of_lines(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    lines = [verb.format(file=file) for verb in VERBS]
    path = pathlib.Path(__file__).parent.parent
    subprocess.run(
        [sys.executable, "-c", CODE, *lines],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(path)},
        stdout=subprocess.DEVNULL,
    )


def test_all_verbs_are_asked():
    (verbs,) = command.parser()._subparsers._group_actions
    assert {line.split()[0] for line in VERBS} == {*verbs.choices}


@pytest.mark.slow
def test_a_command_does_not_pay_for_what_keras_would_import_beside():
    code = (
        "import sys\n"
        "from zoo._quiet import start_tensorflow\n"
        "start_tensorflow()\n"
        "heavy = {'matplotlib', 'sklearn'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "import matplotlib\n"
        "from sklearn.datasets import load_digits\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
