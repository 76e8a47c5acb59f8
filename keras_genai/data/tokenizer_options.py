"""tokenizer_config.json of a published folder: what becomes of each of its keys.

A key is honoured, or known to change nothing here, or warned of. None is read past.
"""

import warnings

# Read by the functions below, by the builders in `keras_genai.data.published`, or by
# the tasks.
HONOURED = {
    *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token"),
    *("mask_token", "additional_special_tokens", "extra_special_tokens"),
    *("added_tokens_decoder", "add_prefix_space", "split_special_tokens"),
    *("do_lower_case", "strip_accents", "tokenize_chinese_chars"),
    *("add_bos_token", "add_eos_token", "extra_ids", "legacy", "keep_accents"),
    *("clean_up_tokenization_spaces", "model_max_length", "tokenizer_class"),
    # Of translators: `keras_genai.data.published_translators`.
    *("src_lang", "tgt_lang", "separate_vocabs", "language_codes", "offset"),
    *("mask_token_sent", "legacy_behaviour"),
}
HARMLESS = {
    # Where the file came from.
    *("name_or_path", "special_tokens_map_file", "tokenizer_file", "vocab_file"),
    *("merges_file", "full_tokenizer_file", "processor_class", "auto_map"),
    *("tokenizer_type", "transformers_version", "_commit_hash", "cache_dir"),
    *("revision", "subfolder", "commit_hash", "from_slow", "use_fast", "backend"),
    "unk_id",
    *(
        "vocab_size",
        "is_local",
        "is_fast",
        "local_files_only",
        "trust_remote_code",
        "token",
    ),
    *("use_auth_token", "device_map", "torch_dtype", "dtype", "init_inputs"),
    # What a call does, if it is asked to pad or to cut; here, tasks do that.
    *("padding_side", "padding", "truncation", "max_length", "max_len", "stride"),
    *("truncation_strategy", "pad_to_multiple_of", "pad_token_type_id"),
    *("return_tensors", "return_token_type_ids", "return_attention_mask", "verbose"),
    # What only tokenizers written in Python look at.
    *(
        "remove_space",
        "trim_offsets",
        "spaces_between_special_tokens",
        "use_default_system_prompt",
    ),
    "remove_space",
    *("special_tokens", "never_split_special", "name", "lang"),
    # Which languages a translator was made for, and where its files were.
    *("source_lang", "target_lang", "source_spm", "target_spm", "vocab", "spm_file"),
    *("target_vocab_file", "num_madeup_words"),
    # How a conversation is written: read by `keras_genai.convert.chat`.
    "chat_template",
    "default_chat_template",
}
# Keys that matter at other values than these.
IDLE = {
    "truncation_side": (None, "right"),
    "errors": (None, "replace"),
    "do_basic_tokenize": (None, True),
    "never_split": (None, [], ()),
    "wordpieces_prefix": (None, "##"),
    "sp_model_kwargs": (None, {}),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "normalization": (None, False),
    "byte_fallback": (None, False),
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": (
        None,
        False,
    ),
}
_BOOLS = (
    *("add_prefix_space", "split_special_tokens", "do_lower_case", "legacy"),
    *("tokenize_chinese_chars", "add_bos_token", "add_eos_token", "strip_accents"),
    *("clean_up_tokenization_spaces", "keep_accents", "separate_vocabs"),
    "legacy_behaviour",
)
_SPECIAL = (
    *("bos_token", "eos_token", "unk_token", "sep_token"),
    *("pad_token", "cls_token", "mask_token"),
)
# What `clean_up_tokenization` of transformers does, in its order.
TIDY = (
    *((f" {sign}", sign) for sign in ".?!,"),
    (" ' ", "'"),
    *((f" {end}", end) for end in ("n't", "'m", "'s", "'ve", "'re")),
)


