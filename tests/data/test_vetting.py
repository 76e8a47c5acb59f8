"""Tokenizer files from strangers are refused, or read; they never panic or explode."""

import base64
import json
import struct

import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.data.charsmap import check_charsmap
from keras_genai.data.tokenizers import Tokenizer
from keras_genai.data.vetting import check_expression

GOOD = tokenizers.bpe("hello world what is this " * 20, 270, end_token="</s>")


def changed(change):
    """A published tokenizer.json with something else in it."""
    content = json.loads(GOOD.core.to_str())
    change(content)
    return json.dumps(content)


def part(step, **content):
    return lambda d: d.update({step: content})


def vocabulary(**more):
    return lambda d: d["model"]["vocab"].update(more)


def template(**changes):
    single = [{"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 0}}]
    content = dict(single=single, pair=pair, special_tokens={})
    return part("post_processor", type="TemplateProcessing", **{**content, **changes})


def special(id_, ids=None):
    piece = {"SpecialToken": {"id": id_, "type_id": 0}}
    tokens = {} if ids is None else {id_: {"id": id_, "ids": ids, "tokens": [id_]}}
    return dict(
        single=[piece, {"Sequence": {"id": "A", "type_id": 0}}], special_tokens=tokens
    )


def precompiled(data):
    text = base64.b64encode(data).decode()
    return part("normalizer", type="Precompiled", precompiled_charsmap=text)


def replaced(times, text):
    return [{"type": "Replace", "pattern": {"String": "a"}, "content": text}] * times


def split(expression):
    pattern = {"Regex": expression}
    return part(
        "pre_tokenizer",
        type="Split",
        pattern=pattern,
        behavior="Isolated",
        invert=False,
    )


REFUSED = {
    "an id beyond all": vocabulary(x=3_000_000_000),
    "an id below 0": vocabulary(x=-1),
    "an id twice": vocabulary(x=0),
    "an id that is no int": vocabulary(x=1.5),
    "an added id beyond all": lambda d: d["added_tokens"][0].update(id=4294967295),
    "an empty added token": lambda d: d["added_tokens"][0].update(content=""),
    "no model": lambda d: d.update(model=None),
    "unknown parts": lambda d: d["model"].update(merges=[["zz", "qq"]]),
    "a frame of unknown tokens": template(**special("zzz")),
    "a frame of unknown ids": template(**special("z", [4294967295])),
    "a frame without the text": template(single=[]),
    "a frame of many texts": template(
        single=[{"Sequence": {"id": "A", "type_id": 0}}] * 9
    ),
    "growth": part("normalizer", type="Sequence", normalizers=replaced(9, "a" * 10)),
    "growth at once": part("normalizer", **replaced(1, "a" * 200)[0]),
    "growth when decoded": part(
        "decoder", type="Sequence", decoders=replaced(9, "a" * 10)
    ),
    "a long prefix": part("normalizer", type="Prepend", prepend="a" * 10**6),
    "an expression without end": split("(a+)+$"),
    "no expression": split("("),
    "no piece": part("pre_tokenizer", type="FixedLength", length=0),
    "a table of noise": precompiled(bytes(range(64))),
    "a table that is too short": precompiled(struct.pack("<I", 2**31) + b"x" * 40),
    "a table that leads out": precompiled(
        struct.pack("<I", 1024) + struct.pack("<I", 0x7FFFFFFF) * 256 + b"x\0"
    ),
    "scores": lambda d: d.update(
        model={"type": "Unigram", "unk_id": 0, "vocab": [["a", float("nan")]]}
    ),
    "no pieces": lambda d: d.update(
        model={"type": "Unigram", "unk_id": None, "vocab": []}
    ),
    "no such piece": lambda d: d.update(
        model={"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]}
    ),
    "no unknown": lambda d: d.update(
        model={"type": "WordLevel", "unk_token": "zzz", "vocab": {"a": 0}}
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ours", [True, False])
def test_what_could_explode_or_panic_is_refused(name, ours, capfd):
    text = changed(REFUSED[name])
    text = json.dumps({"tokenizer": json.loads(text)}) if ours else text
    with pytest.raises(ValueError, match="`text` must be the JSON") as caught:
        Tokenizer.from_json(text)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a": 1, "a": 2}', "", "null", "{}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match="`text` must be the JSON"):
        Tokenizer.from_json(text)


@pytest.mark.parametrize("role", [5, ["x"], {"a": 1}, "nowhere", "x" * 10**6])
def test_roles_are_tokens(role):
    content = {**json.loads(GOOD.to_json()), "pad_token": role}
    with pytest.raises(ValueError, match="`pad_token` must be") as caught:
        Tokenizer.from_json(json.dumps(content))
    assert len(str(caught.value)) < 400


def test_padding_truncation_and_draws_of_a_file_are_left_out():
    def change(content):
        content["padding"] = {
            "strategy": {"Fixed": 10**8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "x",
        }
        content["truncation"] = {
            "direction": "Right",
            "max_length": 3,
            "strategy": "LongestFirst",
            "stride": 0,
        }
        content["model"]["dropout"] = 0.9

    text = "hello what is this world"
    read = Tokenizer.from_json(changed(change))
    for _ in range(3):
        np.testing.assert_array_equal(read.encode(text), GOOD.encode(text))


def test_what_cannot_be_encoded_is_an_ordinary_error():
    model = {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0]]}
    read = Tokenizer.from_json(changed(lambda d: d.update(model=model, decoder=None)))
    for call in (lambda: read.encode("b"), lambda: read.encode_batch(["b"])):
        with pytest.raises(ValueError, match="cannot be read by this tokenizer"):
            call()


@pytest.mark.parametrize(
    "expression",
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}]?[\p{Lu}\p{M}]*[\p{Ll}]+(?i:'s|'t|'re)?",
        " {2,}",
        r" ?[^(\s|[.,!?])]+",
    ],
)
def test_expressions_of_real_files_are_fine(expression):
    check_expression(expression)


@pytest.mark.parametrize(
    "expression",
    ["(a+)+$", "(a|aa)+$", "(?:a*)*b", "((a?)b?){2,}c", r"(a)\1+", r"(?<x>a)\k<x>"],
)
def test_expressions_that_may_take_for_ever_are_not(expression):
    with pytest.raises(ValueError, match="may take for ever"):
        check_expression(expression)


def test_a_real_charsmap_is_fine_and_one_changed_step_is_not():
    units = np.zeros(512, "<u4")
    units[0] = 256 << 10  # to the block of 256
    units[256 ^ ord("a")] = ord("a") | 1 << 8 | (ord("a") ^ 1) << 10
    units[256 ^ ord("a") ^ ord("a") ^ 1] = 1 << 31
    texts = b"bb\0"
    data = struct.pack("<I", units.nbytes) + units.tobytes() + texts
    assert check_charsmap(data) == 2
    assert check_charsmap(b"") == 1
    units[0] = 512 << 10
    with pytest.raises(ValueError, match="a step"):
        check_charsmap(struct.pack("<I", units.nbytes) + units.tobytes() + texts)
