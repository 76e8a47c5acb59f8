"""Folders of Llama, Mistral, Qwen, Phi-3 and Gemma give the numbers of transformers."""

import json
import pathlib
import shutil
import warnings

import numpy as np
import pytest
from marks import slow_but

from keras_genai import from_preset
from keras_genai.convert.chat import read_turns
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.files.tensors import read_header
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.samplers import Beam, Greedy
from keras_genai.serving import Chat
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent / "files/decoder"
CASES = sorted(path.parent.name for path in FILES.glob("*/config.json"))
FAST = ("gemma3", "llama3", "phi3_partial", "qwen2_window")


@pytest.fixture(scope="module", params=slow_but(FAST, CASES))
def case(request):
    """A model, and what transformers said of the same folder."""
    model = from_preset(FILES / request.param)
    model.jit_generate = False  # compiling takes longer than the rest
    return request.param, model, dict(np.load(FILES / request.param / "reference.npz"))


def config_of(name):
    return json.loads((FILES / name / "config.json").read_text("utf-8"))


def settings_of(config):
    return FAMILIES[config["model_type"]].settings.model_validate_json(
        json.dumps(config)
    )


def test_logits_and_hidden_states_of_a_padded_batch(case):
    _, model, reference = case
    real = reference["tokens_mask"].astype(bool)
    states = model.network.hidden_states(reference["tokens"])
    assert len(states) == model.network.depth + 1
    for index, state in enumerate(states):
        expected = reference[f"state_{index}"][real]
        np.testing.assert_allclose(np.asarray(state)[real], expected, atol=1e-4)
    found = np.asarray(model.network.logits(states[-1]))[real]
    np.testing.assert_allclose(found, reference["logits"][real], atol=1e-4)


def test_one_token_at_a_time_is_the_whole_text(case):
    _, model, reference = case
    tokens, bucket = reference["tokens"], 6
    positions = np.tile(np.arange(bucket, dtype="int32"), (len(tokens), 1))
    cache = model.initial_cache(len(tokens), tokens.shape[1])
    logits, cache = model.decode(tokens[:, :bucket], positions, cache, 0)
    for place in range(bucket, 10):
        expected = reference["logits"][:1, place - 1]  # of the row without padding
        np.testing.assert_allclose(logits[:1], expected, atol=1e-4)
        step = tokens[:, place : place + 1], np.full((len(tokens), 1), place, "int32")
        logits, cache = model.decode(*step, cache, place)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("way", "sampler"), [("greedy", Greedy()), ("beam", Beam(4))])
def test_tokens_are_those_of_transformers(name, way, sampler):
    model = from_preset(FILES / name)
    model.jit_generate = False
    reference = np.load(FILES / name / "reference.npz")
    expected, ends = reference[way], list(model.ends)
    prompts = list(reference["tokens"][:, :5])
    found = model.generate(prompts, 30, sampler)
    for mine, theirs in zip(found, expected, strict=True):
        stops = np.flatnonzero(np.isin(theirs[5:], ends))
        length = 6 + stops[0] if len(stops) else len(theirs)
        np.testing.assert_array_equal(mine, theirs[:length])


def test_what_we_write_is_read_again_and_holds_the_same_tensors(case, tmp_path):
    name, model, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = from_preset(tmp_path / "folder")
    for path, weight in model.preset_weights().items():
        np.testing.assert_array_equal(weight, again.preset_weights()[path])
    tokens = np.array([[3, 9, 4, 11, 6, 8, 7, 12]], "int32")
    np.testing.assert_array_equal(again(tokens), model(tokens))
    assert again.end_tokens() == model.end_tokens()
    if FAMILIES[config_of(name)["model_type"]] is family_of(tmp_path / "folder"):
        assert names_in(tmp_path / "folder") == names_in(FILES / name)


def family_of(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return FAMILIES[config["model_type"]]


def names_in(folder):
    return {name for path in folder.glob("*.safetensors") for name in read_header(path)}


@pytest.mark.parametrize("name", CASES)
def test_every_option_that_transformers_has_is_honoured_harmless_or_refused(name):
    options = {*np.load(FILES / name / "reference.npz")["options"].tolist()}
    with warnings.catch_warnings(action="error"):  # of options that nobody knows
        kind = type(settings_of(config_of(name)))
    assert len(options) > 20
    assert options <= kind.known_keys()


@pytest.mark.parametrize(
    "name", [path.parent.name for path in FILES.glob("*/old.json")]
)
def test_a_config_of_transformers_4_means_the_same(name):
    old = json.loads((FILES / name / "old.json").read_text("utf-8"))
    assert "rope_parameters" not in old
    with warnings.catch_warnings(action="error"):
        assert settings_of(old).style == settings_of(config_of(name)).style


def test_an_unknown_option_is_said():
    with pytest.warns(UserWarning, match="mystery"):
        settings_of({**config_of("llama2"), "mystery": 3})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama2", dict(rope_scaling=dict(rope_type="longrope")), "longrope"),
        ("phi3", dict(rope_scaling=dict(type="su")), "'su'"),
        ("llama2", dict(rope_scaling=dict(type="linear")), "must have `factor`"),
        ("llama2", dict(rope_scaling=dict(type="linear", mscale=2)), "mscale"),
        ("llama2", dict(rope_scaling=dict(type="linear", factor="2")), "`factor`"),
        ("qwen2", dict(partial_rotary_factor=0.5), "partial_rotary_factor"),
        ("llama2", dict(quantization_config=dict(bits=4)), "quantization_config"),
        ("llama2", dict(hidden_act="relu"), "activation"),
        ("llama2", dict(rms_norm_eps=0), "rms_norm_eps"),
        ("mistral", dict(layer_types=["full_attention"]), "layer_types"),
        ("qwen3", dict(layer_types=["full_attention"]), "layer_types"),
        ("qwen3", dict(layer_types=["sliding_attention"] * 2), "sliding_window"),
        ("gemma3", dict(use_bidirectional_attention=True), "bidirectional"),
        ("gemma2", dict(layer_types=["chunked_attention"] * 2), "layer_types"),
    ],
)
def test_what_is_not_done_is_refused_by_name(name, changes, message, tmp_path):
    folder = shutil.copytree(FILES / name, tmp_path / name)
    changed = json.dumps({**config_of(name), **changes})
    (folder / "config.json").write_text(changed, "utf-8")
    with pytest.raises(PresetError, match=message) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


