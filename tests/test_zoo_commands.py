"""`python -m zoo`: what it prints, and how it says no."""

import pytest

import train
from zoo import __main__ as command


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    out = tmp_path_factory.mktemp("zoo") / "run"
    assert train.main(["ngram_names", "--out", str(out)]) == 0
    return str(out / "preset")


def test_list_names_what_matches(capsys):
    assert not command.main(["list", "ngram*"])
    printed = capsys.readouterr().out
    assert "ngram7_shakespeare" in printed
    assert "gpt_" not in printed


def test_show_prints_the_entry_and_its_result(capsys):
    assert not command.main(["show", "gpt_shakespeare"])
    printed = capsys.readouterr().out
    assert "nanoGPT" in printed
    assert "nats_per_character" in printed or "Not measured." in printed


def test_sample_writes_the_same_text_for_the_same_seed(preset, capsys):
    arguments = ["sample", "ngram_names", "--preset", preset, "--prompt", "\nan"]
    texts = []
    for seed in ("1", "1", "2"):
        assert not command.main([*arguments, "--max-length", "40", "--seed", seed])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("\nan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "gpt_shakspeare"], "Did you mean gpt_shakespeare"),
        (["sample", "gpt_shakespeare", "--preset", "no_such"], "python train.py"),
        (["show", "zzzz"], "See `python -m zoo list`"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, message, capsys):
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_results_are_markdown_sorted_by_score(capsys):
    assert not command.main(["results"])
    printed = capsys.readouterr().out
    assert printed.startswith("| entry |")
