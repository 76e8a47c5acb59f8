"""Tokenizer files of published checkpoints, and masks for masked models."""

import json
import pathlib
import struct

import numpy as np
import pytest

from keras_genai.data import masking, published, tokenizers
from keras_genai.data.sentencepiece import read_model

FILES = pathlib.Path(__file__).parent.parent / "parity/files/encoder/tokenizers"


def field(number, kind, value):
    """One field of a protocol-buffers message."""
    body = value if kind != 2 else bytes([len(value)]) + value
    return bytes([number << 3 | kind]) + body


def piece(text, score, kind=1):
    content = field(1, 2, text.encode()) + field(2, 5, struct.pack("<f", score))
    return field(1, 2, content + field(3, 0, bytes([kind])))


GOOD = piece("<unk>", 0, 2) + piece("</s>", 0, 3) + piece("\u2581hi", -1.5)


def test_a_sentencepiece_file_is_read_by_hand():
    model = read_model(GOOD + field(2, 2, field(3, 0, b"\x01")))
    assert model.pieces == [("<unk>", 0.0), ("</s>", 0.0), ("\u2581hi", -1.5)]
    assert model.unknown == 0
    assert model.special == ["</s>"]
    assert model.charsmap == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD[:10],
        piece("only", -1.0),
        GOOD + b"\xff" * 12,
        GOOD + field(1, 0, b"\x05"),
        GOOD + field(1, 2, b""),
        GOOD + field(2, 2, field(3, 0, b"\x02")),  # byte-pair encoding
        GOOD + b"\x0b",
        b"\x80\x04\x95 a pickle.",
    ],
)
def test_damaged_sentencepiece_files_are_refused(data):
    with pytest.raises(ValueError, match=r".") as caught:
        read_model(data)
    assert "\n" not in str(caught.value)


def test_any_truncation_of_a_real_file_is_refused():
    data = (FILES / "t5/spiece.model").read_bytes()
    whole = read_model(data)
    for size in range(1, len(data), len(data) // 50):
        try:
            found = read_model(data[:size])
        except ValueError:
            continue
        # The cut fell between two pieces.
        assert found.pieces == whole.pieces[: len(found.pieces)]


def test_roles_come_from_the_options_or_have_their_usual_names():
    core = published.wordpiece(FILES / "bert_cased", {"do_lower_case": False})
    plain = published.with_roles(core)
    assert plain.core.id_to_token(plain.end_token) == "[SEP]"
    named = published.with_roles(core, {"eos_token": {"content": "[MASK]"}})
    assert named.core.id_to_token(named.end_token) == "[MASK]"


def test_tokens_of_the_options_get_their_ids():
    core = published.wordpiece(FILES / "bert_cased")
    size = core.get_vocab_size()
    entry = {"content": "<new>", "special": True, "normalized": False}
    speaks = published.with_roles(core, {"added_tokens_decoder": {str(size): entry}})
    assert speaks.encode("a<new>").tolist().count(size) == 1
    assert speaks.decode([size]) == ""


def test_a_folder_without_files_has_no_tokenizer(tmp_path):
    assert published.byte_level_bpe(tmp_path) is None
    assert published.wordpiece(tmp_path) is None
    assert published.unigram(tmp_path) is None


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(ValueError, match="is not a tokenizer"):
        published.from_file(tmp_path / "tokenizer.json")


def test_masks_follow_the_seed_and_the_published_shares():
    words = " ".join(f"w{index}" for index in range(60))
    speaks = published.for_encoder(tokenizers.wordpiece([words] * 3, 90))
    hide = masking.masker(speaks, rate=0.15)
    draw = np.random.default_rng(0)
    tokens = draw.integers(8, speaks.vocabulary_size, (200, 100)).astype("int32")
    tokens[:, 0] = speaks.start_token
    inputs, targets, weight = hide(tokens, np.array([3, 7], "int64"))
    again, _, _ = hide(tokens, np.array([3, 7], "int64"))
    other, _, _ = hide(tokens, np.array([3, 8], "int64"))
    np.testing.assert_array_equal(inputs["tokens"], again["tokens"])
    assert (inputs["tokens"] != other["tokens"]).numpy().any()
    inputs, places = inputs["tokens"].numpy(), inputs["places"].numpy()
    assert places.shape == targets.shape == weight.shape == (200, 23)
    np.testing.assert_array_equal(targets, np.take_along_axis(tokens, places, axis=1))
    guessed = np.zeros(tokens.shape, bool)
    np.put_along_axis(guessed, places, weight.numpy() > 0, axis=1)
    assert guessed.sum() == (weight.numpy() > 0).sum()
    mask = speaks.core.token_to_id("[MASK]")
    assert not guessed[:, 0].any()
    assert (inputs == tokens)[~guessed].all()
    assert guessed.mean() == pytest.approx(0.15, abs=0.01)
    assert (inputs[guessed] == mask).mean() == pytest.approx(0.8, abs=0.03)
    assert (inputs[guessed] == tokens[guessed]).mean() == pytest.approx(0.1, abs=0.03)
    assert weight.numpy().mean() == pytest.approx(1)


def test_masked_documentation_is_a_source():
    splits = masking.python_docs(4, length=16, tokenizer="wordpiece:300", stand_in=True)
    inputs, targets, weight = next(iter(splits.train.dataset(5)))
    assert inputs["tokens"].shape == (4, 16)
    assert inputs["places"].shape == targets.shape == weight.shape == (4, 4)
    later = next(iter(splits.train.dataset().skip(5)))
    np.testing.assert_array_equal(inputs["tokens"], later[0]["tokens"])
    assert (
        sum(1 for _ in splits.validation.epoch()) == splits.validation.steps_per_epoch
    )


def test_a_vocabulary_with_byte_pieces_spells_the_unknown_in_bytes(tmp_path):
    parts = [piece("<unk>", 0, 2), piece("</s>", 0, 3)]
    parts += [piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256)]
    parts += [piece(text, -1) for text in ("\u2581", "a")]
    trainer = bytes([35 << 3 & 127 | 128, 35 >> 4, 1])  # field 35, byte_fallback
    (tmp_path / "spiece.model").write_bytes(b"".join(parts) + field(2, 2, trainer))
    read = published.with_roles(published.unigram(tmp_path))
    ids = read.encode("a \u00e9").tolist()
    names = [read.core.id_to_token(index) for index in ids]
    assert names == ["\u2581", "a", "\u2581", "<0xC3>", "<0xA9>", "</s>"]
    assert read.decode(ids) == "a \u00e9"
