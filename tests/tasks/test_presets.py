"""Presets are plain data: what is damaged, foreign or misfitting is refused."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.data.tokenizers import characters
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError, check_target
from keras_genai.tasks.truncated import TruncatedLM


def gpt(**changes):
    sizes = dict(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2)
    return GPT(**{**sizes, **changes})


def tiny(**changes):
    return CausalLM(gpt(**changes))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = tiny()
    model.tokenizer = characters("abcde")
    folder = tmp_path_factory.mktemp("saved") / "preset"
    model.save_to_preset(folder)
    return folder


@pytest.fixture
def preset(saved, tmp_path):
    """A copy of its own for each test."""
    return shutil.copytree(saved, tmp_path / "preset")


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


def change_network(folder, **changes):
    config = json.loads((folder / "config.json").read_text())["config"]
    config["network"]["config"].update(changes)
    change_config(folder, config=config)


def test_a_preset_brings_back_weights_tokenizer_and_arguments(preset):
    model = from_preset(preset)
    assert model.tokenizer.decode(model.tokenizer.encode("abc")) == "abc"
    assert from_preset(preset, dropout=0.5).network.dropout == 0.5
    again = preset.parent / "again"
    model.save_to_preset(again)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (preset / name).read_bytes()


def test_every_id_of_a_tokenizer_has_a_row(preset):
    model = from_preset(preset)
    model.tokenizer = characters("abcdef")
    with pytest.raises(PresetError, match=r"ids below 5, .* ids up to 5$"):
        model.save_to_preset(preset)
    (preset / "tokenizer.json").write_text(model.tokenizer.to_json(), "utf-8")
    seal(preset)
    with pytest.raises(PresetError, match=r"tokenizer.json.* ids up to 5$"):
        from_preset(preset)
    (preset / "tokenizer.json").write_text(characters("abcd").to_json(), "utf-8")
    seal(preset)
    assert from_preset(preset).tokenizer.vocabulary_size == 4


@pytest.mark.slow
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
    with pytest.raises(PresetError, match=r"not safetensors|bytes of numbers"):
        from_preset(preset)


GIVEN = {"class": "GPT", "config": {"width": 8}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(model="Popen"), "must be one of"),
        (dict(model="subprocess.Popen"), "must be one of"),
        (dict(format=2), "`format` must be 1"),
        (dict(extra=1), "extra"),
        (dict(config="GPT"), "config"),
        (dict(config={"width": 8}), "must be one of network, target, "),
        (dict(config={}), "`network` must be given to CausalLM"),
        (dict(config={"network": GIVEN}), "`depth` must be given to GPT"),
        (dict(config={"style": {"class": "os.system", "config": {}}}), "must be one"),
    ],
)
def test_foreign_configs_are_refused(preset, changes, message):
    change_config(preset, **changes)
    with pytest.raises(ValueError, match=message):
        from_preset(preset)


def test_weights_of_another_shape_are_refused_by_name(preset):
    change_network(preset, depth=2)
    with pytest.raises(PresetError, match=r"missing: gpt/block_1/"):
        from_preset(preset)
    change_network(preset, depth=1, context=9)
    with pytest.raises(PresetError, match=r"positions/table \(8, 8\) for \(9, 8\)"):
        from_preset(preset)


def test_a_folder_with_other_things_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(PresetError, match="not a preset"):
        tiny().save_to_preset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_random_state_travels_in_keras_files(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return tiny(dropout=0.5)

    tokens = np.zeros((1, 8), "int32")
    model = make()
    model(tokens, training=True)
    model.save_weights(tmp_path / "model.weights.h5")
    expected = model(tokens, training=True)
    loaded = make()
    assert np.abs(np.array(loaded(tokens, training=True) - expected)).max() > 1e-4
    loaded.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(loaded(tokens, training=True), expected)


@pytest.mark.parametrize("manifest", ['{"manifest_version": 3}', "{}", "[", None])
def test_a_foreign_folder_with_a_manifest_is_not_overwritten(tmp_path, manifest):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "background.js").write_text("years of work")
    for refuse in (check_target, tiny().save_to_preset):
        with pytest.raises(PresetError, match="nothing was changed"):
            refuse(tmp_path)
    assert (tmp_path / "background.js").read_text() == "years of work"


@pytest.mark.parametrize("name", ["notes.txt", "eval/scores.csv", ".git/HEAD"])
def test_what_a_person_put_into_a_preset_is_not_lost(preset, name):
    (preset / name).parent.mkdir(exist_ok=True)
    (preset / name).write_text("mine")
    with pytest.raises(PresetError, match="not part of a preset"):
        tiny().save_to_preset(preset)
    assert (preset / name).read_text() == "mine"
    from_preset(preset)


def test_a_card_that_a_person_changed_stays_and_is_no_damage(preset):
    card = preset / "README.md"
    card.write_text("---\nlicense: apache-2.0\n---\n" + card.read_text())
    edited = card.read_text()
    for _ in range(2):
        from_preset(preset).save_to_preset(preset, card="another")
        assert card.read_text() == edited
    card.unlink()
    from_preset(preset).save_to_preset(preset, card="another")
    assert card.read_text() == "another"


def test_a_link_stays_and_leads_to_the_new_preset(preset):
    link = preset.parent / "link"
    link.symlink_to("preset")
    rnn = RNN(vocabulary_size=5, embedding_dim=4, units=4, num_layers=1)
    TruncatedLM(rnn).save_to_preset(link)
    assert link.is_symlink()
    assert isinstance(from_preset(preset), TruncatedLM)
    names = sorted(path.name for path in preset.parent.iterdir())
    assert names == ["link", "preset"]


def test_the_hub_cache_of_links_is_read_and_not_written(preset):
    blobs, snapshot = preset.parent / "blobs", preset.parent / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    for path in preset.iterdir():
        path.rename(blobs / path.name)
        (snapshot / path.name).symlink_to(f"../blobs/{path.name}")
    model = from_preset(snapshot)
    with pytest.raises(PresetError, match="nothing was changed"):
        model.save_to_preset(snapshot)
    (blobs / "config.json").write_text("{}")
    with pytest.raises(PresetError, match="damaged"):
        from_preset(snapshot)


@pytest.mark.parametrize("format", ["keras_genai", "huggingface"])
def test_line_ends_of_windows_are_no_damage(tmp_path, format):
    model = tiny()
    model.tokenizer = characters("abcde")
    model.save_to_preset(tmp_path / "it", format=format)
    for path in (tmp_path / "it").iterdir():
        if path.suffix in (".json", ".md", ".txt"):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert from_preset(tmp_path / "it").tokenizer.decode([1]) == "b"


def test_a_pointer_of_git_lfs_is_called_by_its_name(preset):
    (preset / "model.safetensors").write_text("version https://git-lfs.github.com/")
    seal(preset)
    with pytest.raises(PresetError, match="git lfs pull"):
        from_preset(preset)


def test_a_folder_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    tiny().save_to_preset("~/mine")
    assert (tmp_path / "mine/config.json").exists()
    from_preset("~/mine")


@pytest.mark.parametrize("folder", ["", 5, None, "a\0b"])
def test_what_is_no_path_is_refused(folder):
    with pytest.raises(ValueError, match="`folder` must be a path"):
        tiny().save_to_preset(folder)


def test_targets_are_checked_before_anything_is_trained(preset, tmp_path):
    assert check_target(preset) == preset.resolve()
    assert check_target(tmp_path / "new" / "one") == (tmp_path / "new/one").resolve()
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("file", "file/below", "circle"):
        with pytest.raises(PresetError):
            check_target(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_opened(preset, value):
    model = from_preset(preset)
    weight = model.trainable_weights[-1]
    weight.assign(np.full(weight.shape, value))
    before = (preset / "model.safetensors").read_bytes()
    with pytest.raises(PresetError, match="is not finite"):
        model.save_to_preset(preset)
    assert (preset / "model.safetensors").read_bytes() == before
    (preset / "model.safetensors").write_bytes(
        before[:-4] + np.float32(value).tobytes()
    )
    seal(preset)
    with pytest.raises(PresetError, match="is not finite"):
        from_preset(preset)


def test_labels_are_anybodys_text(tmp_path):
    network = BERT(vocabulary_size=9, context=8, depth=1, width=8, num_heads=2)
    labels = ["n/a", "C/C++", "..", "a\\b", "\u2028", "x" * 500, "os.system"]
    label = Label(len(labels), labels)
    SequenceClassifier(network, label).save_to_preset(tmp_path / "it")
    assert list(from_preset(tmp_path / "it").labels) == labels


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
def test_every_precision_comes_back(tmp_path, dtype):
    model = tiny(dtype=dtype)
    model.save_to_preset(tmp_path / "it")
    loaded = from_preset(tmp_path / "it")
    for path, weight in model.preset_weights().items():
        other = loaded.preset_weights()[path]
        assert other.dtype == weight.dtype
        np.testing.assert_array_equal(other, weight)
    from_preset(tmp_path / "it", dtype="float32")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        *(dict(vocabulary_size=value) for value in (10**9, 10**12, 0, -1, "5", None)),
        *(dict(width=value) for value in (10**9, 10**12, 0, -8, 7)),
        *(dict(depth=value) for value in (10**4, 10**7, 0, -1, 2.5, "x")),
        *(dict(context=value) for value in (10**12, 0, -5, "x")),
        *(dict(num_heads=value) for value in (0, -2, 10**12, "x")),
        *(dict(inner_width=value) for value in (10**12, -1)),
        *(dict(head_dim=value) for value in (10**12, -1, 3)),
        *(dict(dropout=value) for value in (-1, 2, "x", float("nan"), 1e999)),
        *(dict(dtype=value) for value in ("os", 5, ["float32"], "int8_from_float32")),
        dict(style=None),
        dict(style="rotary"),
        dict(style={"class": ["Style"], "config": {}}),
        dict(style={"class": "Style", "config": "abc"}),
        dict(style={"class": "Style", "config": {"positions": []}}),
        dict(style={"class_name": "function", "module": "os", "config": "system"}),
        dict(style={"class": "Dense", "config": {"units": 1}}),
        dict(changes="abc"),
        dict(changes=[{"class": "LoRA", "config": {}}]),
        dict(changes=[{"class": "Style", "config": {}}]),
        dict(__class__="x"),
    ],
)
def test_a_config_that_its_weights_are_not_of_is_one_line(preset, change):
    config = json.loads((preset / "config.json").read_text())["config"]
    ((key, value),) = change.items()
    parts = (config, config["network"]["config"])
    for part in [part for part in parts if key in part] or [config]:
        part[key] = value
    change_config(preset, config=config)
    with pytest.raises(PresetError) as caught:
        from_preset(preset)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("name", ["Style", "Dense", "AddK", "UNet", "NGram", "LSTM"])
def test_a_model_is_a_task_that_fits(preset, name):
    change_config(preset, model=name)
    with pytest.raises(PresetError) as caught:
        from_preset(preset)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a":' * 10**5, '{"a": 1, "a": 2}', ""])
@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_json_that_is_not_plain_is_one_line(preset, name, text):
    (preset / name).write_text(text)
    if name != "manifest.json":
        seal(preset)
    with pytest.raises(PresetError) as caught:
        from_preset(preset)
    assert "\n" not in str(caught.value)


def test_a_pipe_does_not_block(preset):
    for name in ("config.json", "manifest.json"):
        (preset / name).unlink()
        os.mkfifo(preset / name)
        with pytest.raises(PresetError):
            from_preset(preset)


def change_header(folder, change):
    """Rewrites the header of the weights; `change` gets it as a dict."""
    data = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + data[8 + size :]
    (folder / "model.safetensors").write_bytes(content)
    seal(folder)


def test_integers_do_not_become_floats(preset):
    def change(header):
        for entry in header.values():
            entry.update(dtype="I32")

    change_header(preset, change)
    with pytest.raises(PresetError, match="wrong dtype"):
        from_preset(preset)


def test_many_surplus_weights_are_told_in_short(preset):
    def change(header):
        end = max(entry["data_offsets"][1] for entry in header.values())
        entry = {"dtype": "F32", "shape": [0], "data_offsets": [end, end]}
        header.update({f"{index}" * 20: entry for index in range(10_000)})

    change_header(preset, change)
    with pytest.raises(PresetError, match=r"and 9,992 more") as caught:
        from_preset(preset)
    assert len(str(caught.value)) < 1500


def test_a_class_that_no_file_could_name_is_not_saved(tmp_path):
    model = type("TruncatedLM", (CausalLM,), {})(gpt())
    said = r"TruncatedLM cannot be saved.* another class"
    with pytest.raises(PresetError, match=said):
        model.save_to_preset(tmp_path / "it")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_opening_takes_little_more_than_the_weights(tmp_path):
    """Measured in a process of its own: the peak, and that a refusal takes nothing."""
    code = """if True:
        import resource, sys
        import numpy as np
        from keras_genai import from_preset
        from keras_genai.networks.gpt import GPT
        from keras_genai.tasks.language import CausalLM
        sizes = dict(context=8, depth=1, width=8, num_heads=2)
        CausalLM(GPT(vocabulary_size=5, **sizes))(np.zeros((1, 8), "int32"))
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        before = peak()
        from_preset(sys.argv[1])
        print(peak() - before)
    """
    model = tiny(vocabulary_size=60_000, width=512)
    model.save_to_preset(tmp_path / "it")
    size = (tmp_path / "it/model.safetensors").stat().st_size
    command = [sys.executable, "-c", code, str(tmp_path / "it")]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(found.stdout) < 1.3 * size


def test_a_keras_file_and_a_copy_keep_the_tokenizer(preset):
    model = from_preset(preset)
    path = pathlib.Path(preset.parent / "model.keras")
    model.save(path)
    for other in (keras.saving.load_model(path), keras.models.clone_model(model)):
        assert other.tokenizer.decode(other.tokenizer.encode("abc")) == "abc"


def test_a_class_of_the_user_needs_no_decorator(tmp_path):
    class Mine(GPT):
        pass

    class MyLM(CausalLM):
        pass

    network = Mine.from_config(gpt().get_config())
    MyLM(network).save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert (type(loaded), type(loaded.network)) == (MyLM, Mine)
