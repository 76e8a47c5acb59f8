"""Folders of BERT's kin and their tokenizers give the numbers of transformers."""

import json
import pathlib

import numpy as np
import pytest
from marks import slow_but
from written import settings, tensors

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer

FILES = pathlib.Path(__file__).parent / "files/bert_kin"
CASES = sorted(path.parent.name for path in FILES.glob("*/config.json"))
INPUTS = ("tokens", "segments", "tokens_mask")
# What our models call their outputs.
NAMES = {
    "last_hidden_state": "hidden",
    "pooler_output": "pooled",
    "start_logits": "start",
    "end_logits": "end",
}
TOKENIZERS = {
    "roberta": "roberta",
    "xlm_roberta": "xlm-roberta",
    "camembert": "camembert",
    "distilbert": "distilbert",
    "mpnet": "mpnet",
    "albert": "albert",
    "albert_cased": "albert",
}
FAST = (
    *("roberta_masked", "roberta_sequence", "distilbert_sequence", "mpnet"),
    *("electra_masked", "electra_pretraining", "albert_odd"),
    *("modernbert_odd", "modernbert_mean"),
)


def open_case(name):
    """A folder's model, its inputs, and what transformers said of it."""
    reference = dict(np.load(FILES / name / "reference.npz"))
    inputs = {key: reference.pop(key) for key in INPUTS if key in reference}
    return from_preset(FILES / name), inputs, reference


@pytest.fixture(scope="module", params=slow_but(FAST, CASES))
def case(request):
    return request.param, *open_case(request.param)


@pytest.fixture(scope="module")
def known():
    return json.loads((FILES / "tokenizers/ids.json").read_text("utf-8"))


def test_outputs_of_a_padded_batch(case):
    name, model, inputs, reference = case
    found = model(inputs)
    found = found if isinstance(found, dict) else {"logits": found}
    if "pooled" in found and not model.network.has_pooler:
        np.testing.assert_array_equal(found.pop("pooled"), found["hidden"][:, 0])
    real = inputs["tokens_mask"].astype(bool)
    compared = 0
    for key, expected in reference.items():
        short = key[4:]
        mine = found.get(NAMES.get(short, short)) if key[:4] == "out_" else None
        if mine is None:
            continue
        mine = np.asarray(mine)
        if name == "electra_pretraining":  # a single output has an axis here
            mine = mine[..., 0]
        assert mine.shape == expected.shape
        if mine.shape[:2] == real.shape:
            mine, expected = mine[real], expected[real]
        np.testing.assert_allclose(mine, expected, atol=1e-4, err_msg=f"{name} {key}")
        compared += 1
    assert compared == len(found)


@pytest.mark.parametrize(
    "name",
    slow_but(
        ("roberta", "albert", "modernbert"),
        (
            *("roberta", "distilbert", "mpnet", "electra", "albert", "albert_wide"),
            *("camembert", "modernbert"),
        ),
    ),
)
def test_all_hidden_states(name):
    model, inputs, reference = open_case(name)
    real = inputs["tokens_mask"].astype(bool)
    found = model.network.hidden_states(
        *(inputs[key] for key in ("tokens", "tokens_mask", "segments") if key in inputs)
    )
    for index, mine in enumerate(found):
        expected = reference.pop(f"state_{index}")
        np.testing.assert_allclose(np.asarray(mine)[real], expected[real], atol=1e-4)
    assert not [key for key in reference if key.startswith("state_")]


# What one of our tasks does not hold, or holds elsewhere: parts of transformers' files.
NOT_WRITTEN = {
    "roberta_odd": {"lm_head.bias"},  # stored twice, under two names
    "mpnet_odd": {"lm_head.bias"},
    "albert_odd": {
        *("predictions.bias", "albert.pooler.weight", "albert.pooler.bias"),
    },
    "albert_pretraining": {
        *("albert.pooler.weight", "albert.pooler.bias"),
        *("sop_classifier.classifier.weight", "sop_classifier.classifier.bias"),
    },
}


def test_what_we_write_is_what_transformers_wrote(case, tmp_path):
    name, model, _, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    written, stored = tensors(tmp_path / "folder", FILES / name)
    missing = {key for key in stored.keys() - written.keys() if "pooler" not in key}
    assert missing == {key for key in NOT_WRITTEN.get(name, ()) if "pooler" not in key}
    assert written.keys() <= stored.keys()
    for key in written.keys() & stored.keys():
        np.testing.assert_array_equal(written[key], stored[key].astype("float32"))


# Settings that we say otherwise, and mean the same or cannot know.
OTHER_SETTINGS = {
    *("attention_probs_dropout_prob", "attention_dropout"),  # none on attention
    *("architectures", "dtype", "label2id", "id2label"),
    *("classifier_dropout", "model_type"),  # the value instead of null
    *("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"),
}


def test_settings_we_write_are_those_of_transformers(case, tmp_path):
    name, model, _, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    mine, theirs = settings(tmp_path / "folder", FILES / name)
    shared = mine.keys() & theirs.keys()
    assert {key for key in shared if mine[key] != theirs[key]} <= OTHER_SETTINGS
    same = ("xlm-roberta", "camembert")  # the network by another name
    if theirs["model_type"] not in same:
        assert mine["model_type"] == theirs["model_type"]
    assert len(shared) > len(OTHER_SETTINGS)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizers_give_the_ids_of_transformers(name, fast, known):
    folder = FILES / "tokenizers" / (f"{name}_json" if fast else name)
    mine, theirs = read_tokenizer(folder, FAMILIES[TOKENIZERS[name]]), known[name]
    for text, ids in zip(known["texts"], theirs["single"], strict=True):
        assert mine.encode(text).tolist() == ids, text
    encoding = mine.core.encode(*known["texts"][:2])
    assert encoding.ids == theirs["pair"]
    assert mine.pad_token == theirs["pad"]
