"""Weights that ship with the zoo: whole, small enough, and as good as recorded."""

import pathlib
import shutil

import numpy as np
import pytest

import zoo
from keras_genai.files.tensors import read_header
from keras_genai.files.writing import file_hash
from zoo import _weights
from zoo._licences import LICENCES
from zoo._metrics import metric
from zoo.entry import Result

# Among the fast tests, these write or draw; all others do with -m slow.
FAST = ("vae_digits",)
SAMPLED = [
    pytest.param(name, marks=[] if name in FAST else pytest.mark.slow)
    for name in _weights.names()
]


def test_all_that_ships_is_recorded_and_small_enough():
    files = [path for path in _weights.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= _weights.MOST_BYTES
    folders = {path.name for path in _weights.FOLDER.iterdir() if path.is_dir()}
    assert folders == set(_weights.names()) <= set(zoo.names())
    assert set(FAST) <= folders


@pytest.mark.parametrize("name", _weights.names())
def test_every_file_is_the_one_that_was_measured(name):
    record, folder = _weights.record(name), _weights.folder(name)
    found = {path.name: path for path in folder.iterdir()}
    del found["manifest.json"]
    assert {key: file_hash(path) for key, path in found.items()} == record.sha256
    assert record.licence == LICENCES[record.data]
    worse = metric(record.metric).worse(record.shipped, record.trained)
    assert worse <= record.tolerance * abs(record.trained)
    measured = zoo.record(name)
    if measured.exists():
        assert Result.model_validate_json(measured.read_bytes()).metric == record.metric


def test_the_page_of_results_says_what_ships_how_and_at_which_score():
    page = (pathlib.Path(__file__).parents[1] / "docs" / "results.md").read_text(
        "utf-8"
    )
    section = page.partition("## Weights that ship\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {record.dtype} | {record.size:,} | {record.metric} | "
        f"{record.trained:.4f} | {record.shipped:.4f} |"
        for name in _weights.names()
        if (record := _weights.record(name))
    ]


@pytest.mark.parametrize("name", SAMPLED)
def test_every_animal_opens_and_makes_something(name):
    entry = zoo.get(name)
    model = entry.pretrained()
    model.jit_generate = False
    made = entry.sample(model, seed=0)
    if isinstance(made, str):
        assert made.strip()
    else:  # sounds are of several lengths
        assert all(np.isfinite(each).all() for each in made)


def test_numbers_of_16_bits_in_the_file_are_a_float32_model():
    model = zoo.get("vae_digits").pretrained()
    tensors = read_header(_weights.folder("vae_digits") / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {"BF16"}
    for path, weight in model.preset_weights().items():
        assert weight.dtype == "float32"
        stored = tensors[path].read().astype("float32")
        np.testing.assert_array_equal(weight.numpy(), stored)


def test_arguments_of_the_model_can_be_others():
    model = zoo.get("vae_digits").pretrained(dtype="mixed_bfloat16")
    assert model.compute_dtype == "bfloat16"


def test_an_entry_without_weights_names_those_that_have_some():
    with pytest.raises(ValueError, match=r"`name` .*ngram_names.*vae_digits") as error:
        zoo.get("lstm_sst2").pretrained()
    assert "train.py lstm_sst2" in str(error.value)
    assert zoo.get("lstm_sst2").weights is None
    assert zoo.get("ngram_names").weights.data == "names"


@pytest.fixture
def copied(monkeypatch, tmp_path):
    """The folder of weights that may be damaged."""
    for name in ("ngram_names", "ngram_names.json"):
        copy = shutil.copytree if name == "ngram_names" else shutil.copyfile
        copy(_weights.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(_weights, "FOLDER", tmp_path)
    return tmp_path


def damage(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ngram_names/model.safetensors", "model.safetensors is damaged: its sha256"),
        ("ngram_names/tokenizer.json", "tokenizer.json is damaged: its sha256"),
        ("ngram_names/manifest.json", "manifest.json is damaged"),
        ("ngram_names.json", "is damaged"),
    ],
)
def test_damage_is_one_line_that_names_the_file(name, message, copied):
    damage(copied / name)
    with pytest.raises(ValueError, match=message) as error:
        zoo.get("ngram_names").pretrained()
    assert "\n" not in str(error.value)


def test_files_that_another_manifest_allows_are_refused(copied):
    path = copied / "ngram_names" / "manifest.json"
    text = path.read_text("utf-8")
    sha = _weights.record("ngram_names").sha256["model.safetensors"]
    path.write_text(text.replace(sha, sha[::-1]), "utf-8")
    with pytest.raises(ValueError, match=r"those of .*ngram_names\.json"):
        zoo.get("ngram_names").pretrained()
    shutil.rmtree(copied / "ngram_names")
    with pytest.raises(ValueError, match="is missing"):
        zoo.get("ngram_names").pretrained()
