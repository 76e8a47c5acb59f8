"""Folders of translators: old files, odd settings, both sides, and languages."""

import json
import shutil

import numpy as np
import pytest
from marks import slow_but
from parity.translators import FAMILY_OF, FILES, opened, tiny
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.data import languages
from keras_genai.data.mapped_tokenizer import MappedTokenizer
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.tasks.languages import translate_between
from keras_genai.tasks.presets import PresetError

MODELS = FILES.parent / "seq2seq"
ROWS = np.array([[5, 6, 7, 8], [9, 10, 11, 2]], "int32")
BATCH = {"inputs": ROWS, "inputs_mask": ROWS > 0, "targets": ROWS[:, ::-1]}
TEXTS = ["the dog saw", ">>de<< the cat", "an old house 12 \U0001f600"]


def rewritten(name, folder, change=dict, drop=(), **config):
    """A copy of a folder with other tensors and settings."""
    shutil.copytree(MODELS / name, folder)
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors")
    known = json.loads((folder / "config.json").read_text())
    known = {key: value for key, value in known.items() if key not in drop}
    (folder / "config.json").write_text(json.dumps({**known, **config}))
    return folder


def of_3(tensors):
    """Waves, fairseq's numbers, and one table under each of its names."""
    table = tensors["model.shared.weight"]
    names = ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head")
    waves = np.zeros((24, 12), "float32")
    return {
        **tensors,
        **{f"{name}.weight": table.copy() for name in names},
        "model.encoder.embed_positions.weight": waves,
        "model.decoder.embed_positions.weights": waves,
        "model.encoder.version": np.array([3.0], "float32"),
        "model.encoder.embed_positions._float_tensor": np.zeros(1, "float32"),
    }


OLD = dict(
    _num_labels=3,
    add_bias_logits=False,
    classif_dropout=0.0,
    extra_pos_embeddings=1,
    force_bos_token_to_be_generated=False,
    gradient_checkpointing=False,
    num_hidden_layers=2,
    output_past=True,
    bad_words_ids=[[0]],
    num_beams=6,
    max_length=20,
    static_position_embeddings=True,
    normalize_embedding=False,
)


@pytest.mark.parametrize("name", slow_but(("marian",), ("marian", "pegasus", "m2m100")))
def test_files_of_2020_give_the_same_numbers(name, tmp_path):
    norms = name != "marian"
    old = dict(OLD, normalize_before=norms, add_final_layer_norm=norms)
    drop = ("decoder_vocab_size", "share_encoder_decoder_embeddings", "dtype")
    folder = rewritten(name, tmp_path / "old", of_3, drop, **old)
    (folder / "generation_config.json").unlink()
    model = from_preset(folder)
    assert (model.generation.num_beams, model.generation.max_length) == (6, 20)
    np.testing.assert_array_equal(model(BATCH), from_preset(MODELS / name)(BATCH))


