"""Tokenizers of published checkpoints, from tokenizer.json or their own old files.

Each builder returns a `tokenizers.Tokenizer`; `with_roles` makes a `Tokenizer` of it.
`options` is always the dict of tokenizer_config.json, and may be empty.
"""

import json
import pathlib
import re

import tokenizers as core_library
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from keras_genai.data.sentencepiece import read_model
from keras_genai.data.tokenizers import USUAL_NAMES, Tokenizer

# The keys of tokenizer_config.json for each of our roles, the first that is there.
_OPTION_NAMES = {
    "pad_token": ("pad_token",),
    "start_token": ("bos_token", "cls_token"),
    "end_token": ("eos_token", "sep_token"),
    "unknown_token": ("unk_token",),
}
_SPECIAL_OPTIONS = (
    *("bos_token", "eos_token", "unk_token", "sep_token"),
    *("pad_token", "cls_token", "mask_token"),
)
LARGEST_FILE = 64 * 2**20  # bytes


def from_file(path, options=None):
    """The `Tokenizer` of a published tokenizer.json.

    Args:
        path: path of the file.
        options: dict or `None`.

    Returns:
        `Tokenizer`, with neither truncation nor padding, whatever the file asks for.

    Raises:
        ValueError: if the file is not a tokenizer.
    """
    text = _read_text(pathlib.Path(path))
    try:
        core = core_library.Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception
        raise ValueError(f"{path} is not a tokenizer ({error})") from None
    return with_roles(core, options)


def with_roles(core, options=None):
    """A `Tokenizer` that knows its special tokens.

    Args:
        core: `tokenizers.Tokenizer`.
        options: dict or `None`. Tokens it does not name get their usual names.

    Returns:
        `Tokenizer`.
    """
    core.no_truncation()
    core.no_padding()
    _add_listed_tokens(core, options or {})
    roles = {}
    for role, keys in _OPTION_NAMES.items():
        named = [token_text((options or {}).get(key)) for key in keys]
        names = [*named, *USUAL_NAMES[role]]
        known = (n for n in names if n is not None and core.token_to_id(n) is not None)
        roles[role] = next(known, None)
    return Tokenizer(core, **roles)


