"""Vocabulary files of Marian and M2M-100, written from the tokenizer that they gave."""

import base64
import json
import re

from keras_genai.convert.reading import write_object
from keras_genai.data import languages, sentencepiece
from keras_genai.files.writing import write_bytes

MARIAN, M2M100 = "MarianTokenizer", "M2M100Tokenizer"


def write(tokenizer, folder):
    """Writes the files that transformers reads such a tokenizer from.

    Args:
        tokenizer: `MappedTokenizer`.
        folder: path.

    Returns:
        dict, of what tokenizer_config.json is to say.
    """
    content = tokenizer.content()
    roles = {"pad_token": "pad_token", "eos_token": "end_token"}
    roles |= {"unk_token": "unknown_token"}
    options = {name: content[role] for name, role in roles.items() if content[role]}
    more = _write_marian if tokenizer.codes else _write_m2m100
    return {
        **options,
        **more(tokenizer, folder),
        "clean_up_tokenization_spaces": tokenizer.tidies,
        "split_special_tokens": not tokenizer.special_in_text,
    }


def _write_marian(tokenizer, folder):
    written = tokenizer.written
    separate = written.vocabulary != tokenizer.vocabulary
    _write_pieces(folder / "source.spm", tokenizer.core)
    _write_pieces(folder / "target.spm", written.core)
    write_object(folder / "vocab.json", tokenizer.vocabulary)
    if separate:
        write_object(folder / "target_vocab.json", written.vocabulary)
    return {"tokenizer_class": MARIAN, "separate_vocabs": separate}


def _write_m2m100(tokenizer, folder):
    codes = {
        key: [languages.code_token(code) for code in known]
        for key, known in languages.CODES.items()
    }
    key, known = next(
        pair for pair in codes.items() if {*pair[1]} <= tokenizer.vocabulary.keys()
    )
    own = {k: v for k, v in tokenizer.vocabulary.items() if k not in known}
    _write_pieces(folder / "sentencepiece.bpe.model", tokenizer.core)
    write_object(folder / "vocab.json", own)
    special = tokenizer.special_tokens
    return {
        "tokenizer_class": M2M100,
        "language_codes": key,
        "src_lang": tokenizer.front[0].strip("_"),
        "tgt_lang": tokenizer.written.front[0].strip("_"),
        "additional_special_tokens": [code for code in known if code in special],
    }


def _write_pieces(path, core):
    write_bytes(path, sentencepiece.write_model(_model(json.loads(core.to_str()))))


def _model(content):
    """The `sentencepiece.Model` that a tokenizer.json was made of."""
    own, is_bpe = content["model"], content["model"]["type"] == "BPE"
    pieces = [tuple(pair) for pair in own["vocab"]] if not is_bpe else _scored(own)
    texts = [text for text, _ in pieces]
    unknown = texts.index(own["unk_token"]) if is_bpe else own["unk_id"]
    parts = (content["pre_tokenizer"] or {}).get("pretokenizers", [])
    first = next((part for part in parts if part["type"] == "Metaspace"), {})
    splits = [part for part in parts if part["type"] == "Split"]
    pattern = splits[0]["pattern"]["Regex"] if splits else ""
    found = re.findall(r"(?:\\.|[^|\\])+", pattern, re.DOTALL)
    whole = [re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) for text in found]
    steps = content["normalizer"]["normalizers"]
    maps = [step.get("precompiled_charsmap") for step in steps]
    return sentencepiece.Model(
        pieces,
        unknown,
        [],
        base64.b64decode(next(filter(None, maps), "")),
        own["byte_fallback"],
        sentencepiece.BPE if is_bpe else sentencepiece.UNIGRAM,
        whole=whole,
        has_prefix=first.get("prepend_scheme") == "always",
        squeezes=any(step.get("pattern") == {"Regex": " {2,}"} for step in steps),
    )


def _scored(model):
    """Pieces by their ids, with scores by which they are joined in the same order."""
    order = dict.fromkeys("".join(pair) for pair in model["merges"])
    ranks = {text: -float(rank) for rank, text in enumerate(order)}
    lowest = -float(len(ranks))
    texts = sorted(model["vocab"], key=model["vocab"].get)
    return [(text, ranks.get(text, lowest)) for text in texts]