def check_options(options):
    """Refuses values of a wrong kind, and warns of what is not followed.

    Args:
        options: dict of tokenizer_config.json.

    Raises:
        ValueError: if a value that is followed is of a wrong kind.
    """
    for key in _BOOLS:
        if not isinstance(options.get(key), bool | None):
            raise ValueError(
                f"`{key}` must be a bool. Received: {str(options[key])[:40]}"
            )
    extra = options.get("extra_ids")
    if extra is not None and (type(extra) is not int or not 0 <= extra <= 2**16):
        raise ValueError(
            f"`extra_ids` must be an int from 0 to 65536. Received: {extra}"
        )
    inputs = options.get("model_input_names")
    unknown = [
        key
        for key, value in options.items()
        if key not in HONOURED | HARMLESS | {"model_input_names"}
        and not (key in IDLE and value in IDLE[key])
    ]
    if isinstance(inputs, list) and "input_ids" not in inputs:
        unknown.append("model_input_names")
    if unknown:
        warnings.warn(
            "options of the tokenizer that are not known here are left out: "
            f"{[key[:40] for key in unknown[:20]]}",
            stacklevel=2,
        )


def special_texts(options):
    """Dict of the special tokens that the options state: text to their flags."""
    stated = [options.get(key) for key in _SPECIAL]
    for key in ("additional_special_tokens", "extra_special_tokens"):
        more = options.get(key) or []
        stated += more.values() if isinstance(more, dict) else more
    return {
        text: token if isinstance(token, dict) else {}
        for token in stated
        if (text := token_text(token))
    }


def token_text(value, default=None):
    """The text of a special token in an options file: a str, or a dict's content."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else default


def listed_tokens(options):
    """Dict of id to (text, flags) of `added_tokens_decoder`."""
    listed = options.get("added_tokens_decoder")
    if not isinstance(listed, dict):
        return {}
    found = {}
    for key, entry in listed.items():
        text = token_text(entry)
        if str(key).isascii() and str(key).isdecimal() and text:
            found[int(key)] = (text, entry if isinstance(entry, dict) else {})
    return found


def prefix_scheme(options):
    """Where SentencePiece puts a blank: before a text, each part of it, or nowhere."""
    if options.get("add_prefix_space") is False:
        return "never"
    return "first" if options.get("legacy") is False else "always"


def follow(content, options):
    """A tokenizer.json with the options that overrule it.

    Args:
        content: dict.
        options: dict of tokenizer_config.json. Only what it states counts.

    Returns:
        dict.
    """
    content = dict(content)
    stated = {key: value for key, value in options.items() if value is not None}
    space = stated.get("add_prefix_space")
    if space is not None:
        scheme = prefix_scheme(stated)
        rules = {
            "ByteLevel": {"add_prefix_space": space},
            "Metaspace": {"add_prefix_space": space, "prepend_scheme": scheme},
        }
        content["pre_tokenizer"] = _changed(content.get("pre_tokenizer"), rules)
        rules.pop("ByteLevel")
        content["decoder"] = _changed(content.get("decoder"), rules)
    names = {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    }
    rules = {name: stated[key] for key, name in names.items() if key in stated}
    content["normalizer"] = _changed(
        content.get("normalizer"), {"BertNormalizer": rules}
    )
    return tidied(content, stated)


def tidied(content, options):
    """A tokenizer.json whose texts have no blanks before signs, if that is asked for.

    transformers 5 leaves texts of byte-pair encodings alone, whatever the options say,
    because their blanks are part of the text.
    """
    wanted = options.get("clean_up_tokenization_spaces")
    if not wanted or content["model"].get("type") == "BPE":
        return content
    steps = [
        {"type": "Replace", "pattern": {"String": before}, "content": after}
        for before, after in TIDY
    ]
    first = [] if content.get("decoder") is None else [content["decoder"]]
    decoders = [*first, {"type": "Fuse"}, *steps]
    return {**content, "decoder": {"type": "Sequence", "decoders": decoders}}


def _changed(part, rules):
    """A step of a tokenizer.json with other values in parts of some types."""
    if not isinstance(part, dict):
        return part
    part = dict(part)
    for name in ("normalizers", "pretokenizers", "decoders"):
        if isinstance(part.get(name), list):
            part[name] = [_changed(one, rules) for one in part[name]]
    changes = rules.get(part.get("type"), {})
    # Not a key that the file does not have: its version may not know it.
    return {**part, **{key: changes[key] for key in changes.keys() & part.keys()}}
