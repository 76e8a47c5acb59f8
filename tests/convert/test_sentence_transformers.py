"""Folders of sentence-transformers are followed to the letter, or refused."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.presets import PresetError

pytestmark = pytest.mark.usefixtures("eager")
FILES = pathlib.Path(__file__).parent.parent / "parity/files/encoder"
TEXTS = ["the cat sat on the mat", "a dog", "the"]
MODES = {
    "cls": "cls_token",
    "max": "max_tokens",
    "mean": "mean_tokens",
    "mean_sqrt_len": "mean_sqrt_len_tokens",
    "weightedmean": "weightedmean_tokens",
    "lasttoken": "lasttoken",
}


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def modules(folder, *kinds, prefix="sentence_transformers.models."):
    names = [f"{index}_{kind}" for index, kind in enumerate(kinds)]
    write(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": name if i else "", "type": prefix + kind}
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
        ],
    )


def pooling(folder, *names, **more):
    content = {f"pooling_mode_{key}": False for key in MODES.values()}
    content |= {f"pooling_mode_{MODES[name]}": True for name in names}
    write(folder / "1_Pooling/config.json", {**content, **more})


@pytest.fixture
def folder(tmp_path):
    """A BERT with a tokenizer for its 40 or so tokens, and two modules."""
    path = shutil.copytree(FILES / "bert", tmp_path / "st")
    size = json.loads((path / "config.json").read_text())["vocab_size"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS).split()]
    words = list(dict.fromkeys(words))[:size]
    (path / "vocab.txt").write_text("\n".join(words) + "\n")
    modules(path, "Transformer", "Pooling")
    pooling(path, "mean")
    return path


def hidden(model, text):
    batch = model._collate(model._encode([text]))
    return np.asarray(model.network(batch)["hidden"])


def expected(name, tokens):
    places = np.arange(1, len(tokens) + 1)[:, None]
    return {
        "cls": tokens[0],
        "max": tokens.max(0),
        "mean": tokens.mean(0),
        "mean_sqrt_len": tokens.sum(0) / np.sqrt(len(tokens)),
        "weightedmean": (tokens * places).sum(0) / places.sum(),
        "lasttoken": tokens[-1],
    }[name]


@pytest.mark.slow
@pytest.mark.parametrize("names", [[name] for name in MODES] + [["mean", "cls", "max"]])
def test_every_pooling_is_followed(folder, names):
    pooling(folder, *names)
    model = from_preset(folder)
    assert type(model) is SentenceEmbedder
    found = model.embed(TEXTS)
    for vector, text in zip(found, TEXTS, strict=True):
        tokens = hidden(model, text)[0][: len(model.tokenizer.encode(text))]
        parts = [expected(name, tokens) for name in MODES if name in names]
        np.testing.assert_allclose(vector, np.concatenate(parts), atol=1e-5)


def test_the_newer_name_of_the_pooling_and_of_the_classes_is_known(folder):
    modules(folder, "Transformer", "Pooling", prefix="sentence_transformers.base.x.")
    write(folder / "1_Pooling/config.json", {"pooling_mode": "cls"})
    assert from_preset(folder).pooling == ("cls",)


def test_dense_layers_and_length_one_are_followed_and_kept(folder, tmp_path):
    modules(folder, "Transformer", "Pooling", "Dense", "Normalize")
    model = from_preset(FILES / "bert", task="SentenceEmbedder")
    width = model.network.width
    draw = np.random.default_rng(0)
    weight = draw.normal(size=(3, width)).astype("float32")
    bias = draw.normal(size=3).astype("float32")
    write(
        folder / "2_Dense/config.json",
        {
            "in_features": width,
            "out_features": 3,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        },
    )
    path = folder / "2_Dense/model.safetensors"
    save_file({"linear.weight": weight, "linear.bias": bias}, path)
    found = from_preset(folder)
    tokens = hidden(found, TEXTS[0])[0][: len(found.tokenizer.encode(TEXTS[0]))]
    vector = np.tanh(weight @ tokens.mean(0) + bias)
    vector /= np.linalg.norm(vector)
    np.testing.assert_allclose(found.embed(TEXTS[0]), vector, atol=1e-5)
    found.save_to_preset(tmp_path / "own")
    again = from_preset(tmp_path / "own")
    np.testing.assert_allclose(again.embed(TEXTS[0]), vector, atol=1e-5)
    with pytest.raises(ValueError, match="dense"):
        found.save_to_preset(tmp_path / "hf", format="huggingface")
    save_file({"weight": weight}, path)
    with pytest.raises(PresetError, match=r"must have the tensors linear\.bias"):
        from_preset(folder)


def test_limits_are_followed(folder):
    write(
        folder / "sentence_bert_config.json",
        {"max_seq_length": 4, "do_lower_case": True},
    )
    write(folder / "tokenizer_config.json", {"do_lower_case": False})
    for task in (None, "SentenceEmbedder"):
        model = from_preset(folder, task=task)
        assert model.batch(TEXTS)["tokens_mask"].sum(1).max() == 4
        long, short = model.embed(["The CAT sat on the mat", "the cat"])
        np.testing.assert_allclose(long, short, atol=1e-6)


def test_the_length_of_the_tokenizer_counts_if_no_other_is_said(folder):
    write(folder / "tokenizer_config.json", {"model_max_length": 5})
    assert from_preset(folder).max_length == 5
    write(folder / "tokenizer_config.json", {"model_max_length": 1e30})
    assert from_preset(folder).max_length is None


def test_prompts_and_the_measure_are_followed(folder):
    write(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "3.0"},
            "prompts": {"query": "the cat ", "none": ""},
            "default_prompt_name": "query",
            "similarity_fn_name": "dot",
        },
    )
    model = from_preset(folder)
    plain = model.embed(["the cat sat", "sat"], prompt="none")
    np.testing.assert_allclose(model.embed("sat"), plain[0], atol=1e-5)
    assert np.abs(plain[1] - plain[0]).max() > 1e-3
    vectors = model.embed(TEXTS)
    np.testing.assert_allclose(
        model.similarity(TEXTS, TEXTS), vectors @ vectors.T, rtol=1e-4
    )
    with pytest.raises(ValueError, match="`prompt` must be one of"):
        model.embed("a", prompt="other")


def test_an_encoder_in_a_folder_of_its_own_is_found(folder):
    inner = folder / "0_BERT"
    inner.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / name).rename(inner / name)
    write(folder / "config.json", {"__version__": "0.2.5"})
    listed = json.loads((folder / "modules.json").read_text())
    listed[0]["path"] = "0_BERT"
    write(folder / "modules.json", listed)
    assert from_preset(folder).embed(TEXTS).shape[0] == 3


def test_another_task_may_be_asked_for(folder):
    shutil.copy(FILES / "bert_masked/config.json", folder)
    shutil.copy(FILES / "bert_masked/model.safetensors", folder)
    assert type(from_preset(folder, task="MaskedLM")) is MaskedLM


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: modules(f, "Transformer", "LSTM"), "must begin with"),
        (lambda f: modules(f, "Transformer", "Pooling", "CNN"), "CNN is not read"),
        (lambda f: modules(f, "Transformer", "Pooling", prefix="mine."), "`type` must"),
        (lambda f: write(f / "modules.json", {}), "must hold a list"),
        (lambda f: write(f / "modules.json", []), "must begin with|`path`"),
        (lambda f: write(f / "modules.json", [5]), "`path` must|`type` must"),
        (
            lambda f: write(f / "modules.json", [{"path": "../x", "type": "x"}]),
            "`path` must be a folder beside it",
        ),
        (lambda f: pooling(f), "the pooling must be"),
        (lambda f: pooling(f, "mean", pooling_mode="other"), "the pooling must be"),
        (lambda f: pooling(f, "mean", include_prompt=False), "include_prompt"),
        (lambda f: shutil.rmtree(f / "1_Pooling"), "has no config.json"),
        (
            lambda f: write(
                f / "config_sentence_transformers.json", {"similarity_fn_name": "x"}
            ),
            "similarity_fn_name",
        ),
        (
            lambda f: write(f / "sentence_bert_config.json", {"max_seq_length": 0}),
            "max_seq_length",
        ),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(folder, change, message):
    change(folder)
    with pytest.raises(PresetError, match=message) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_of_another_family_is_refused(tmp_path):
    path = shutil.copytree(FILES.parent / "seq2seq/t5", tmp_path / "t5")
    modules(path, "Transformer", "Pooling")
    with pytest.raises(ValueError, match="`task` must be one of Seq2SeqLM"):
        from_preset(path)
    assert load_file(path / "model.safetensors")
