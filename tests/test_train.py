"""train.py, as a person runs it: it trains, goes on, and says what is wrong."""

import json
import random

import pytest

import train
from keras_genai.training import run
from keras_genai.training.curve import draw_curve

SMALL = ["--set", "width=8", "--set", "depth=1", "--set", "num_heads=2"]


@pytest.mark.slow
def test_a_run_leaves_its_files_and_goes_on_where_it_stopped(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(run, "draw_curve", draw_curve)
    out = tmp_path / "run"
    command = ["gpt_python_docs", "--out", str(out), "--batch-size", "2", *SMALL]
    assert train.main([*command, "--steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "nats_per_character" in printed
    assert str(out) in printed
    for name in (
        "config.json",
        "log.jsonl",
        "curve.png",
        "result.json",
        "samples/sample.txt",
        "preset/model.safetensors",
        "preset/README.md",
    ):
        assert (out / name).stat().st_size > 0, name
    result = json.loads((out / "result.json").read_text())
    assert result["steps"] == 2

    assert train.main([*command, "--steps", "3"]) == 0
    assert json.loads((out / "result.json").read_text())["steps"] == 3
    lines = (out / "log.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps[-1] == 3
    assert len(set(steps)) == len(steps)

    before = (out / "config.json").read_bytes()
    assert train.main([*command, "--steps", "3", "--seed", "1"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "seed is 0 there and 1 here" in message
    assert (out / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt_shakspeare"], "Did you mean gpt_shakespeare"),
        (["--steps", "0"], "--steps"),
        (["--steps", "many"], "Received: many"),
        (["--precision", "float8"], "float8"),
        (["--set", "widht=3"], "Did you mean width"),
        (["--set", "width=wide"], "must be of type int"),
        (["--set", "width"], "KEY=VALUE"),
        (["--set", "style.norm=batch"], "`norm` must be one of"),
        (["--set", "width=30", "--set", "num_heads=4"], "multiple of `num_heads`"),
        (["--data", "no_such_file.txt"], "no_such_file.txt"),
        (["gpt_shakespeare", "--data", "shakspeare"], "shakespeare"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, message, tmp_path, capsys):
    try:
        code = train.main([*arguments, "--out", str(tmp_path / "run")])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


@pytest.mark.slow
def test_own_text_files_are_trained_on(tmp_path, capsys):
    text = tmp_path / "text.txt"
    letters = random.Random(0).choices("abcdefgh  ", k=20_000)
    text.write_text("".join(letters), "utf-8")
    command = ["gpt_python_docs", "--data", str(text), "--dry-run", "--batch-size", "2"]
    assert train.main([*command, *SMALL]) == 0
    assert "All well" in capsys.readouterr().out


@pytest.mark.slow
def test_a_counting_model_runs_through_the_same_command(tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main(["ngram_names", "--out", str(out)]) == 0
    assert "test_nats_per_character" in capsys.readouterr().out
    assert (out / "preset" / "model.safetensors").exists()


def test_listing_names_every_entry(capsys):
    assert train.main(["--list"]) == 0
    assert "gpt_python_docs" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_of_two_optimizers_runs_through_the_same_command(tmp_path, capsys):
    command = ["dcgan_digits", "--set", "latent=4", "--set", "width=4"]
    command += ["--batch-size", "16", "--out", str(tmp_path / "run"), "--steps"]
    assert train.main([*command, "4"]) == 0
    assert train.main([*command, "6"]) == 0
    assert "going on from step 4 of 6" in capsys.readouterr().out