def test_a_file_without_a_bias_of_the_logits_has_none(tmp_path):
    def without(tensors):
        return {k: v for k, v in tensors.items() if k != "final_logits_bias"}

    model = from_preset(rewritten("marian", tmp_path / "folder", without))
    whole = from_preset(MODELS / "marian")
    added = np.array(whole(BATCH)) - np.array(model(BATCH))
    bias = np.broadcast_to(whole.network.logits_bias, added.shape)
    np.testing.assert_allclose(added, bias, atol=1e-5)
    model.save_to_preset(tmp_path / "again", format="huggingface")
    np.testing.assert_array_equal(from_preset(tmp_path / "again")(BATCH), model(BATCH))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("marian", dict(normalize_before=True), "normalize_before"),
        ("marian", dict(static_position_embeddings=False), "static_position"),
        ("marian", dict(activation_function="tanh"), "activation_function"),
        ("marian", dict(is_decoder=True), "is_decoder"),
        ("marian", dict(quantization_config={"bits": 4}), "quantization_config"),
        ("marian", dict(decoder_vocab_size=0), "decoder_vocab_size"),
        ("marian_apart", dict(decoder_vocab_size=41), "wrong shape"),
        ("marian_apart", dict(share_encoder_decoder_embeddings=True), "wrong shape"),
        ("pegasus", dict(static_position_embeddings=False), "static_position"),
        ("pegasus", dict(normalize_embedding=True), "normalize_embedding"),
        ("mbart", dict(normalize_embedding=False), "normalize_embedding"),
        ("mbart", dict(pruned_heads={"1": [0]}), "pruned_heads"),
        ("m2m100", dict(pad_token_id=-1), "pad_token_id"),
        ("m2m100", dict(model_type="nllb-moe"), "model_type"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_by_name(
    name, changes, message, tmp_path
):
    folder = rewritten(name, tmp_path / "folder", **changes)
    with pytest.raises(PresetError, match=message) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


def test_settings_that_nobody_knows_are_told(tmp_path):
    folder = rewritten("marian", tmp_path / "folder", something_new=3)
    with pytest.warns(UserWarning, match="something_new"):
        from_preset(folder)


@pytest.mark.parametrize(
    "name", slow_but(("marian_apart", "m2m100"), sorted(FAMILY_OF))
)
@pytest.mark.parametrize("format", ["huggingface", "keras_genai"])
def test_a_written_folder_reads_texts_alike(format, name, tmp_path):
    model = tiny(name)
    if format == "keras_genai":
        model.save_to_preset(tmp_path / "folder")
    else:
        model.save_to_preset(tmp_path / "folder", format=format)
    again = from_preset(tmp_path / "folder")
    sides = [(model.tokenizer, again.tokenizer)]
    # The targets of an mBART have no language.
    if format == "keras_genai" or name not in ("mbart", "mbart_json"):
        sides.append((model.tokenizer.written, again.tokenizer.written))
    for own, other in sides:
        for one, two in zip(
            own.encode_batch(TEXTS), other.encode_batch(TEXTS), strict=True
        ):
            np.testing.assert_array_equal(one, two)
    assert again.generation.decoder_start_token == model.generation.decoder_start_token
    np.testing.assert_array_equal(again(BATCH), model(BATCH))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAMILY_OF))
def test_a_written_folder_writes_texts_alike(name, tmp_path):
    model = tiny(name)
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    again = from_preset(tmp_path / "folder")
    again.jit_generate = False
    for one, two in zip(model.generate(TEXTS), again.generate(TEXTS), strict=True):
        assert isinstance(one, str)
        assert one == two


def test_pairs_are_learned_in_the_pieces_of_their_sides():
    model = tiny("marian")
    pair = ("the dog", "der hund")
    features, labels, weights = next(iter(model.loader([pair] * 2, batch_size=2)))
    own = model.tokenizer
    read, written = own.encode(pair[0]), own.written.encode(pair[1])
    assert read.tolist() != own.written.encode(pair[0]).tolist()
    np.testing.assert_array_equal(features["inputs"][0, : len(read)], read)
    count = int((weights[0].numpy() > 0).sum())
    np.testing.assert_array_equal(labels[0, :count], written)
    assert int(features["targets"][0, 0]) == own.pad_token


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("mbart", "de_DE", "fr_XX"),
        ("mbart50", "de_DE", "fr_XX"),
        ("nllb", "eng_Latn", "fra_Latn"),
        ("m2m100", "en", "nl"),
    ],
)
def test_a_model_is_told_which_languages_are_meant(name, source, target):
    model = tiny(name)
    first, second = (
        languages.language_id(model.tokenizer, code) for code in (source, target)
    )
    end = model.tokenizer.end_token
    body = model.tokenizer.encode("the cat", add_special_tokens=False).tolist()
    translate_between(model, source, target)
    read = model.tokenizer.encode("the cat").tolist()
    written = model.tokenizer.written.encode("the cat").tolist()
    if name == "mbart":
        assert read == [*body, end, first]
        assert written == [*body, end]
    else:
        assert read == [first, *body, end]
        assert written == [second, *body, end]
    assert model.generation.forced_start_token == second
    with pytest.raises(ValueError, match="`target` must be a language"):
        translate_between(model, target="xx_XX")


