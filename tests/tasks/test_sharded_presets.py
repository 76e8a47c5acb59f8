"""Presets whose weights are in several files, in our format and in the published."""

import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.files.shards import INDEX, WEIGHTS
from keras_genai.networks.gpt import GPT, GPT2
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError

LIMIT = 1_000  # bytes
BOTH = pytest.mark.parametrize("format", ["keras_genai", "huggingface"])


def made(seed=0, **sizes):
    keras.utils.set_random_seed(seed)
    small = {"vocabulary_size": 5, "context": 8, "depth": 1, "width": 8, "num_heads": 2}
    return CausalLM(GPT(style=GPT2, **{**small, **sizes}))


def assert_same(folder, model):
    again = from_preset(folder).preset_weights()
    assert again.keys() == model.preset_weights().keys()
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(again[path], weight, err_msg=path)


def shards(folder):
    return sorted(folder.glob("model-*.safetensors"))


@pytest.fixture(params=["keras_genai", "huggingface"])
def preset(request, tmp_path):
    made().save_to_preset(tmp_path / "it", format=request.param, max_shard_size=LIMIT)
    return tmp_path / "it"


def test_a_preset_of_several_files_opens_with_equal_weights(preset):
    assert len(shards(preset)) > 1
    assert not (preset / WEIGHTS).exists()
    assert_same(preset, made())


@BOTH
def test_one_file_gives_way_to_several_and_they_to_one(format, tmp_path):
    for limit, seed in ((LIMIT, 1), ("1MB", 2), (2 * LIMIT, 3), (LIMIT, 4)):
        model = made(seed)
        model.save_to_preset(tmp_path / "it", None, format, limit)
        assert (tmp_path / "it" / WEIGHTS).exists() == (limit == "1MB")
        assert (tmp_path / "it" / INDEX).exists() == (limit != "1MB")
        assert_same(tmp_path / "it", model)
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


@BOTH
def test_what_is_no_size_leaves_a_preset_as_it_was(format, tmp_path):
    made(1).save_to_preset(tmp_path / "it", format=format, max_shard_size=LIMIT)
    with pytest.raises(ValueError, match="`max_shard_size` must be"):
        made(2).save_to_preset(tmp_path / "it", format=format, max_shard_size="5")
    assert_same(tmp_path / "it", made(1))


def test_a_missing_shard_is_told(preset):
    shards(preset)[1].unlink()
    with pytest.raises(PresetError, match=r"00002-of-\d+.safetensors is missing"):
        from_preset(preset)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_flipped_bit_of_a_shard_is_told(place, preset):
    path = shards(preset)[-1]
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(PresetError, match=f"{path.name} is damaged"):
        from_preset(preset)


def test_a_damaged_index_is_told(preset):
    (preset / INDEX).write_text('{"weight_map": {}}')
    with pytest.raises(PresetError, match=f"{INDEX} is damaged"):
        from_preset(preset)


def test_a_shard_that_the_index_does_not_know_is_told(preset, tmp_path):
    made().save_to_preset(tmp_path / "whole")
    (tmp_path / "whole" / WEIGHTS).rename(preset / WEIGHTS)
    text = (preset / "manifest.json").read_text()
    sums = (tmp_path / "whole/manifest.json").read_text()
    line = next(line for line in sums.splitlines() if WEIGHTS in line).rstrip(",")
    (preset / "manifest.json").write_text(
        text.replace('"sha256": {', f'"sha256": {{\n{line},', 1)
    )
    with pytest.raises(PresetError):
        from_preset(preset)


def in_process(code, *arguments):
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


KILLED = """if True:
    import os, signal, sys
    from keras_genai.files import shards
    from test_sharded_presets import LIMIT, made

    written = []
    write = shards._write_file

    def dying(path, tensors, metadata):
        written.append(path)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, tensors, metadata)

    shards._write_file = dying
    made(2).save_to_preset(sys.argv[1], format=sys.argv[2], max_shard_size=LIMIT)
"""


@pytest.mark.slow
@BOTH
def test_a_save_that_is_killed_leaves_the_old_one(format, tmp_path):
    made(1).save_to_preset(tmp_path / "it", format=format, max_shard_size=LIMIT)
    found = in_process(KILLED, tmp_path / "it", format)
    assert found.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert_same(tmp_path / "it", made(1))
    model = made(3)
    model.save_to_preset(tmp_path / "it", format=format, max_shard_size=LIMIT)
    assert_same(tmp_path / "it", model)
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


MEASURED = """if True:
    import pathlib, resource, sys
    from test_sharded_presets import made

    made().save_to_preset(f"{sys.argv[1]}/small", format=sys.argv[2])
    model = made(vocabulary_size=100, width=512, depth=12)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before = peak()
    folder = pathlib.Path(sys.argv[1], "large")
    model.save_to_preset(folder, format=sys.argv[2], max_shard_size="50MB")
    files = [path.stat().st_size for path in folder.glob("*.safetensors")]
    assert len(files) == 4
    print((peak() - before) / sum(files))
"""


@pytest.mark.slow
@BOTH
def test_saving_takes_little_memory_beside_the_model(format, tmp_path):
    found = in_process(MEASURED, tmp_path, format)
    assert found.returncode == 0, found.stderr[-2000:]
    assert float(found.stdout) < 0.2
