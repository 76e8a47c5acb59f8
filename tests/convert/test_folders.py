"""Published folders are data from strangers: what is not right is not opened."""

import dataclasses
import json
import os
import pathlib
import pickle
import shutil
import struct
import time
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.modalities.text import Label
from keras_genai.networks.gpt import GPT, GPT2, LLAMA
from keras_genai.tasks import presets
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files/encoder"


@pytest.fixture
def folder(tmp_path):
    """A copy of a good folder."""
    return shutil.copytree(FILES / "gpt2", tmp_path / "gpt2")


@pytest.fixture
def shards(tmp_path):
    return shutil.copytree(FILES / "gpt2_untied", tmp_path / "untied")


def refuse(folder, message=None, **options):
    """Opening must fail with one line."""
    with pytest.raises(PresetError, match=message) as caught:
        from_preset(folder, **options)
    assert "\n" not in str(caught.value)


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_files_are_refused(folder, name, share):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * share)])
    refuse(folder)


def test_a_longer_file_is_refused(folder):
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"more")
    refuse(folder, "bytes of numbers")


def test_a_flipped_bit_in_the_header_never_opens_as_another_model(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    original = from_preset(folder)
    size = 8 + struct.unpack("<Q", data[:8])[0]
    for place in [*range(8), *range(8, size, 97)]:
        changed = bytearray(data)
        changed[place] ^= 4
        (folder / "model.safetensors").write_bytes(bytes(changed))
        try:
            model = from_preset(folder)
        except PresetError:
            refuse(folder)
        else:  # the bit was in the metadata
            for path, weight in original.preset_weights().items():
                np.testing.assert_array_equal(weight, model.preset_weights()[path])


def test_any_flipped_bit_of_a_folder_that_we_wrote_is_refused(folder, tmp_path):
    ours = tmp_path / "ours"
    from_preset(folder).save_to_preset(ours, format="huggingface")
    from_preset(ours)
    data = bytearray((ours / "model.safetensors").read_bytes())
    data[-3] ^= 1
    (ours / "model.safetensors").write_bytes(bytes(data))
    refuse(ours, "damaged")


def test_numbers_that_are_not_finite_are_refused(folder):
    def break_one(tensors):
        tensors["transformer.h.1.mlp.c_fc.bias"][3] = np.nan

    change_tensors(folder, break_one)
    refuse(folder, "c_fc.bias is not finite")


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**62, 2**64 - 1])
def test_an_impossible_header_is_refused(folder, length):
    data = (folder / "model.safetensors").read_bytes()
    header = struct.pack("<Q", length) + data[8:]
    (folder / "model.safetensors").write_bytes(header)
    refuse(folder, "is not safetensors")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [1]},
        [],
    ],
)
def test_lying_headers_are_refused(folder, entry):
    text = json.dumps({"wte.weight": entry}).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(4)
    (folder / "model.safetensors").write_bytes(data)
    refuse(folder, "damaged|bytes of numbers")


def test_pickles_are_refused(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps({"wte.weight": [1.0]}))
    refuse(folder, "is not safetensors")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refuse(folder, "pytorch_model.bin is not read, it may run code")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(n_embd=0), "`n_embd`"),
        (dict(n_embd=2**40), "`n_embd`"),
        (dict(n_layer=10**6), "`n_layer`"),
        (dict(n_layer="2"), "`n_layer`"),
        (dict(n_head=2), "`n_embd` must be a multiple of `n_head`"),
        (dict(resid_pdrop=1.5), "`resid_pdrop`"),
        (dict(resid_pdrop=float("nan")), "`resid_pdrop`"),
        (dict(activation_function="os.system"), "`activation_function`"),
        (dict(layer_norm_epsilon=0.0), "`layer_norm_epsilon`"),
        (dict(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse"),
        (dict(model_type="mamba"), "`model_type` must be one of"),
        (dict(model_type=[]), "`model_type` must be one of"),
        (dict(architectures=["GPT2DoubleHeadsModel"]), "`architectures`"),
        (dict(architectures={}), "`architectures`"),
        (dict(n_positions=2**22), r"wpe.weight \(24, 21\) for \(4194304, 21\)"),
        (dict(n_layer=3), r"missing: transformer.h.2.ln_1.weight \(21,\)"),
        (dict(n_layer=1), r"surplus: transformer.h.1.attn.c_attn.bias \(63,\)"),
        (dict(tie_word_embeddings=False), r"missing: lm_head.weight \(53, 21\)"),
    ],
)
def test_settings_out_of_range_are_refused(folder, changes, message):
    change_config(folder, **changes)
    refuse(folder, message)


