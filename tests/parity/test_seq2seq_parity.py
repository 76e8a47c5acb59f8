"""Seq2seq folders of transformers give the numbers and the texts of transformers."""

import json
import pathlib

import numpy as np
import pytest
from marks import slow_but

from keras_genai import from_preset
from keras_genai.convert.generation import read_generation

FILES = pathlib.Path(__file__).parent / "files" / "seq2seq"
CASES = sorted(path.name for path in FILES.iterdir())
FAST = ("bart_unusual", "blenderbot_small", "flan_t5", "t5", "marian", "m2m100")


@pytest.fixture(
    scope="module",
    params=slow_but(FAST, CASES),
)
def case(request):
    """A model, and what transformers said of the same folder."""
    folder = FILES / request.param
    model = from_preset(folder)
    model.jit_generate = False  # compiling takes longer than all of this
    return model, json.loads((folder / "reference.json").read_text())


def padded(rows):
    longest = max(map(len, rows))
    lengths = np.array([len(row) for row in rows])[:, None]
    tokens = np.array([row + [0] * (longest - len(row)) for row in rows], "int32")
    return tokens, np.arange(longest)[None] < lengths


def test_logits_of_a_padded_batch(case):
    model, reference = case
    tokens, mask = padded(reference["inputs"])
    targets = np.array(reference["targets"], "int32")
    found = model({"inputs": tokens, "inputs_mask": mask, "targets": targets})
    np.testing.assert_allclose(found, reference["logits"], atol=1e-4)


@pytest.mark.slow
def test_tokens_under_every_way_to_decode(case):
    model, reference = case
    for name, way in reference["decoded"].items():
        stated = {"decoder_start_token_id": model.generation.decoder_start_token}
        settings = read_generation({}, {**stated, "eos_token_id": 2, **way["settings"]})
        found = model.generate(
            reference["inputs"], settings.max_length, settings.sampler(), stop=[2]
        )
        assert [row.tolist() for row in found] == way["tokens"], name


def test_a_written_folder_comes_back(case, tmp_path):
    model, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = from_preset(tmp_path / "folder")
    assert again.get_config() == {**model.get_config(), "name": again.name}
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(weight, again.preset_weights()[path])
