"""What transformers stored beside the weights does not keep a folder from opening."""

import pathlib
import shutil

import numpy as np
import pytest
from marks import slow_but
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.convert.buffers import BUFFERS, is_buffer
from keras_genai.convert.families import FAMILIES
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files"
FOLDERS = {
    "gpt2": "encoder/gpt2",
    "bert": "encoder/bert_masked",
    "roberta": "bert_kin/roberta_masked",
    "xlm-roberta": "bert_kin/xlm_roberta_sequence",
    "camembert": "bert_kin/camembert_masked",
    "distilbert": "bert_kin/distilbert_masked",
    "mpnet": "bert_kin/mpnet_masked",
    "electra": "bert_kin/electra_masked",
    "albert": "bert_kin/albert_masked",
    "modernbert": "bert_kin/modernbert_masked",
    "bart": "seq2seq/bart",
    "blenderbot": "seq2seq/blenderbot",
    "blenderbot-small": "seq2seq/blenderbot_small",
    "t5": "seq2seq/t5",
    "marian": "seq2seq/marian",
    "pegasus": "seq2seq/pegasus",
    "mbart": "seq2seq/mbart",
    "m2m_100": "seq2seq/m2m100",
    "whisper": "whisper/whisper",
    "clip": "clip/clip",
    "llama": "decoder/llama3",
    "mistral": "decoder/mistral",
    "qwen2": "decoder/qwen2",
    "qwen3": "decoder/qwen3",
    "phi3": "decoder/phi3",
    "gemma2": "decoder/gemma2",
    "gemma3_text": "decoder/gemma3",
}


def with_tensors(folder, path, names):
    """A copy of a folder with more tensors."""
    shutil.copytree(folder, path)
    tensors = load_file(path / "model.safetensors")
    added = {name: np.arange(4)[None] for name in names}
    save_file({**tensors, **added}, path / "model.safetensors")
    return path


def test_every_family_has_a_folder():
    assert FOLDERS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", slow_but(("gpt2", "bert", "bart", "t5"), FAMILIES))
def test_a_folder_with_every_buffer_opens(family, tmp_path):
    prefixes = ("", FAMILIES[family].prefix, "block.0.", "model.layers.7.attention.")
    names = {prefix + name for prefix in prefixes for name in BUFFERS}
    path = with_tensors(FILES / FOLDERS[family], tmp_path / "more", names)
    weights = from_preset(FILES / FOLDERS[family]).preset_weights()
    for name, weight in from_preset(path).preset_weights().items():
        np.testing.assert_array_equal(weight, weights[name])


@pytest.mark.parametrize("name", ["embeddings.position_ids", "position_ids"])
def test_a_body_alone_with_its_positions_opens(name, tmp_path):
    path = with_tensors(FILES / "encoder/bert", tmp_path / "more", [name])
    assert from_preset(path, task="SentenceEmbedder").context == 24


@pytest.mark.parametrize(
    "name", ["h.0.attn.c_attn.bias", "my_position_ids", "bias", "position_ids.weight"]
)
def test_other_tensors_are_still_refused(name, tmp_path):
    assert not is_buffer(name)
    path = with_tensors(FILES / "encoder/bert", tmp_path / "more", [name])
    with pytest.raises(PresetError, match="surplus"):
        from_preset(path)
