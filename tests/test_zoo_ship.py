"""`python -m zoo ship`: a finished run becomes weights that ship, or one line."""

import json
import shutil

import numpy as np
import pytest

import train
from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.files.tensors import read_header
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.tasks import manifests
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError
from zoo import __main__ as command
from zoo import _ship, _smaller, _weights
from zoo._licences import licence
from zoo._settings import Settings


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ship") / "run"
    assert train.main(["ngram_names", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def ship(monkeypatch, tmp_path, finished, capsys):
    """Ships a copy of the run into a checkout of its own; returns code and error."""
    weights = tmp_path / "zoo" / "weights"
    weights.mkdir(parents=True)
    (tmp_path / "setup.cfg").touch()
    monkeypatch.setattr(_weights, "FOLDER", weights)
    shutil.copytree(finished, tmp_path / "run")

    def ship(*arguments, run=("--run", str(tmp_path / "run"))):
        code = command.main(["ship", "ngram_names", *run, *arguments])
        return code, capsys.readouterr().err

    ship.folder = tmp_path
    ship.made = lambda: sorted(path.name for path in weights.iterdir())
    return ship


def test_a_finished_run_ships_with_the_score_of_its_files(ship, monkeypatch):
    monkeypatch.setattr(Settings, "fed", None)  # nothing is learned, nothing is drawn
    assert ship() == (None, "")
    assert ship.made() == ["ngram_names", "ngram_names.json"]
    record = _weights.record("ngram_names")
    result = json.loads((ship.folder / "run" / "result.json").read_text("utf-8"))
    assert record.trained == record.shipped == result["value"]
    assert (record.dtype, record.data) == ("uint32", "names")
    folder = _weights.folder("ngram_names")
    assert record.size == sum(path.stat().st_size for path in folder.iterdir())
    card = (folder / "README.md").read_text("utf-8")
    assert "CountingLM of NGram, 38,504 parameters" in card
    assert "licence of the data: MIT" in card
    assert ship() == (None, "")  # and again, in its place


def test_what_ships_can_ship_again_without_its_run(ship, monkeypatch):
    assert (
        "`--again` must be of an entry whose weights ship" in ship("--again", run=())[1]
    )
    monkeypatch.setattr(_ship, "_score", lambda *_: 2.1)
    assert ship() == (None, "")
    first = _weights.record("ngram_names")
    path = _weights.FOLDER / "ngram_names.json"
    record = first.model_copy(update={"trained": 2.2, "seed": 3})
    path.write_text(record.model_dump_json(), "utf-8")
    assert "`--run` must not be given with --again" in ship("--again")[1]
    shutil.rmtree(ship.folder / "run")
    assert ship("--again", "--dtype", "int8", run=()) == (None, "")
    found = _weights.record("ngram_names")
    assert (found.trained, found.shipped) == (2.2, 2.1)
    assert (found.seed, found.dtype) == (3, "uint32")
    assert found.sha256 == first.sha256  # its card, too
    monkeypatch.setattr(_ship, "_score", lambda *_: 2.3)
    assert ship("--again", run=())[0] == 1
    assert _weights.record("ngram_names") == found


def test_what_became_worse_does_not_ship(ship, monkeypatch):
    monkeypatch.setattr(_ship, "_score", lambda *_: 2.2)
    code, error = ship()
    assert code == 1
    assert "`--dtype` must keep the score" in error
    assert error.count("\n") == 1
    assert ship.made() == []
    assert ship("--tolerance", "0.1") == (None, "")


@pytest.mark.slow
def test_what_is_too_large_does_not_ship(ship, monkeypatch):
    monkeypatch.setattr(_weights, "MOST_BYTES", 1000)
    code, error = ship()
    assert code == 2
    assert "at most 1,000 bytes" in error
    assert ship.made() == []


def test_only_a_whole_run_of_the_recipe_ships(ship):
    path = ship.folder / "run" / "config.json"
    text = path.read_text("utf-8")
    assert '"order": 4' in text
    path.write_text(text.replace('"order": 4', '"order": 3'), "utf-8")
    code, error = ship()
    assert code == 2
    assert "by its own recipe" in error
    assert error.endswith("with another model\n")
    (ship.folder / "run" / "result.json").unlink()
    assert "`--run` must be the folder of a finished run" in ship()[1]
    assert ship.made() == []


def test_a_zoo_that_is_installed_keeps_its_weights(ship):
    (ship.folder / "setup.cfg").unlink()
    assert "`ship` must be called in a checkout" in ship()[1]


def test_data_of_unknown_terms_does_not_ship():
    with pytest.raises(ValueError, match=r"`name` must be .* Received: sst2"):
        licence("sst2")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small GPT, its preset, and that preset in each dtype."""
    folder = tmp_path_factory.mktemp("smaller")
    network = GPT(context=16, depth=1, width=32, num_heads=2)
    model = CausalLM(network, Text(tokenizers.byte_level()))
    model.save_to_preset(folder / "trained")
    for dtype in _weights.DTYPES:
        (folder / dtype).mkdir()
        _smaller.write(folder / "trained", folder / dtype, dtype, "card")
    return model, folder


@pytest.mark.parametrize(
    ("dtype", "most", "error"),
    [("float32", 1.01, 0.0), ("bfloat16", 0.55, 0.02), ("int8", 0.4, 0.02)],
)
def test_fewer_bytes_are_nearly_the_same_model(dtype, most, error, written):
    model, folder = written
    assert _smaller.main_dtype(folder / dtype) == dtype
    assert (folder / dtype / "README.md").read_text("utf-8") == "card"
    sizes = [
        (folder / name / "model.safetensors").stat().st_size
        for name in (dtype, "trained")
    ]
    assert sizes[0] <= most * sizes[1]
    opened = from_preset(folder / dtype)
    assert opened.dtype_policy.name == "float32"
    tokens = np.arange(16)[None]
    expected = np.asarray(model(tokens))
    found = np.asarray(opened(tokens))
    assert np.abs(found - expected).max() <= error * np.abs(expected).max()
    assert opened.tokenizer.to_json() == model.tokenizer.to_json()


def test_a_model_of_8_bits_in_the_file_is_an_ordinary_one(written, tmp_path):
    model, folder = written
    opened = from_preset(folder / "int8")
    found = {path: weight.dtype for path, weight in opened.preset_weights().items()}
    assert found == dict.fromkeys(model.preset_weights(), "float32")
    assert len(opened.trainable_weights) == len(model.trainable_weights)
    opened.save_to_preset(tmp_path / "again")
    saved = read_header(tmp_path / "again" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {"F32"}
    assert saved.keys() == model.preset_weights().keys()
    stored = read_header(folder / "int8" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {"I8", "F32", "BF16"}
    kernel = "gpt/block_0/feedforward/expand/kernel"
    product = stored[kernel].read() * stored[f"{kernel}/int8_scale"].read()
    np.testing.assert_array_equal(saved[kernel].read(), product)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("expand/kernel/int8_scale", "expand/kernel/int8_scalE", "surplus: .*scalE"),
        ("expand/kernel/int8_scale", "contract/bias/int8_scale", "must be F32"),
    ],
)
def test_a_scale_of_something_else_is_refused(old, new, message, written, tmp_path):
    folder = shutil.copytree(written[1] / "int8", tmp_path / "int8")
    path = folder / "model.safetensors"
    assert path.read_bytes().count(old.encode()) == 1
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    (folder / "manifest.json").unlink()
    manifests.seal(folder, "card")
    with pytest.raises(PresetError, match=message) as error:
        from_preset(folder)
    assert "\n" not in str(error.value)