def test_several_end_tokens_are_of_the_files_and_end_texts(tmp_path):
    model = from_preset(FILES / "llama3")
    assert model.ends == (2, 5, 6)
    assert model.end_tokens(stop=[9]) == {2, 5, 6, 9}
    folder = shutil.copytree(FILES / "llama3", tmp_path / "llama3")
    (folder / "generation_config.json").unlink()
    assert from_preset(folder).ends == (2, 5, 6)  # config.json says it, too
    stated = json.dumps({"eos_token_id": 4, "repetition_penalty": 1.1})
    (folder / "generation_config.json").write_text(stated, "utf-8")
    with pytest.warns(UserWarning, match="repetition_penalty"):
        assert from_preset(folder).ends == (4,)


def test_a_text_ends_with_any_of_its_ends():
    model = from_preset(FILES / "llama2")
    model.jit_generate = False
    (alone,) = model.generate([[3, 4]], 12, Greedy())
    model.ends = (int(alone[4]),)
    (ended,) = model.generate([[3, 4]], 12, Greedy())
    first = 3 + np.flatnonzero(alone[2:] == alone[4])[0]
    np.testing.assert_array_equal(ended, alone[:first])
    assert model.get_config()["ends"] == [int(alone[4])]


TOKENIZERS = FILES.parent / "decoder_tokenizers"
KNOWN = json.loads((TOKENIZERS / "ids.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(KNOWN.keys() - {"texts"}))
def test_tokenizers_give_the_ids_and_texts_that_the_file_gives_transformers(name):
    family = {"phi3": "phi3", "gemma": "gemma3_text", "qwen2": "qwen2"}
    with warnings.catch_warnings(action="error"):
        mine = read_tokenizer(TOKENIZERS / name, FAMILIES[family.get(name, "llama")])
    known = KNOWN[name]
    for text, ids, decoded in zip(
        KNOWN["texts"], known["ids"], known["decoded"], strict=True
    ):
        assert mine.encode(text).tolist() == ids, text
        assert mine.decode(ids) == decoded
    assert [row.tolist() for row in mine.encode_batch(KNOWN["texts"])] == known["ids"]


CHATS = [name for name in sorted(KNOWN) if "chats" in KNOWN[name]]


@pytest.mark.parametrize("name", CHATS)
def test_conversations_are_the_texts_and_tokens_of_transformers(name):
    folder = TOKENIZERS / name
    tokenizer = read_tokenizer(folder, FAMILIES["llama"])
    with warnings.catch_warnings(action="error"):
        turns = read_turns(folder, tokenizer)
    assert turns.end in tokenizer.special_tokens
    for messages, expected in zip(SAID, KNOWN[name]["chats"], strict=True):
        whole, asked = expected
        assert turns.drops + turns.text(messages) == asked["text"]
        assert tokenizer.encode(turns.text(messages)).tolist() == asked["ids"]
        text, spans = turns.spans(messages)
        assert turns.drops + text == whole["text"]
        answers = [said for who, said in messages if who == "model"]
        assert [text[slice(*span)] for span in spans] == [
            said + turns.end for said in answers
        ]


QUESTION = ("person", " the cat saw 12 dogs \N{GRINNING FACE} ")
ANSWER = ("model", "in the old house")
SAID = [
    [QUESTION],
    [QUESTION, ANSWER],
    [("system", "be brief"), QUESTION, ANSWER, QUESTION],
]


def test_a_model_of_a_folder_chats_by_its_template(tmp_path):
    sizes = dict(vocabulary_size=420, context=128, depth=1, width=8, num_heads=2)
    model = CausalLM(GPT(**sizes, style=LLAMA))
    model.tokenizer = read_tokenizer(TOKENIZERS / "qwen2", FAMILIES["qwen2"])
    model.turns = read_turns(TOKENIZERS / "qwen2", model.tokenizer)
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    model.save_to_preset(tmp_path / "preset")
    for again in map(from_preset, (tmp_path / "folder", tmp_path / "preset")):
        assert again.turns == model.turns
        assert again.tokenizer.to_json() == model.tokenizer.to_json()
        assert Chat(again).prompt("hi") == model.turns.text([("person", "hi")])
        end = again.tokenizer.special_tokens["<|im_end|>"]
        assert end in again.end_tokens()


@pytest.mark.parametrize(
    "content", ["{% include 'x' %}", "{{ raise_exception('no') }}", "{{"]
)
def test_a_template_that_is_refused_leaves_the_folder_open(content, tmp_path):
    folder = shutil.copytree(TOKENIZERS / "qwen2", tmp_path / "qwen2")
    tokenizer = read_tokenizer(folder, FAMILIES["qwen2"])
    (folder / "chat_template.jinja").write_text(content, "utf-8")
    with pytest.warns(UserWarning, match="chat template is not used"):
        assert read_turns(folder, tokenizer) is None
