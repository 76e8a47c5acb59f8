"""What else a published folder may hold: pickles, code, adapters, quantized weights."""

import json
import pathlib
import shutil
import warnings

import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files"
TOKENS = np.array([[3, 9, 4, 8]])
CODE = {
    "AutoConfig": "configuration_mine.MineConfig",
    "AutoModelForCausalLM": "owner/name--modeling_mine.MineForCausalLM",
}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FILES / "decoder/qwen3", tmp_path / "folder")


def change(folder, **more):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config = {**config, **more}
    config = {key: value for key, value in config.items() if value != "left out"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def opened(folder):
    with warnings.catch_warnings(action="error"):
        return from_preset(folder)


def test_pickles_beside_safetensors_are_not_looked_at(folder):
    for name in ("pytorch_model.bin", "tf_model.h5", "modeling_mine.py"):
        (folder / name).write_bytes(b"\x80\x04cposix\nsystem\n")
    np.testing.assert_array_equal(
        opened(folder)(TOKENS), opened(FILES / "decoder/qwen3")(TOKENS)
    )


def test_code_of_a_folder_is_not_run_and_said(folder):
    (folder / "modeling_mine.py").write_text("raise SystemExit", "utf-8")
    change(folder, auto_map=CODE)
    with pytest.warns(UserWarning, match=r"modeling_mine\.MineForCausalLM, is not run"):
        from_preset(folder)
    change(folder, architectures=["MineForCausalLM"])
    with pytest.raises(PresetError, match="`architectures` must be one of"):
        from_preset(folder)


def test_code_that_is_the_class_itself_is_passed_over(folder):
    change(
        folder, auto_map={**CODE, "AutoModelForCausalLM": "modeling.Qwen3ForCausalLM"}
    )
    opened(folder)


def test_an_adapter_beside_a_model_is_said_and_alone_refused(folder):
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', "utf-8")
    with pytest.warns(UserWarning, match=r"adapter_config\.json, is left out"):
        from_preset(folder)
    (folder / "config.json").unlink()
    with pytest.raises(PresetError, match="an adapter of PEFT, which is not read"):
        from_preset(folder)


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", "fp8", "mxfp4"])
def test_quantized_weights_are_refused_by_name(folder, method):
    change(folder, quantization_config={"quant_method": method})
    with pytest.raises(
        PresetError, match=f"`quantization_config` must be None.*{method}"
    ):
        from_preset(folder)


@pytest.mark.parametrize("name", ["decoder/gemma3", "encoder/gpt2", "encoder/bert"])
def test_tables_are_tied_where_the_class_ties_them_and_no_file_says_it(name, tmp_path):
    path = shutil.copytree(FILES / name, tmp_path / "folder")
    change(path, tie_word_embeddings="left out")
    weights, expected = (
        from_preset(place).preset_weights() for place in (path, FILES / name)
    )
    assert weights.keys() == expected.keys()


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"rope_type": "longrope", "long_factor": [1.0] * 3}, "'longrope'"),
        ({"rope_type": "proportional"}, "'proportional'"),
        ({"rope_type": "mystery"}, "'mystery'"),
        ({"rope_type": "linear"}, "`factor`"),
        ({"rope_type": "yarn", "factor": 2.0, "mscale": 1.0}, "'mscale'"),
        ({"rope_type": 3}, "'3'"),
        ({"rope_type": "default", "mrope_section": [1, 1, 1]}, "'mrope_section'"),
    ],
)
@pytest.mark.parametrize("key", ["rope_parameters", "rope_scaling"])
def test_positions_that_are_not_known_are_refused_by_name(folder, key, stated, message):
    change(folder, **{"rope_parameters": "left out", key: stated})
    with pytest.raises(PresetError, match=message):
        from_preset(folder)
