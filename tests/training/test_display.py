"""What a run shows while it goes on."""

import io

import pytest

from keras_genai.training import TrainingError
from keras_genai.training.callbacks import Clock
from keras_genai.training.display import Progress, require_tensorboard


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(stream):
    clock = Clock(0, 100, 50)
    progress = Progress(clock, stream)
    progress.on_train_begin()
    for _ in range(100):
        clock.step += 1
        progress.on_train_batch_end(0, {"loss": 0.5, "accuracy": 1.0})
    progress.close()
    return stream.getvalue()


def test_a_terminal_gets_one_bar():
    text = show(Terminal())
    assert text.count("\n") == 1
    assert f"100/100 [{'=' * 24}] loss 0.5000" in text.split("\r")[-1]


def test_a_file_gets_occasional_lines():
    first, last = show(io.StringIO()).splitlines()
    assert first == "  1/100 loss 0.5000"
    assert last.startswith("100/100 loss 0.5000")
    assert last.endswith("0:00 left")


def test_tensorboard_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"pip install .*\[tensorboard\]"):
        require_tensorboard()
