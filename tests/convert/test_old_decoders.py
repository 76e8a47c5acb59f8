"""Decoders as old releases wrote them: buffers, doubles, no prefix, shards."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from marks import slow_but
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files/decoder"
TIED = ("llama3", "qwen2", "qwen3", "phi3_partial", "gemma2", "gemma3")
ALL = (*TIED, "llama2", "mistral", "qwen3_biased", "phi3", "llama_biased")
TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def rewritten(name, folder, change=dict, shards=1, **config):
    """A copy of a folder with other tensors and settings, and without generation."""
    shutil.copytree(FILES / name, folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tensors = {}
    for path in [*folder.glob("model*")]:
        if path.suffix == ".safetensors":
            tensors.update(load_file(path))
        path.unlink()
    tensors = change(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
    else:
        places = {}
        for piece in range(shards):
            part = dict(list(tensors.items())[piece::shards])
            save_file(part, folder / f"model-{piece}.safetensors")
            places |= dict.fromkeys(part, f"model-{piece}.safetensors")
        index = {"metadata": {"total_size": 1}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    known = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**known, **config}))
    return folder


def of_4_30(tensors):
    """Frequencies of each layer, and the head beside the table that it is tied to."""
    layers = {key.split(".")[2] for key in tensors if key.startswith("model.layers.")}
    waves = {
        f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": np.ones(2, "float32")
        for layer in layers
    }
    return {**tensors, **waves, HEAD: tensors.get(HEAD, tensors[TABLE].copy())}


def without_prefix(tensors):
    """As a body is stored that was saved by itself."""
    return {key.removeprefix("model."): value for key, value in tensors.items()}


def assert_same(folder, name, task=None):
    expected = from_preset(FILES / name).preset_weights()
    found = from_preset(folder, task=task).preset_weights()
    assert found.keys() == expected.keys()
    for path, weight in found.items():
        np.testing.assert_array_equal(weight, expected[path], err_msg=path)


@pytest.mark.parametrize("name", slow_but(("qwen2",), ALL))
def test_buffers_doubles_and_shards_of_4_30_are_read(name, tmp_path):
    assert_same(rewritten(name, tmp_path / "old", of_4_30, shards=3), name)


@pytest.mark.parametrize("name", slow_but(("gemma3",), TIED))
def test_a_body_without_prefix_writes_where_its_head_is_the_table(name, tmp_path):
    config = json.loads((FILES / name / "config.json").read_text("utf-8"))
    body = config["architectures"][0].replace("ForCausalLM", "Model")
    body = body.replace("Gemma3", "Gemma3Text")
    folder = rewritten(name, tmp_path / "old", without_prefix, architectures=[body])
    assert_same(folder, name, "CausalLM")
    assert type(from_preset(folder)) is FeatureExtractor


def test_a_language_model_whose_head_is_not_stored_says_so(tmp_path):
    def body(tensors):
        return {key: value for key, value in tensors.items() if key != HEAD}

    folder = rewritten("llama2", tmp_path / "old", body)
    with pytest.raises(PresetError, match=r"missing: lm_head\.weight"):
        from_preset(folder)


def test_a_tied_head_with_other_numbers_is_refused(tmp_path):
    def other(tensors):
        return {**tensors, HEAD: tensors[TABLE] + 1}

    folder = rewritten("qwen2", tmp_path / "old", other)
    with pytest.raises(PresetError, match="must be equal"):
        from_preset(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "tf_model.h5"])
def test_a_folder_of_pickles_is_refused_with_the_reason(name, tmp_path):
    folder = rewritten("qwen2", tmp_path / "old")
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(PresetError, match=rf"{name} is not read, it may run code"):
        from_preset(folder)


def test_settings_of_the_first_llamas_are_known(tmp_path):
    folder = rewritten(
        "llama2", tmp_path / "old", max_sequence_length=2048, pad_token_id=-1
    )
    assert_same(folder, "llama2")
