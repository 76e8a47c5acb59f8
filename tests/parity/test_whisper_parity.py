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
        "beam": dict(language="fr", num_beams=3),
    },
    "whisper_english": {"greedy": dict(), "beam": dict(num_beams=3)},
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


def test_languages_are_told_apart():
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
        asked = dict(asked)
        own = model.generation
        model.generation = replaced(own, num_beams=asked.pop("num_beams", 1))
        found = model.transcribe(waves(reference), **asked)
        model.generation = own
        for row, text in enumerate(found):
            expected = model.tokenizer.decode(reference[f"{way}_{row}"]).strip()
            assert text == expected, way


def replaced(settings, **changes):
    return type(settings)(**{**settings.get_config(), **changes})


def test_a_written_folder_comes_back(case, tmp_path):
    model, reference = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = opened(tmp_path / "folder")
    assert again.get_config() == {**model.get_config(), "name": again.name}
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(weight, again.preset_weights()[path])
    model.save_to_preset(tmp_path / "ours")
    ours = opened(tmp_path / "ours")
    assert isinstance(ours, SpeechSeq2SeqLM)
    assert ours.transcribe(reference["wave_0"]) == model.transcribe(reference["wave_0"])


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


def test_a_folder_without_its_smaller_files_opens(tmp_path):
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


def test_the_command_is_told_the_language(tmp_path, capsys):
    with np.load(FILES / "whisper" / "reference.npz") as reference:
        wave = reference["wave_0"]
    (tmp_path / "a.wav").write_bytes(encode_wav(wave, 16_000))
    asked = ["transcribe", str(FILES / "whisper"), str(tmp_path / "a.wav")]
    asked += ["--language"]
    assert not zoo_command.main([*asked, "fr", "--translate"])
    said = capsys.readouterr().out.strip().partition(": ")[2]
    model = opened(FILES / "whisper")
    assert said == model.transcribe(tmp_path / "a.wav", language="fr", translate=True)
    assert zoo_command.main([*asked, "xx"]) == 2
    assert "`language` must be one of en, de, fr" in capsys.readouterr().err