def test_surplus_tensors_are_named(folder):
    change_tensors(folder, lambda all: all.update(adapter=np.zeros(3, "float32")))
    refuse(folder, r"surplus: adapter \(3,\)")


def test_known_buffers_and_a_second_copy_of_the_table_are_fine(folder):
    def add(tensors):
        tensors["transformer.h.0.attn.bias"] = np.ones((1, 1, 24, 24), "uint8")
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"].copy()

    change_tensors(folder, add)
    from_preset(folder)

    def spoil(tensors):
        tensors["lm_head.weight"][0, 0] += 1

    change_tensors(folder, spoil)
    refuse(folder, "must be equal")


def test_integers_are_no_weights(folder):
    name = "transformer.ln_f.bias"
    change_tensors(folder, lambda all: all.update({name: np.zeros(21, "int32")}))
    refuse(folder, "must be one of F32, F16, BF16")


@pytest.mark.parametrize(
    "place", ["../secret.safetensors", "config.json", "no.safetensors"]
)
def test_an_index_names_only_shards_beside_it(shards, place):
    index = json.loads((shards / "model.safetensors.index.json").read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], place)
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    refuse(shards, "beside it|is missing")


def test_an_index_that_does_not_know_its_shards_is_refused(shards):
    index = json.loads((shards / "model.safetensors.index.json").read_text())
    index["weight_map"].popitem()
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    refuse(shards, "differ in")


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json"])
def test_damaged_tokenizers_are_refused(folder, name):
    (folder / name).write_text('{"version": 1')
    (folder / "merges.txt").write_text("#version\na b c\n")
    refuse(folder)


def gpt(style=GPT2):
    sizes = dict(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2)
    return CausalLM(GPT(**sizes, style=style))


def test_nothing_is_left_behind_by_a_folder_that_was_refused(folder):
    change_config(folder, n_positions=2**22)
    refuse(folder)
    model = gpt()
    assert np.isfinite(model(np.array([[1, 2]]))).all()


def test_overrides_reach_the_model(folder):
    model = from_preset(folder, dropout=0.3, dtype="mixed_bfloat16")
    assert model.network.dropout == 0.3
    assert model.compute_dtype == model.network.compute_dtype == "bfloat16"
    assert model.network.embedding.embeddings.dtype == "float32"
    head = from_preset(FILES / "bert_token", dtype="mixed_bfloat16", dropout=0.2)
    assert head.network.compute_dtype == "bfloat16"
    assert head.network.dropout == head.dropout == 0.2
    assert head.network.drop.rate == head.drop.rate == 0.2


def test_a_model_that_a_family_cannot_express_is_not_written(tmp_path):
    model = gpt(dataclasses.replace(LLAMA, positions="relative"))
    with pytest.raises(ValueError, match="cannot hold this CausalLM"):
        model.save_to_preset(tmp_path / "folder", format="huggingface")
    with pytest.raises(ValueError, match="`format` must be one of"):
        model.save_to_preset(tmp_path / "folder", format="onnx")
    assert not list(tmp_path.iterdir())