def token_text(value, default=None):
    """The text of a special token in an options file: a str, or a dict's content."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else default


def describe(core):
    """Options that only BERT-like tokenizers need, as far as `core` is one.

    Args:
        core: `tokenizers.Tokenizer`.

    Returns:
        Dict for tokenizer_config.json, perhaps empty.
    """
    usual = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    options = {
        key: token
        for key, token in usual.items()
        if core.token_to_id(token) is not None
    }
    normalizer = json.loads(core.to_str())["normalizer"] or {}
    if normalizer.get("type") == "BertNormalizer":
        options["do_lower_case"] = normalizer["lowercase"]
        options["strip_accents"] = normalizer["strip_accents"]
        options["tokenize_chinese_chars"] = normalizer["handle_chinese_chars"]
    return options


def byte_level_bpe(folder, special=(), add_prefix_space=False):
    """GPT-2's tokenizer, from vocab.json and merges.txt.

    Args:
        folder: path with both files.
        special: texts of the special tokens; `frame` puts them around texts.
        add_prefix_space: bool. If `True`, a text begins with a space, as Blenderbot's.

    Returns:
        `tokenizers.Tokenizer`, or `None` if a file is missing.

    Reference: Radford et al. 2019, section 2.2
    """
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    if not (vocabulary.is_file() and merges.is_file()):
        return None
    for path in (vocabulary, merges):
        _check_size(path)
    model = models.BPE.from_file(
        str(vocabulary),
        str(merges),
        continuing_subword_prefix="",
        end_of_word_suffix="",
        fuse_unk=False,
    )
    core = core_library.Tokenizer(model)
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    core.decoder = decoders.ByteLevel()
    _add_special(core, special)
    return core


def wordpiece(folder, options=None):
    """BERT's tokenizer, from vocab.txt: cased or not, one token a Chinese character.

    Args:
        folder: path with the file.
        options: dict or `None`. `do_lower_case`, `strip_accents`,
            `tokenize_chinese_chars` and the special tokens count.

    Returns:
        `tokenizers.Tokenizer` that frames texts with `[CLS]` and `[SEP]`, or `None` if
        there is no vocab.txt.

    Reference: Devlin et al. 2019, section 3, https://arxiv.org/abs/1810.04805
    """
    path, options = folder / "vocab.txt", options or {}
    if not path.is_file():
        return None
    lines = _read_text(path).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    vocabulary = {token: index for index, token in enumerate(lines)}
    usual = dict(unk="[UNK]", cls="[CLS]", sep="[SEP]", pad="[PAD]", mask="[MASK]")
    special = {
        role: token_text(options.get(f"{role}_token"), name)
        for role, name in usual.items()
    }
    core = core_library.Tokenizer(
        models.WordPiece(vocabulary, unk_token=special["unk"])
    )
    core.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(options.get("tokenize_chinese_chars", True)),
        strip_accents=options.get("strip_accents"),
        lowercase=bool(options.get("do_lower_case", True)),
    )
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(prefix="##")
    _add_special(core, special.values())
    single = f"{special['cls']}:0 $A:0 {special['sep']}:0"
    frame(core, single, f"{single} $B:1 {special['sep']}:1")
    return core


def unigram(folder, extra_tokens=100):
    """T5's tokenizer, from spiece.model, without the sentencepiece package.

    Args:
        folder: path with the file.
        extra_tokens: int. So many `<extra_id_...>` follow the vocabulary, the last
            one first.

    Returns:
        `tokenizers.Tokenizer` that ends texts with `</s>`, or `None` if there is no
        spiece.model.

    Raises:
        ValueError: if the file is damaged or its model is not a unigram model.

    Reference: Raffel et al. 2020, section 2.2, https://arxiv.org/abs/1910.10683
    """
    path = folder / "spiece.model"
    if not path.is_file():
        return None
    _check_size(path)
    found = read_model(path.read_bytes())
    extra = [f"<extra_id_{index}>" for index in reversed(range(extra_tokens))]
    pieces = [*found.pieces, *((token, 0.0) for token in extra)]
    core = core_library.Tokenizer(
        models.Unigram(pieces, unk_id=found.unknown, byte_fallback=False)
    )
    if found.charsmap:
        core.normalizer = normalizers.Precompiled(found.charsmap)
    space = dict(replacement="\u2581", prepend_scheme="always", split=True)
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**space)]
    )
    core.decoder = decoders.Metaspace(**space)
    _add_special(core, [*found.special, pieces[found.unknown][0], *extra])
    frame(core, "$A </s>", "$A </s> $B </s>")
    return core


def frame(core, single, pair):
    """Puts special tokens around the texts that `core` encodes.

    Args:
        core: `tokenizers.Tokenizer` that knows the tokens.
        single: str, for instance `"<s> $A </s>"`; see `processors.TemplateProcessing`.
        pair: str, the same for two texts, `$A` and `$B`.
    """
    words = (re.sub(r":[01]$", "", word) for word in f"{single} {pair}".split())
    names = set(words) - {"$A", "$B"}
    core.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(name, core.token_to_id(name)) for name in sorted(names)],
    )


def for_encoder(tokenizer, mask_token="[MASK]"):
    """Makes a WordPiece tokenizer of ours one for encoders, in place.

    Args:
        tokenizer: `Tokenizer` with a start and an end token.
        mask_token: str. Added if it is not there.

    Returns:
        A `Tokenizer` that frames texts and pairs, and has the mask token.
    """
    core = tokenizer.core
    _add_special(core, [mask_token])
    start = core.id_to_token(tokenizer.start_token)
    end = core.id_to_token(tokenizer.end_token)
    single = f"{start}:0 $A:0 {end}:0"
    frame(core, single, f"{single} $B:1 {end}:1")
    return tokenizer


def _add_special(core, tokens):
    """Makes tokens special: they are found in a text as they are, and not decoded."""
    unique = dict.fromkeys(token for token in tokens if token)
    core.add_special_tokens(
        [core_library.AddedToken(t, normalized=False, special=True) for t in unique]
    )


def _add_listed_tokens(core, options):
    """Tokens of tokenizer_config.json that the vocabulary file lacks, by their ids."""
    listed = options.get("added_tokens_decoder")
    if not isinstance(listed, dict):
        return
    present = core.get_added_tokens_decoder()
    for key in sorted((k for k in listed if str(k).isdecimal()), key=int):
        entry = listed[key]
        if int(key) in present or token_text(entry) is None:
            continue
        flags = ("lstrip", "rstrip", "single_word", "normalized", "special")
        given = {flag: bool(entry[flag]) for flag in flags if flag in entry}
        token = core_library.AddedToken(token_text(entry), **given)
        (core.add_special_tokens if token.special else core.add_tokens)([token])


def _read_text(path):
    _check_size(path)
    return path.read_text("utf-8")


def _check_size(path):
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path} is larger than {LARGEST_FILE} bytes")
