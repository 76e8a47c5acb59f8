"""Whisper folders of transformers give the numbers and the texts of transformers."""

import json
import pathlib
import shutil
import warnings

import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.files.wav import encode_wav
from keras_genai.tasks.presets import PresetError
from keras_genai.tasks.speech import SpeechSeq2SeqLM
from zoo import __main__ as zoo_command

FILES = pathlib.Path(__file__).parent / "files" / "whisper"
CASES = sorted(path.name for path in FILES.iterdir())
ASKED = {
    "whisper": {
        "detected": dict(),
        "german": dict(language="de"),
        "translated": dict(language="fr", translate=True),
    },
    "whisper_english": {"greedy": dict()},
}


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


def waves(reference):
    return [reference["wave_0"], reference["wave_1"]]


def test_spectrograms_of_a_sound_and_of_what_is_shorter_than_a_window(case):
    model, reference = case
    found = model.given[0].read(waves(reference))
    np.testing.assert_allclose(found, reference["mels"], atol=1e-4)


def test_logits(case):
    model, reference = case
    mels, targets = reference["mels"], reference["targets"]
    mask = np.ones(mels.shape[:2], bool)
    found = model({"inputs": mels, "inputs_mask": mask, "targets": targets})
    np.testing.assert_allclose(found, reference["logits"], atol=1e-4)


def test_languages_are_told_apart(eager):
    folder = FILES / "whisper"
    model = opened(folder)
    with np.load(folder / "reference.npz") as reference:
        found = model.detect_language(waves(reference))
        tokens = [model.prompt.language_token(name) for name in found]
        assert tokens == reference["languages"].tolist()
        assert model.detect_language(reference["wave_0"]) == found[0]


def test_tokens_and_texts_under_every_way_to_ask(case):
    model, reference = case
    for way, asked in ASKED["whisper" if model.prompt.languages else CASES[1]].items():
        assert model.transcribe(waves(reference), **asked) == said(case, way), way


def said(case, way):
    """The texts that transformers wrote, asked in a way."""
    model, reference = case
    return [model.tokenizer.decode(reference[f"{way}_{row}"]).strip() for row in (0, 1)]


# The English one is searched by the same loop.
@pytest.mark.parametrize(
    "case",
    [CASES[0], pytest.param(CASES[1], marks=pytest.mark.slow)],
    indirect=True,
)
def test_beams_find_the_same_texts(case):
    model, reference = case
    own = model.generation
    model.generation = type(own)(**{**own.get_config(), "num_beams": 3})
    language = "fr" if model.prompt.languages else None
    found = model.transcribe(waves(reference), language=language)
    model.generation = own
    assert found == said(case, "beam")


def test_a_written_folder_comes_back(case, tmp_path, eager):
    model, reference = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = opened(tmp_path / "folder")
    assert again.get_config() == {**model.get_config(), "name": again.name}
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(weight, again.preset_weights()[path])
    model.save_to_preset(tmp_path / "ours")
    ours = opened(tmp_path / "ours")
    assert isinstance(ours, SpeechSeq2SeqLM)
    found, expected = (
        each.transcribe(reference["wave_0"], max_length=8) for each in (ours, model)
    )
    assert found == expected


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("preprocessor_config.json", {"hop_length": 160}, "twice max_source_positions"),
        ("preprocessor_config.json", {"feature_size": 9}, "must be num_mel_bins=8"),
        ("preprocessor_config.json", {"n_fft": "x"}, "`n_fft` of preprocessor_config"),
        ("config.json", {"scale_embedding": True}, "`scale_embedding` must be False"),
        ("config.json", {"encoder_layers": 3}, "missing: model.encoder.layers.2"),
        ("generation_config.json", {"lang_to_id": {"<|en|>": 99}}, "tokens below 43"),
        ("generation_config.json", {"lang_to_id": {"<|en|>": -1}}, "`lang_to_id"),
        ("generation_config.json", {"language": "xx"}, "must be one of en, de, fr"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(
    tmp_path, file, change, message
):
    folder = tmp_path / "folder"
    shutil.copytree(FILES / "whisper", folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **change}))
    with pytest.raises(PresetError, match=message) as error:
        from_preset(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_its_smaller_files_opens(tmp_path, eager):
    folder = tmp_path / "folder"
    shutil.copytree(FILES / "whisper", folder)
    (folder / "generation_config.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = opened(folder)
    # Languages and tasks are then those that the tokenizer spells.
    assert model.prompt == opened(FILES / "whisper").prompt
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(PresetError, match=r"frames\. Received: 3000"):
        from_preset(folder)


@pytest.mark.slow
def test_the_command_is_told_the_language(tmp_path, capsys, eager):
    with np.load(FILES / "whisper" / "reference.npz") as reference:
        # One whose text depends on both options.
        wave, tokens = reference["wave_1"], reference["translated_1"]
    (tmp_path / "a.wav").write_bytes(encode_wav(wave, 16_000))
    asked = ["transcribe", str(FILES / "whisper"), str(tmp_path / "a.wav")]
    asked += ["--language"]
    assert not zoo_command.main([*asked, "fr", "--translate"])
    text = capsys.readouterr().out.strip().partition(": ")[2]
    tokenizer = opened(FILES / "whisper").tokenizer
    assert text == tokenizer.decode(tokens).strip()
    assert zoo_command.main([*asked, "xx"]) == 2
    assert "`language` must be one of en, de, fr" in capsys.readouterr().err
