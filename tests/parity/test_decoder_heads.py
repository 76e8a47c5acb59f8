"""Bodies of decoders, heads on them and embedders give the numbers of transformers."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from marks import slow_but
from safetensors.numpy import load_file, save_file
from written import settings, tensors

from keras_genai import from_preset
from keras_genai.modalities.text import Label
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError

pytestmark = pytest.mark.usefixtures("eager")
FILES = pathlib.Path(__file__).parent / "files/decoder_heads"
CASES = sorted(path.parent.name for path in FILES.glob("*/reference.npz"))
FAST = ("llama", "gemma3", "llama_labels", "gpt2_tags")
OUTPUT = "lm_head.weight"


def outputs(model, batch):
    """What a model says, by the names that transformers has."""
    found = model(batch)
    if not isinstance(found, dict):
        return {"logits": found}
    if "hidden" in found:
        return {"last_hidden_state": found["hidden"]}
    return {f"{name}_logits": value for name, value in found.items()}


@pytest.mark.parametrize("name", slow_but(FAST, CASES))
def test_a_padded_batch_gives_the_same_numbers_and_the_same_file(name, tmp_path):
    reference = dict(np.load(FILES / name / "reference.npz"))
    batch = {key: reference.pop(key) for key in ("tokens", "tokens_mask")}
    real = batch["tokens_mask"].astype(bool)
    model = from_preset(FILES / name)
    found = outputs(model, batch)
    assert found.keys() == reference.keys()
    for key, expected in reference.items():
        value = np.asarray(found[key])
        if value.shape[:2] == real.shape:
            value, expected = value[real], expected[real]
        np.testing.assert_allclose(value, expected, atol=1e-4)
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    ours, theirs = tensors(tmp_path / "folder", FILES / name)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)
    ours, theirs = settings(tmp_path / "folder", FILES / name)
    assert ours["architectures"] == theirs["architectures"]
    again = from_preset(tmp_path / "folder")
    assert type(again) is type(model)
    for key, value in outputs(again, batch).items():
        np.testing.assert_array_equal(value, found[key])


def test_a_body_opens_as_what_it_is_or_as_the_task_that_is_asked_for():
    body, tied = from_preset(FILES / "llama"), FILES / "qwen2"
    assert type(body) is type(from_preset(tied)) is FeatureExtractor
    model = from_preset(tied, task="CausalLM")  # its head is the table
    assert type(model) is CausalLM
    state = body.network.hidden(np.array([[3, 4]]))
    judge = from_preset(FILES / "llama", task=SequenceClassifier, target=Label(4))
    assert judge(np.array([[3, 4]])).shape == (1, 4)
    np.testing.assert_array_equal(judge.network.hidden(np.array([[3, 4]])), state)


def test_the_labels_of_a_folder_are_those_of_the_model():
    assert from_preset(FILES / "llama_labels").labels == ("bad", "so so", "good")
    assert from_preset(FILES / "qwen3_tags").labels == ("bad", "so so", "good")
    assert from_preset(FILES / "qwen2_value").num_outputs == 1


def test_a_body_of_a_language_model_leaves_its_output_matrix(tmp_path):
    folder = shutil.copytree(FILES / "llama", tmp_path / "whole")
    path = folder / "model.safetensors"
    stored = {f"model.{key}": value for key, value in load_file(path).items()}
    stored[OUTPUT] = np.ones_like(stored["model.embed_tokens.weight"])
    save_file(stored, path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["architectures"] = ["LlamaForCausalLM"]
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    assert type(from_preset(folder)) is CausalLM
    tokens = np.array([[3, 9, 4]])
    found = from_preset(folder, task="FeatureExtractor")(tokens)["hidden"]
    expected = from_preset(FILES / "llama")(tokens)["hidden"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_embedder_in_the_manner_of_qwen3_embedding():
    """modules.json, the last token, prompts; the output matrix is not stored."""
    reference = json.loads((FILES / "embedder/reference.json").read_text("utf-8"))
    model = from_preset(FILES / "embedder")
    assert type(model) is SentenceEmbedder
    assert model.pooling == ("lasttoken",)
    assert model.normalize
    assert model.longest_text == 32
    texts = reference.pop("texts")
    for name, expected in reference.items():
        found = model.embed(texts, prompt=name)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    plain = model.embed(texts)
    np.testing.assert_allclose(plain, reference["document"], atol=1e-5)
    one_by_one = [model.embed(text) for text in texts]
    np.testing.assert_allclose(plain, one_by_one, atol=1e-5)


def test_an_embedder_of_a_decoder_is_kept_as_a_preset(tmp_path):
    model = from_preset(FILES / "embedder")
    model.save_to_preset(tmp_path / "own")
    again = from_preset(tmp_path / "own")
    np.testing.assert_array_equal(
        again.embed("the cat", prompt="query"), model.embed("the cat", prompt="query")
    )
    with pytest.raises(ValueError, match="pooling must be as they are"):
        model.save_to_preset(tmp_path / "folder", format="huggingface")


@pytest.mark.parametrize("more", [dict(use_bias=True), dict(pooling="mean")])
def test_a_head_that_no_class_has_is_not_written(more, tmp_path):
    body = from_preset(FILES / "llama_labels").network
    model = SequenceClassifier(body, **{"use_bias": False, **more})
    with pytest.raises(ValueError, match="must read the last token and have no bias"):
        model.save_to_preset(tmp_path / "folder", format="huggingface")


def test_labels_of_several_at_once_are_refused(tmp_path):
    folder = shutil.copytree(FILES / "llama_labels", tmp_path / "several")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["problem_type"] = "multi_label_classification"
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(PresetError, match="`problem_type`"):
        from_preset(folder)
