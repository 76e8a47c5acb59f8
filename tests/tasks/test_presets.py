"""Presets are plain data: what is damaged, foreign or misfitting is refused."""

import hashlib
import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.data.tokenizers import characters
from keras_genai.models.gpt import GPT
from keras_genai.tasks.presets import PresetError


@pytest.fixture
def preset(tmp_path):
    keras.utils.set_random_seed(0)
    model = GPT(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2)
    model.tokenizer = characters("abcde")
    model.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


def seal(folder):
    """Makes the manifest true again after a file was changed on purpose."""
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names
    }
    (folder / "manifest.json").write_text(json.dumps({"sha256": sums}))


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    seal(folder)


def test_a_preset_brings_back_weights_tokenizer_and_arguments(preset):
    model = from_preset(preset)
    assert model.tokenizer.decode(model.tokenizer.encode("abc")) == "abc"
    assert from_preset(preset, dropout=0.5).dropout_rate == 0.5
    again = preset.parent / "again"
    model.save_to_preset(again)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (preset / name).read_bytes()


def test_a_preset_opens_in_a_process_that_imported_nothing_else(preset):
    code = f"import keras_genai; keras_genai.from_preset({str(preset)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_one_flipped_bit_anywhere_is_refused(preset, name):
    data = bytearray((preset / name).read_bytes())
    for place in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        (preset / name).write_bytes(bytes(changed))
        with pytest.raises(PresetError, match=r"damaged") as caught:
            from_preset(preset)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_weights_are_refused_even_with_a_true_manifest(preset, share):
    data = (preset / "model.safetensors").read_bytes()
    (preset / "model.safetensors").write_bytes(data[: int(len(data) * share)])
    seal(preset)
    with pytest.raises(PresetError, match="cannot be read"):
        from_preset(preset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(model="Popen"), "must be one of"),
        (dict(model="subprocess.Popen"), "must be one of"),
        (dict(format=2), "`format` must be 1"),
        (dict(extra=1), "extra"),
        (dict(config="GPT"), "config"),
        (dict(config={"name": "../../outside"}), "may be a path"),
        (dict(config={"style": {"class": "os.system", "config": {}}}), "must be one"),
    ],
)
def test_foreign_configs_are_refused(preset, changes, message):
    change_config(preset, **changes)
    with pytest.raises(ValueError, match=message):
        from_preset(preset)


def test_weights_of_another_shape_are_refused_by_name(preset):
    config = json.loads((preset / "config.json").read_text())["config"]
    change_config(preset, config={**config, "depth": 2})
    with pytest.raises(PresetError, match=r"missing: block_1/"):
        from_preset(preset)
    change_config(preset, config={**config, "context": 9})
    with pytest.raises(PresetError, match=r"positions/table \(8, 8\) for \(9, 8\)"):
        from_preset(preset)


def test_a_symbolic_link_is_refused(preset):
    elsewhere = preset.parent / "elsewhere"
    (preset / "config.json").rename(elsewhere)
    (preset / "config.json").symlink_to(elsewhere)
    with pytest.raises(PresetError, match="not a plain file"):
        from_preset(preset)


def test_a_folder_with_other_things_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    model = GPT(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2)
    with pytest.raises(PresetError, match="not a preset"):
        model.save_to_preset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_random_state_travels_in_keras_files(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return GPT(5, context=8, depth=1, width=8, num_heads=2, dropout=0.5)

    tokens = np.zeros((1, 8), "int32")
    model = make()
    model(tokens, training=True)
    model.save_weights(tmp_path / "model.weights.h5")
    expected = model(tokens, training=True)
    loaded = make()
    assert np.abs(np.array(loaded(tokens, training=True) - expected)).max() > 1e-4
    loaded.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(loaded(tokens, training=True), expected)
