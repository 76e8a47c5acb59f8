"""What is exported is loaded and compared; what cannot be is said in one line."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai.export import formats, gguf_file, saved_model
from keras_genai.export.comparing import ExportError, compare
from keras_genai.export.endpoints import Endpoint, spec
from keras_genai.export.extras import need
from keras_genai.export.seeding import state_of
from keras_genai.export.writing import as_asked, write
from keras_genai.layers.attention import without_xla, write_slots
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.gpt import GPT
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.samplers.rules import History
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.variational import VAE
from zoo import __main__ as command
from zoo import _export

SOME_ROWS = tf.TensorSpec((None,), "int32")


def likeliest(logits, history):
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def vae(*given):
    model = VAE(
        DenseAutoencoder(latent_size=3, hidden=(5,)), Image((4, 4, 1)), tuple(given)
    )
    model.jit_generate = False
    return model


def test_a_saved_model_draws_what_the_model_draws(tmp_path):
    model = vae(Label(3))
    made = model.export_to(tmp_path / "it")
    assert made.path == tmp_path / "it"
    assert "generate(labels int32[?], seed int64)" in made.lines
    loaded = tf.saved_model.load(str(made.path))  # holds the weights
    drawn = loaded.generate(tf.constant([2, 0, 1]), tf.constant(5, tf.int64))
    wanted = model.generate(3, labels=[2, 0, 1], seed=5)
    np.testing.assert_allclose(drawn["images"], wanted, atol=1e-6)
    facts = json.loads((made.path / "export.json").read_text("utf-8"))
    assert [*facts["endpoints"]] == ["serving_default", "generate", "decode", "encode"]


def test_a_folder_with_something_else_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds an earlier export and nothing else"):
        vae().export_to(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_says_something_else_is_not_left(tmp_path, monkeypatch):
    def ask(loaded, endpoint):
        wanted = endpoint.expected(endpoint.example)
        return {name: value + 1 for name, value in wanted.items()}

    monkeypatch.setattr(saved_model, "_save", lambda *_: _[-1].mkdir())
    monkeypatch.setattr(tf.saved_model, "load", lambda _: None)
    monkeypatch.setattr(saved_model, "ask", ask)
    with pytest.raises(ExportError, match=r"gives another .* they differ by up to 1"):
        vae().export_to(tmp_path / "it")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("torch", {}, "`format` must be one of"),
        ("savedmodel", {"dtype": "f16"}, "`dtype` must be left out of 'savedmodel'"),
        ("savedmodel", {"steps": 0}, "`steps` must be"),
        ("litert", {}, r"`path` must end with \.tflite"),
        ("onnx", {}, r"`path` must end with \.onnx"),
        ("gguf", {}, r"`path` must end with \.gguf"),
        ("gguf", {"dtype": "f8"}, "`dtype` must be one of"),
    ],
)
def test_what_is_not_allowed_is_said(format, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        vae().export_to(tmp_path / "it", format, **options)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("format", "name"),
    [("litert", "it.tflite"), ("onnx", "it.onnx"), ("gguf", "it.gguf")],
)
def test_a_file_in_no_folder_is_refused_before_anything_is_computed(format, name):
    with pytest.raises(ValueError, match="`path` must be in a folder that exists"):
        formats.export(None, f"no/such/{name}", format)


@pytest.mark.slow
def test_an_earlier_export_stays_until_the_new_one_is_there(tmp_path, monkeypatch):
    vae().export_to(tmp_path / "it")
    before = sorted((tmp_path / "it").iterdir())
    rename = pathlib.Path.rename

    def fail(path, target):
        if path.name == "it":
            raise OSError("no space left")
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", fail)
    with pytest.raises(OSError, match="no space left"):
        vae().export_to(tmp_path / "it")
    monkeypatch.undo()
    assert sorted((tmp_path / "it").iterdir()) == before
    assert [*tmp_path.iterdir()] == [tmp_path / "it"]
    vae().export_to(tmp_path / "it")
    assert sorted((tmp_path / "it").iterdir()) == before


def test_a_missing_package_is_said_with_its_cure():
    with pytest.raises(ImportError, match=r'pip install "keras_genai\[gguf\]"'):
        need("no_such_package.at_all", "gguf")


def test_comparisons_see_what_is_missing_and_what_has_another_shape():
    wanted = {"x": np.zeros((2, 3), "float32")}
    endpoint = Endpoint("f", dict, {"a": spec("int32", None)}, {}, lambda _: wanted)
    compare(endpoint, {"x": np.full((2, 3), 1e-5, "float32")}, "it")
    with pytest.raises(ExportError, match="`f` has no x in it, but y"):
        compare(endpoint, {"y": wanted["x"]}, "it")
    with pytest.raises(ExportError, match=r"of shape \(3,\) in it, and \(2, 3\) here"):
        compare(endpoint, {"x": np.zeros(3)}, "it")
    with pytest.raises(ExportError, match="another x"):
        compare(endpoint, {"x": np.full((2, 3), np.nan)}, "it")


def test_a_graph_writes_texts_without_knowing_a_size():
    sizes = dict(vocabulary_size=5, context=8, depth=1, width=4, num_heads=1)
    model = CausalLM(GPT(**sizes))
    numbers = {"max_length": 6, "stops": np.zeros(5, bool), "source": None}

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None, None), "int32"), SOME_ROWS],
    )
    def run(tokens, lengths):
        with without_xla():
            return write(model, likeliest, (tokens, lengths), (), numbers)

    text = run(tf.constant([[1, 2, 3], [4, 0, 0]]), tf.constant([3, 1]))
    assert text.lengths.numpy().tolist() == [6, 6]
    best = np.argmax(model(text.tokens), axis=-1)
    np.testing.assert_array_equal(text.tokens[0, 3:], best[0, 2:-1])
    np.testing.assert_array_equal(text.tokens[1, 1:], best[1, :-1])


@pytest.mark.parametrize("asked", [dict(temperature=2e-38), dict(top_p=1e-12)])
def test_the_smallest_numbers_leave_the_likeliest_token_in_a_graph(asked):
    asked = {"temperature": 1.0, "top_p": 1.0, **asked}
    tensors = {name: tf.constant(value) for name, value in asked.items()}
    tensors |= {"seed": tf.constant(3, tf.int64), "top_k": tf.constant(0)}
    seen = History(tf.zeros((2, 3), tf.int32), tf.constant([3, 2]), tf.zeros(4, bool))
    choose = as_asked((), (), tensors)
    logits = tf.constant([[30.0, 90, 20, -1e30], [-30, 5, 5, 4]])
    assert [*map(int, choose(logits, seen))] in ([1, 1], [1, 2])


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**63 - 1, -3])
def test_a_seed_in_a_graph_is_numpys(seed):
    for index in (0, 2):
        wanted = np.random.SeedSequence((seed % 2**64, index)).generate_state(2)
        found = state_of(tf.constant(seed, tf.int64), index)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("length", "index"), [(1, 3), (1, 0), (3, 1)])
@pytest.mark.parametrize("axis", [1, 2])
def test_slots_are_written_without_xla_as_with_it(length, index, axis):
    rng = np.random.default_rng(0)
    buffer = rng.random((2, 5, 4)).astype("float32")
    shape = [2, 5, 4]
    shape[axis] = length
    values = rng.random(shape).astype("float32")
    index = tf.constant(index)
    wanted = write_slots(ops.convert_to_tensor(buffer), values, index, axis)
    with without_xla():
        found = write_slots(ops.convert_to_tensor(buffer), values, index, axis)
    np.testing.assert_array_equal(found, wanted)


def test_the_verb_knows_its_formats(capsys):
    assert tuple(formats.FORMATS) == _export.FORMATS
    assert tuple(gguf_file.DTYPES) == _export.DTYPES
    options = command.parse(["export", "vae_digits", "--out", "there"])
    assert (options.format, options.steps, options.dtype) == ("savedmodel", None, None)
    with pytest.raises(SystemExit):
        command.parse(["export", "vae_digits", "--format", "h5", "--out", "there"])
    assert "savedmodel" in capsys.readouterr().err