def test_an_mbart_that_begins_with_a_language_begins_with_another():
    model = tiny("mbart")
    german, french = (
        languages.language_id(model.tokenizer, code) for code in ("de_DE", "fr_XX")
    )
    model.generation = type(model.generation)(decoder_start_token=german)
    translate_between(model, target="fr_XX")
    assert model.generation.decoder_start_token == french
    assert model.generation.forced_start_token is None


def test_texts_without_languages_are_told_none():
    with pytest.raises(ValueError, match="`target` must be a language"):
        translate_between(tiny("pegasus"), target="de_DE")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": {}}, "must be a dict"),
        ({"vocabulary": {"<unk>": -1}}, "different ints"),
        ({"vocabulary": {"<unk>": True}}, "different ints"),
        ({"vocabulary": {"<unk>": 1, "</s>": 1, "<pad>": 2}}, "different ints"),
        ({"vocabulary": {"<unk>": 1}}, "special tokens"),
        ({"back": ["nowhere"]}, "special tokens"),
        ({"front": "a"}, "front"),
        ({"codes": 1}, "flags"),
        ({"written": []}, "tokenizer"),
        ({"written": {"vocabulary": [1]}}, "must be a dict"),
    ],
)
def test_a_damaged_table_of_ids_is_refused(changes, message):
    content = opened("marian").content()
    Tokenizer.from_json(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_json(json.dumps({**content, **changes}))


def test_offsets_are_those_of_the_whole_text():
    tokenizer, text = opened("marian"), ">>de<< the cat"
    ids, offsets = tokenizer.encode_with_offsets(text)
    np.testing.assert_array_equal(ids, tokenizer.encode(text))
    assert offsets[0].tolist() == [0, 6]
    assert offsets[-1].tolist() == [0, 0]
    assert text[offsets[-2][0] : offsets[-2][1]].strip() in "the cat"


def test_a_table_of_another_file_takes_no_tokens():
    tokenizer = opened("marian")
    assert isinstance(tokenizer, MappedTokenizer)
    with pytest.raises(ValueError, match="`tokens` cannot be added"):
        tokenizer.with_tokens(["<|user|>"])
    with pytest.raises(TypeError, match="`text` must be a str"):
        tokenizer.encode(3)
    with pytest.raises(TypeError, match="`ids` must be ints"):
        tokenizer.decode([0.5])


def test_special_tokens_of_two_tables_must_have_one_id(tmp_path):
    folder = shutil.copytree(FILES / "marian_apart", tmp_path / "folder")
    table = json.loads((folder / "target_vocab.json").read_text())
    table["</s>"] = 500
    (folder / "target_vocab.json").write_text(json.dumps(table))
    with pytest.raises(PresetError, match="one id in all files"):
        read_tokenizer(folder, FAMILIES["marian"])


def test_ids_beyond_the_table_are_refused():
    size = opened("marian").vocabulary_size
    read_tokenizer(FILES / "marian", FAMILIES["marian"], size)
    with pytest.raises(PresetError, match="ids must be below"):
        read_tokenizer(FILES / "marian", FAMILIES["marian"], size - 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("m2m100", dict(language_codes="ml50"), "`language_codes` must be one of"),
        ("m2m100", dict(src_lang="xx"), "must be one of"),
        ("pegasus", dict(offset=-1), "`offset` must be an int"),
        ("mbart", dict(src_lang="xx_XX"), "`source` must be a language"),
        ("marian", dict(separate_vocabs=1), "`separate_vocabs` must be a bool"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(name, options, message, tmp_path):
    folder = shutil.copytree(FILES / name, tmp_path / "folder")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **options}))
    with pytest.raises(PresetError, match=message):
        read_tokenizer(folder, FAMILIES[FAMILY_OF[name]])
