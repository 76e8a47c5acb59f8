"""Folders that old releases of transformers made open, and give the same numbers."""

import json
import pathlib
import shutil
import warnings

import numpy as np
import pytest
from marks import slow_but

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer

FILES = pathlib.Path(__file__).parent / "files"
HISTORY = FILES / "history"
MODELS = sorted(path.parent.name for path in HISTORY.glob("*/config.json"))
TOKENIZERS = sorted(path.parent.name for path in HISTORY.glob("*/ids.json"))
FAST = ("3.5.1_roberta", "4.30.2_llama")


def check(folder, reference):
    """The numbers of a folder, which opens without a warning, are the reference's."""
    reference = dict(np.load(reference / "reference.npz"))
    inputs = {key: reference.pop(key) for key in ("tokens", "tokens_mask")}
    with warnings.catch_warnings(action="error"):
        model = from_preset(folder)
    real = inputs["tokens_mask"].astype(bool)
    if type(model).__name__ == "CausalLM":
        found = [np.asarray(model(inputs["tokens"]))]
    else:
        said = model(inputs)
        parts = said.values() if isinstance(said, dict) else [said]
        found = [np.asarray(part) for part in parts]
    for key, expected in sorted(reference.items()):
        mine = found[int(key.removeprefix("out_"))]
        if mine.ndim == expected.ndim + 1:  # a value of each token has an axis here
            mine = mine[..., 0]
        assert mine.shape == expected.shape
        if mine.shape[:2] == real.shape:
            mine, expected = mine[real], expected[real]
        np.testing.assert_allclose(mine, expected, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", slow_but(FAST, MODELS))
def test_a_folder_of_an_old_release_gives_its_numbers(name):
    check(HISTORY / name, HISTORY / name)


def test_every_release_has_every_family_that_it_knew():
    found = {}
    for name in MODELS:
        release, _, rest = name.partition("_")
        found.setdefault(release, set()).add(rest)
    assert [*sorted(found)] == ["3.5.1", "4.0.1", "4.30.2"]
    assert found["3.5.1"] == found["4.0.1"]
    new = found["4.30.2"] - found["4.0.1"]
    assert new == {"llama", "mpnet", "mpnet_body"}


KEYS = json.loads((HISTORY / "keys.json").read_text("utf-8"))
# What files of 2019 and 2020 have beside these; no class of today reads it.
OLDEST = {
    *("_num_labels", "do_sample", "eos_token_ids", "finetuning_task", "is_decoder"),
    *("length_penalty", "max_length", "num_beams", "num_return_sequences"),
    *("output_attentions", "output_hidden_states", "output_past", "pruned_heads"),
    *("repetition_penalty", "temperature", "top_k", "top_p", "torchscript"),
    *("use_bfloat16", "num_labels", "id2label", "label2id", "type_vocab_size"),
}


@pytest.mark.parametrize("release", KEYS)
def test_every_key_of_an_old_config_is_known(release):
    for model_type, keys in KEYS[release].items():
        known = FAMILIES[model_type].settings.known_keys()
        assert not {*keys} - known, model_type
        if model_type != "llama":  # of 2023
            assert not OLDEST - known, model_type


# What the vocabulary of a tokenizer was, and the family that reads it.
VOCABULARIES = {
    "bert": ("encoder/tokenizers/bert_cased/vocab.txt", "bert"),
    "roberta": ("bert_kin/tokenizers/roberta/*[bs].*", "roberta"),
    "gpt2": ("encoder/tokenizers/gpt2/*[bs].*", "gpt2"),
    "albert": ("bert_kin/tokenizers/albert/spiece.model", "albert"),
    "camembert": ("bert_kin/tokenizers/camembert/*.model", "camembert"),
    "xlm_roberta": ("bert_kin/tokenizers/xlm_roberta/*.model", "xlm-roberta"),
    "llama": ("decoder_pieces/llama2/tokenizer.model", "llama"),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizers_of_old_releases_give_their_ids(name, tmp_path):
    folder = shutil.copytree(HISTORY / name, tmp_path / "folder")
    known = json.loads((folder / "ids.json").read_text("utf-8"))
    pattern, family = VOCABULARIES[name.partition("_")[2].removesuffix("_tokenizer")]
    for path in FILES.glob(pattern):
        if path.name != "tokenizer_config.json":
            shutil.copy(path, folder)
    with warnings.catch_warnings(action="error"):
        tokenizer = read_tokenizer(folder, FAMILIES[family], known["size"])
    assert tokenizer.vocabulary_size == known["size"]
    for text, ids in zip(known["texts"], known["ids"], strict=True):
        assert tokenizer.encode(text).tolist() == ids, text
