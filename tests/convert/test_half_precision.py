"""Folders of bfloat16 that stay bfloat16 in memory."""

import json
import pathlib
import shutil
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from marks import slow_but
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.files.tensors import is_finite, read_header
from keras_genai.samplers import Greedy

FILES = pathlib.Path(__file__).parent.parent / "parity/files"
HALF = np.dtype(ml_dtypes.bfloat16)
NAMES = ("llama3", "qwen2", "qwen3", "mistral", "phi3", "gemma3")
PIECES = 3


def halved(name, folder, shards=False):
    """A copy of a folder whose numbers are bfloat16, perhaps in several files."""
    shutil.copytree(FILES / name, folder)
    tensors = {}
    for path in folder.glob("model*"):
        if path.suffix == ".safetensors":
            tensors.update(load_file(path))
        path.unlink()
    tensors = {key: value.astype(HALF) for key, value in tensors.items()}
    if not shards:
        save_file(tensors, folder / "model.safetensors")
        return folder
    places = {}
    for piece in range(PIECES):
        part = dict(list(tensors.items())[piece::PIECES])
        file = f"model-{piece + 1:05}-of-{PIECES:05}.safetensors"
        save_file(part, folder / file)
        places |= dict.fromkeys(part, file)
    index = json.dumps({"metadata": {}, "weight_map": places})
    (folder / "model.safetensors.index.json").write_text(index)
    return folder


@pytest.mark.parametrize("shards", slow_but((True,), (False, True)))
@pytest.mark.parametrize("name", slow_but(("qwen2",), NAMES))
def test_a_decoder_keeps_the_bits_of_its_file(name, shards, tmp_path):
    folder = halved(f"decoder/{name}", tmp_path / "half", shards)
    half, full = from_preset(folder, dtype="bfloat16"), from_preset(folder)
    known = full.preset_weights()
    for path, weight in half.preset_weights().items():
        norm = "norm" in path
        assert weight.dtype == ("float32" if norm else "bfloat16"), path
        np.testing.assert_array_equal(weight.numpy().astype("float32"), known[path])
    tokens = np.array([[3, 9, 4, 11, 6, 8, 7, 12]], "int32")
    found, expected = np.asarray(half(tokens)), np.asarray(full(tokens))
    assert found.dtype == "float32"
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=0.04 * scale)  # 8 bits, 2 blocks


@pytest.mark.slow
def test_it_generates(tmp_path):
    half = from_preset(halved("decoder/llama3", tmp_path / "half"), dtype="bfloat16")
    half.jit_generate = False
    tokens = np.array([[3, 9, 4, 11, 6, 8, 7, 12]], "int32")
    (text,) = half.generate(list(tokens), 12, Greedy())
    assert len(text) <= 12
    np.testing.assert_array_equal(text[:8], tokens[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modernbert_masked", "roberta_sequence"])
def test_encoders_can_be_of_bfloat16(name, tmp_path):
    folder = halved(f"bert_kin/{name}", tmp_path / "half")
    half, full = from_preset(folder, dtype="bfloat16"), from_preset(folder)
    tokens = np.array([[3, 9, 4, 11, 6, 8, 7, 12]], "int32")
    expected = np.asarray(full(tokens))
    atol = 0.04 * np.abs(expected).max()
    np.testing.assert_allclose(half(tokens), expected, atol=atol)
    assert half.network.embedding.embeddings.dtype == "bfloat16"


@pytest.mark.slow
def test_it_is_written_as_it_is(tmp_path):
    folder = halved("decoder/qwen2", tmp_path / "half")
    model = from_preset(folder, dtype="bfloat16")
    model.save_to_preset(tmp_path / "again", format="huggingface")
    stored = read_header(tmp_path / "again/model.safetensors")
    kinds = {name: tensor.dtype for name, tensor in stored.items()}
    assert {kind for name, kind in kinds.items() if "norm" not in name} == {"BF16"}
    assert json.loads((tmp_path / "again/config.json").read_text())["dtype"] == (
        "bfloat16"
    )
    again = from_preset(tmp_path / "again", dtype="bfloat16").preset_weights()
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(
            weight.numpy().view("uint8"), again[path].numpy().view("uint8")
        )


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_bfloat16_that_is_not_finite_is_found(value):
    array = np.full((1100, 1000), -3e38, HALF)  # more than a piece
    assert is_finite(array)
    array[-1, -1] = value
    assert not is_finite(array)


# Writes and opens in a process of its own: memory that was freed is kept.
OPEN = """
import sys
import keras_genai

def pages(kind):  # what the kernel tells of usage counts the parent's, too
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith(kind))

tiny, large, dtype = sys.argv[1:]
keras_genai.from_preset(tiny, dtype=dtype)
before = pages("VmRSS")
model = keras_genai.from_preset(large, dtype=dtype)
print(1024 * (pages("VmHWM") - before))
"""


def random_llama(folder, depth, width, shards):
    """Writes a folder of Llama's of random bfloat16; returns its bytes."""
    from keras_genai.networks.gpt import GPT, LLAMA
    from keras_genai.tasks.language import CausalLM

    sizes = dict(vocabulary_size=32_000, context=64, num_heads=width // 64)
    sizes |= dict(style=LLAMA, dtype="bfloat16")
    network = GPT(depth=depth, width=width, **sizes)
    CausalLM(network).save_to_preset(folder, format="huggingface")
    path = folder / "model.safetensors"
    if shards:
        tensors = load_file(path)
        path.unlink()
        places = {}
        for piece in range(PIECES):
            part = dict(list(tensors.items())[piece::PIECES])
            save_file(part, folder / f"{piece}.safetensors")
            places |= dict.fromkeys(part, f"{piece}.safetensors")
        index = json.dumps({"weight_map": places})
        (folder / "model.safetensors.index.json").write_text(index)
        (folder / "manifest.json").unlink()
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("shards", [False, True])
def test_opening_takes_little_more_memory_than_the_file(shards, tmp_path):
    random_llama(tmp_path / "tiny", 2, 64, False)
    size = random_llama(tmp_path / "large", 6, 1024, shards)
    assert size > 250e6
    arguments = [str(tmp_path / "tiny"), str(tmp_path / "large"), "bfloat16"]
    said = subprocess.check_output([sys.executable, "-c", OPEN, *arguments], text=True)
    assert int(said) <= 1.3 * size
