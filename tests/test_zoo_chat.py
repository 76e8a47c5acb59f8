"""The verb `chat`: a preset answers line by line, until `quit`."""

import io
import types

import pytest

from keras_genai.data import tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM
from zoo import _chat


def options(**changes):
    chosen = dict(
        name="gpt_shakespeare",
        preset=None,
        weights=None,
        temperature=0.0,
        reply_length=4,
        seed=0,
    )
    return types.SimpleNamespace(**{**chosen, **changes})


@pytest.mark.slow
def test_a_preset_answers_until_quit(tmp_path, monkeypatch, capsys):
    network = GPT(context=32, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(tokenizers.byte_level()))
    model.save_to_preset(tmp_path / "preset")
    monkeypatch.setattr("sys.stdin", io.StringIO("hi\nquit\nnot read"))
    _chat.chat(options(preset=str(tmp_path / "preset")))
    printed = capsys.readouterr().out
    assert printed.count("bot> ") == 1
    assert printed.count("you> ") == 2


def test_without_a_preset_there_is_one_line_that_says_how_to_get_one():
    with pytest.raises(ValueError, match=r"python train.py lstm_sst2"):
        _chat.chat(options(name="lstm_sst2"))
