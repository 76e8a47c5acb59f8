"""CLIP folders of transformers give the vectors and the logits of transformers."""

import json
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
from safetensors.numpy import load_file

from keras_genai import from_preset
from keras_genai.networks.gpt import Style
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent / "files" / "clip"
CASES = sorted(path.name for path in FILES.iterdir())
TEXTS = [  # as in make_clip.py
    "A cat.",
    "Hello   dog's 42 cats!",
    "Grüße, 猫 and naïve café",
    "it's a photo of a dog and of a cat, and of many other things",
]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A model, and what transformers said of the same folder."""
    model = opened(FILES / request.param)
    with np.load(FILES / request.param / "reference.npz") as reference:
        return model, dict(reference)


def opened(folder):
    model = from_preset(folder)
    model.jit_generate = False  # compiling takes longer than all of this
    return model


def pictures(reference):
    count = len(reference["pixels"])
    return [PIL.Image.fromarray(reference[f"picture_{i}"]) for i in range(count)]


def restored(model, reference):
    """Pixels as transformers hands them to its model, in [0, 1] again."""
    return np.clip(reference["pixels"] * model.deviation + model.mean, 0, 1)


def test_vectors_of_pictures_and_texts_and_their_logits(case):
    model, reference = case
    batch = {
        "images": restored(model, reference).astype("float32"),
        "tokens": reference["tokens"],
    }
    found = model(batch)
    for key in ("images", "texts"):
        np.testing.assert_allclose(found[key], reference[key], atol=1e-5)
    logits = model.scale * np.array(found["images"]) @ np.array(found["texts"]).T
    np.testing.assert_allclose(logits, reference["logits"], atol=1e-4)


def test_pictures_are_scaled_and_cropped_alike(case):
    model, reference = case
    found = model.embed_images(pictures(reference))
    np.testing.assert_allclose(found, reference["images"], atol=1e-5)


def test_texts_are_split_and_cut_alike(case):
    model, reference = case
    tokens, expected = model.tokens(TEXTS), reference["tokens"]
    length = min(tokens.shape[1], expected.shape[1])
    np.testing.assert_array_equal(tokens[:, :length], expected[:, :length])
    np.testing.assert_allclose(model.embed_texts(TEXTS), reference["texts"], atol=1e-5)
    for row, text in zip(expected, reference["decoded"], strict=True):
        assert model.tokenizer.decode(row) == text


def test_a_written_folder_comes_back(case, tmp_path):
    model, reference = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = opened(tmp_path / "folder")
    assert again.get_config() == {**model.get_config(), "name": again.name}
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(weight, again.preset_weights()[path])
    model.save_to_preset(tmp_path / "ours")
    ours = opened(tmp_path / "ours")
    given = pictures(reference), TEXTS
    np.testing.assert_array_equal(ours.similarity(*given), model.similarity(*given))


@pytest.mark.parametrize("name", CASES)
def test_written_tensors_are_those_that_were_read(name, tmp_path):
    opened(FILES / name).save_to_preset(tmp_path / "folder", format="huggingface")
    expected = load_file(FILES / name / "model.safetensors")
    found = load_file(tmp_path / "folder" / "model.safetensors")
    buffers = {key for key in expected if key.endswith("position_ids")}
    assert found.keys() == expected.keys() - buffers
    for key, tensor in found.items():
        assert tensor.shape == expected[key].shape
        np.testing.assert_array_equal(tensor, expected[key])


def copied(folder, file, change):
    shutil.copytree(FILES / "clip", folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **change}))
    return folder


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("preprocessor_config.json", {"crop_size": 9}, "must be image_size=24"),
        ("preprocessor_config.json", {"resample": 2}, "`resample` of preprocessor"),
        ("preprocessor_config.json", {"image_mean": [1.0, 2.0]}, "`mean` must be one"),
        ("config.json", {"text_config": 3}, "`text_config` must be a dict"),
        ("config.json", {"vision_config": {"layer_norm_eps": 1e-6}}, "layer_norm_eps"),
        ("config.json", {"vision_config": {"hidden_act": "x"}}, "hidden_act"),
        ("config.json", {"projection_dim": 12}, "wrong shape: "),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(
    tmp_path, file, change, message
):
    with pytest.raises(PresetError, match=message) as error:
        from_preset(copied(tmp_path / "folder", file, change))
    assert "\n" not in str(error.value)


def test_depths_beyond_the_files_are_refused(tmp_path):
    config = json.loads((FILES / "clip" / "config.json").read_text())
    texts = {**config["text_config"], "num_hidden_layers": 500}
    folder = copied(tmp_path / "folder", "config.json", {"text_config": texts})
    with pytest.raises(PresetError, match=r"missing: text_model.encoder.layers.1\."):
        from_preset(folder)


def test_what_later_releases_write_instead_of_the_preprocessor_is_read(tmp_path):
    folder = copied(tmp_path / "folder", "config.json", {})
    path = folder / "preprocessor_config.json"
    content = {**json.loads(path.read_text()), "image_mean": [0.1, 0.2, 0.3]}
    path.unlink()
    assert opened(folder).mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    whole = {"image_processor": content, "processor_class": "CLIPProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(whole))
    assert opened(folder).mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"end_token": 2}, "`end_token` must be a token other than 2"),
        ({"end_token": None}, "`end_token` must be a token other than 2"),
        ({"style": Style(feedforward="relu_squared")}, "style"),
        ({"activation": "relu"}, "`activation` must be one of quick_gelu"),
    ],
)
def test_what_a_clip_model_cannot_be_is_not_written(tmp_path, overrides, message):
    model = from_preset(FILES / "clip", **overrides)
    with pytest.raises(ValueError, match=message):
        model.save_to_preset(tmp_path / "folder", format="huggingface")