def test_another_head_begins_anew_on_the_same_body():
    body = from_preset(FILES / "bert_masked")
    head = from_preset(
        FILES / "bert_pretraining",
        task="SequenceClassifier",
        target=Label(2, ("no", "yes")),
    )
    assert head.labels == ("no", "yes")
    assert head.network.has_pooler
    kernel = np.asarray(head.classifier.kernel)
    assert kernel.shape == (20, 2)
    assert kernel.std() > 0
    assert body.network.has_pooler is False
    with pytest.raises(ValueError, match="`task` must be one of"):
        from_preset(FILES / "bert", task="Diffusion")


def test_a_pooler_that_is_not_stored_begins_anew_with_the_head(folder):
    model = from_preset(FILES / "bert_masked", task="SequenceClassifier")
    assert np.std(model.network.pooler.kernel) > 0
    folder = shutil.copytree(FILES / "bert_sequence", folder.parent / "sequence")
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    shutil.copy(FILES / "bert_masked/model.safetensors", folder)
    refuse(folder, "missing: bert.pooler")  # nobody asked for another head


def test_a_name_that_is_no_folder_is_looked_for_on_the_hub(folder, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(name, revision, allow_patterns):
        asked.append((name, revision))
        assert "*.bin" not in allow_patterns
        assert {"tokenizer.model", "chat_template.jinja"} <= {*allow_patterns}
        if name == "owner/none":
            raise OSError("no network\nat all")
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert from_preset("owner/gpt2@main").network.depth == 2
    assert asked == [("owner/gpt2", "main")]
    refuse("owner/none", "neither a folder nor to be had from the hub: no network")
    refuse(folder.parent / "nowhere", "is not a preset folder")


def test_formats_are_known_by_their_config():
    assert presets.read_json(FILES / "bert/config.json")["model_type"] == "bert"


BOMBS = {
    "encoder/gpt2": dict(n_embd=2**20, n_layer=512, vocab_size=2**22, n_inner=2**22),
    "encoder/bert_masked": dict(
        hidden_size=2**20, num_hidden_layers=512, intermediate_size=2**22
    ),
    "seq2seq/bart": dict(
        d_model=12 * 2**14, encoder_layers=512, decoder_layers=512, vocab_size=2**22
    ),
    "seq2seq/blenderbot": dict(d_model=12 * 2**14, decoder_layers=512),
    "seq2seq/t5": dict(d_model=2**22, d_ff=2**22, num_layers=512, d_kv=2**20),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, keys in BOMBS.items() for key in keys]
)
def test_sizes_that_the_files_do_not_have_cost_nothing(name, key, tmp_path):
    folder = shutil.copytree(FILES.parent / name, tmp_path / "folder")
    change_config(folder, **{key: BOMBS[name][key]})
    began = time.process_time()
    tracemalloc.start()
    refuse(folder, "does not fit its config.json|must be")
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
    assert time.process_time() - began < 5


@pytest.mark.parametrize("stored", [[{}], [[]], [None], [5], 5, True, {"a": 1}, "x"])
def test_odd_architectures_are_refused(folder, stored):
    change_config(folder, architectures=stored)
    refuse(folder, "`architectures` must be one of")


@pytest.mark.slow
def test_very_many_tensors_are_refused_soon_and_in_few_words(folder):
    def add(tensors):
        tensors.update({f"x{i}" * 9: np.zeros(0, "float32") for i in range(50_000)})

    change_tensors(folder, add)
    began = time.process_time()
    with pytest.raises(PresetError, match="and 49992 more") as caught:
        from_preset(folder)
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize(
    "text", ["[" * 10**5, '{"a":' * 10**5, "[]", "null", '{"a": 1, "a": 2}', "\0"]
)
@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "generation_config.json", "added_tokens.json"]
)
def test_odd_json_beside_the_config_is_refused(folder, name, text):
    (folder / name).write_text(text)
    refuse(folder, name)


@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer.json", "tokenizer_config.json", "generation_config.json"),
        *("added_tokens.json", "special_tokens_map.json"),
    ],
)
def test_what_is_no_regular_file_is_refused(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    refuse(folder, "must be a regular file")
    (folder / name).unlink()
    (folder / name).symlink_to(folder / "nowhere")
    refuse(folder, "must be a regular file")
