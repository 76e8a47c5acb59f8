"""A tokenizer as llama.cpp reads it: symbols, byte pairs, or pieces of words."""

import json

from keras_genai.data.alphabet import byte_characters
from keras_genai.export.comparing import ExportError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5  # kinds of tokens
# What texts are cut into before pairs are merged, by llama.cpp's names.
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {
    f"{_LETTERS}\\p{{N}}{{1,3}}{_REST}": "llama-bpe",
    f"{_LETTERS}\\p{{N}}{_REST}": "qwen2",
}
BLANK = "\u2581"  # before what begins a word


def write_tokenizer(writer, tokenizer, rows):
    """Says how texts become tokens.

    Args:
        writer: `gguf.GGUFWriter`.
        tokenizer: `Tokenizer`.
        rows: int, of the model's token table.

    Returns:
        list of str: what is not as here.

    Raises:
        ExportError: if llama.cpp has no such tokenizer.
    """
    content = json.loads(tokenizer.core.to_str())
    kind = content["model"]["type"]
    if kind == "BPE" and not content["model"]["merges"] and _is_plain(content):
        write = _symbols
    elif kind == "BPE" and content["decoder"] and _is_bytes(content):
        write = _byte_pairs
    elif kind == "WordPiece":
        write = _word_pieces
    else:
        raise ExportError(
            "`tokenizer` must be of characters, bytes, byte-level BPE or WordPiece for "
            f"GGUF. Received: {kind}"
        )
    texts = [f"[UNUSED{index}]" for index in range(rows)]
    kinds = [UNUSED] * rows
    for text, index in tokenizer.core.get_vocab(with_added_tokens=True).items():
        texts[index], kinds[index] = text, NORMAL
    for index, token in tokenizer.core.get_added_tokens_decoder().items():
        kinds[index] = CONTROL if token.special else USER_DEFINED
    if tokenizer.unknown_token is not None:
        kinds[tokenizer.unknown_token] = UNKNOWN
    notes = write(writer, tokenizer, content, texts, kinds)
    writer.add_token_types(kinds)
    _roles(writer, tokenizer)
    return notes


def _roles(writer, tokenizer):
    for role, add in (
        ("start_token", writer.add_bos_token_id),
        ("end_token", writer.add_eos_token_id),
        ("unknown_token", writer.add_unk_token_id),
        ("pad_token", writer.add_pad_token_id),
    ):
        token = getattr(tokenizer, role)
        if token is not None:
            add(token)


def _is_plain(content):
    """Whether each symbol, a character or a byte, is a token."""
    before = content["pre_tokenizer"]
    whole = before is None or (
        before["type"] == "ByteLevel" and not before["use_regex"]
    )
    return whole and content["normalizer"] is None and content["post_processor"] is None


def _symbols(writer, tokenizer, content, texts, kinds):
    # The longest token that fits is taken, which is the only one. This kind of
    # tokenizer alone has no end token where nobody says one.
    writer.add_tokenizer_model("rwkv")
    byte_of = {character: byte for byte, character in byte_characters()}
    by_byte = content["pre_tokenizer"] is not None
    writer.add_token_list(
        [
            _escaped(bytes([byte_of[text]]) if by_byte else text.encode("utf-8"))
            if kind in (NORMAL, USER_DEFINED)
            else text
            for text, kind in zip(texts, kinds, strict=True)
        ]
    )
    if by_byte or tokenizer.unknown_token is not None:
        return []
    # A text with another character would end the program.
    substitute = texts.index(" ") if " " in texts else 0
    writer.add_unk_token_id(substitute)
    return [
        f"characters that it does not know are {texts[substitute]!r} in llama.cpp, and "
        "refused here"
    ]


def _escaped(symbol):
    """Bytes as the tokens of RWKV are written."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}"
        for byte in symbol
    )


def _is_bytes(content):
    return _split_of(content["pre_tokenizer"]) is not None


def _split_of(before):
    """llama.cpp's name of what cuts texts, or `None`."""
    parts = [before]
    if before is not None and before["type"] == "Sequence":
        parts = before["pretokenizers"]
    kinds = [part["type"] for part in parts if part is not None]
    if kinds == ["ByteLevel"] and not parts[0]["add_prefix_space"]:
        return "gpt-2" if parts[0]["use_regex"] else None
    if kinds == ["Digits", "ByteLevel"] and parts[0]["individual_digits"]:
        return "smollm" if parts[1]["use_regex"] else None
    if kinds == ["Split", "ByteLevel"] and parts[0]["behavior"] == "Isolated":
        return SPLITS.get(parts[0]["pattern"].get("Regex"))
    return None


def _byte_pairs(writer, tokenizer, content, texts, kinds):
    normalizer = content["normalizer"]
    if normalizer is not None and normalizer.get("type") != "NFC":
        raise ExportError(
            "`tokenizer` must not change texts for GGUF. "
            f"Received: a {normalizer.get('type')} normalizer"
        )
    pairs = content["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_split_of(content["pre_tokenizer"]))
    writer.add_token_list(texts)
    writer.add_token_merges(
        [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
    )
    start = tokenizer.start_token
    framed = tokenizer.encode("a")
    writer.add_add_bos_token(start is not None and framed[0] == start)
    notes = []
    if normalizer is not None:
        notes.append(
            "texts must be in Unicode's form NFC: llama.cpp does not see to it"
        )
    if tokenizer.end_token is None:
        # It must be some token, and is number 11 where nobody says one.
        substitute = tokenizer.pad_token
        if substitute is None:
            substitute = tokenizer.unknown_token
        if substitute is None:
            substitute = len(texts) - 1
        writer.add_eos_token_id(substitute)
        notes.append(
            "the tokenizer has no end token; llama.cpp needs one, and ends a text at "
            f"token {substitute}, {texts[substitute]!r}"
        )
    return notes


def _word_pieces(writer, tokenizer, content, texts, kinds):
    normalizer = content["normalizer"] or {}
    if normalizer.get("type") != "BertNormalizer" or not normalizer.get("lowercase"):
        raise ExportError(
            "`tokenizer` must put texts in lower case for GGUF, as WordPiece does in "
            f"llama.cpp. Received: {normalizer.get('type')}, lowercase="
            f"{normalizer.get('lowercase')}"
        )
    prefix = content["model"]["continuing_subword_prefix"]

    def piece(text, kind):
        if kind != NORMAL:
            return text
        return text.removeprefix(prefix) if text.startswith(prefix) else BLANK + text

    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(2)
    pieces = [piece(*pair) for pair in zip(texts, kinds, strict=True)]
    writer.add_token_list(pieces)
    if tokenizer.end_token is not None:
        writer.add_sep_token_id(tokenizer.end_token)
    mask = tokenizer.core.token_to_id("[MASK]")
    if mask is not None:
        writer.add_mask_token_id(mask)
    if tokenizer.encode("a")[0] == tokenizer.start_token:
        return []
    return [
        "llama.cpp puts a start and an end around texts, as this tokenizer does not"
    ]
