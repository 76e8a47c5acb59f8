"""The log of a run: what is in it, and what happens to a damaged one."""

import json
import shutil

import pytest
from linear_run import go

from keras_genai.training import run
from keras_genai.training.curve import draw_curve
from keras_genai.training.log import TIMING_FIELDS, read_log


def test_a_log_line_says_step_losses_rate_and_speed(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "draw_curve", draw_curve)  # which others go without
    go(tmp_path)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert list(last) == [
        "step",
        "loss",
        "val_loss",
        "learning_rate",
        "seconds",
        "examples_per_second",
    ]
    assert last["learning_rate"] == pytest.approx(0.1)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def replace_first_line(content):
    def harm(path):
        rest = path.read_bytes().split(b"\n", 1)[1]
        path.write_bytes(content + b"\n" + rest)

    return harm


HARM = {
    "cut": cut,
    "bytes": replace_first_line(b'{"step": \x00\xff}'),
    "number": replace_first_line(b"123"),
    "deep": replace_first_line(b"[" * 100_000),
    "digit": lambda path: path.write_bytes(path.read_bytes().replace(b"4", b"5", 1)),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 20),
}


def without_times(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: r[k] for k in r if k not in TIMING_FIELDS} for r in records]


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_damaged_log_is_mended_and_the_run_goes_on(harm, half, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    before = without_times(run / "log.jsonl")
    harm(run / "log.jsonl")
    said = []
    outcome = go(run, steps=12, say=said.append)
    assert said[0] == (
        f"{run / 'log.jsonl'} was changed or lost lines; they are back from the "
        "checkpoint"
    )
    assert without_times(run / "log.jsonl")[:2] == before
    assert [record["step"] for record in outcome.history] == [4, 8, 12]


def test_lines_that_are_no_records_are_passed_over_and_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1, "loss": "x"}\n123\n{"loss": 1}\n\xff\n{"step": 2')
    said = []
    assert read_log(path, said.append) == [{"step": 1, "loss": "x"}]
    assert said == [
        f"{path} has lines that are no records and are passed over: 2, 3, 4"
    ]
    draw_curve(read_log(path, said.append), tmp_path / "curve.png")
