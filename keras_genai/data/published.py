"""Tokenizers of published checkpoints, from tokenizer.json or their own old files.

Each builder returns a `tokenizers.Tokenizer`; `with_roles` makes a `Tokenizer` of it.
`options` is always the dict of tokenizer_config.json, and may be empty.
"""

import json
import re
import warnings

import tokenizers as core_library
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from keras_genai.data.charsmap import check_charsmap
from keras_genai.data.sentencepiece import read_model
from keras_genai.data.tokenizer import USUAL_NAMES, Tokenizer
from keras_genai.data.tokenizer_options import (
    follow,
    listed_tokens,
    prefix_scheme,
    special_texts,
    tidied,
    token_text,
)
from keras_genai.data.vetting import (
    LARGEST_FILE,
    LARGEST_GROWTH,
    LARGEST_VOCABULARY,
    check_model,
    guarded,
    read_core,
)
from keras_genai.files.finding import find_file
from keras_genai.files.plain import parse_json
from keras_genai.files.text import lines, read_bytes, read_text

# The keys of tokenizer_config.json for each of our roles, the first that is there.
_OPTION_NAMES = {
    "pad_token": ("pad_token",),
    "start_token": ("bos_token", "cls_token"),
    "end_token": ("eos_token", "sep_token"),
    "unknown_token": ("unk_token",),
}
WORD_END = "</w>"
_BERT = dict(unk="[UNK]", cls="[CLS]", sep="[SEP]", pad="[PAD]", mask="[MASK]")
# Words of letters, single digits, and signs; endings of English verbs apart.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def from_file(path, options=None, size=None):
    """The `Tokenizer` of a published tokenizer.json.

    Args:
        path: path of the file.
        options: dict or `None`.
        size: int or `None`, the rows of the model's token table.

    Returns:
        `Tokenizer`, with neither truncation nor padding, whatever the file asks for.

    Raises:
        ValueError: if the file is not a tokenizer, or not one for so many tokens.
    """
    text = read_text(path, LARGEST_FILE)
    with guarded(f"{path} is not a tokenizer"):
        content = _fitting(parse_json(text), size)
        core = read_core(follow(content, options or {}))
    return with_roles(core, options, size)


def with_roles(core, options=None, size=None):
    """A `Tokenizer` that knows its special tokens.

    Args:
        core: `tokenizers.Tokenizer`.
        options: dict or `None`. Tokens it does not name get their usual names.
        size: int or `None`, the rows of the model's token table.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: if a token would get another id than the options say, or if the
            vocabulary is larger than the model's table.
    """
    options = options or {}
    _add_listed(core, listed_tokens(options), size)
    _add_stated(core, special_texts(options), size)
    if size is not None and core.get_vocab_size() > size:
        raise ValueError(
            f"the tokenizer must have at most {size} tokens, as many as the model's "
            f"table. Received: {core.get_vocab_size()}"
        )
    roles = {}
    for role, keys in _OPTION_NAMES.items():
        named = [token_text(options.get(key)) for key in keys]
        names = [*named, *USUAL_NAMES[role]]
        known = (n for n in names if n is not None and core.token_to_id(n) is not None)
        roles[role] = next(known, None)
    special_in_text = not options.get("split_special_tokens")
    tokenizer = Tokenizer(core, **roles, special_in_text=special_in_text)
    if size is not None and tokenizer.vocabulary_size > size:
        raise ValueError(
            f"the tokenizer's ids must be below {size}, the size of the model's table. "
            f"Received: {tokenizer.vocabulary_size - 1}"
        )
    return tokenizer


def describe(core):
    """Options that only encoders' tokenizers need, as far as `core` is one.

    Args:
        core: `tokenizers.Tokenizer`.

    Returns:
        Dict for tokenizer_config.json, perhaps empty.
    """
    usual = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    if core.token_to_id("[MASK]") is None and core.token_to_id("<mask>") is not None:
        usual = {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
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


def byte_level_bpe(
    folder, special=(), add_prefix_space=False, size=None, words=None, options=None
):
    """GPT-2's tokenizer, from vocab.json and merges.txt, or one that cuts otherwise.

    Args:
        folder: path with both files.
        special: texts of the special tokens; `frame` puts them around texts.
        add_prefix_space: bool. If `True`, a text begins with a space, as Blenderbot's.
        size: int or `None`, the rows of the model's token table. Special tokens that
            the vocabulary lacks are added as long as there is room.
        words: str or `None` (GPT-2's), the expression whose matches are cut into
            pieces, of texts in Unicode's composed form.
        options: dict or `None`. Tokens that it lists have their ids before `special`.

    Returns:
        `tokenizers.Tokenizer`, or `None` if a file is missing.

    Reference: Radford et al. 2019, section 2.2
    """
    files = find_file(folder, "vocab.json"), find_file(folder, "merges.txt")
    if None in files:
        return None
    vocabulary, merges = (read_text(path, LARGEST_FILE) for path in files)
    with guarded(f"{files[0]} and merges.txt are no vocabulary"):
        vocabulary = parse_json(vocabulary)
        check_model({"vocab": vocabulary})
        merges = [line for line in lines(merges) if not line.startswith("#version")]
        pairs = [tuple(line.split(" ")) for line in merges if line.strip()]
        core = core_library.Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space, use_regex=words is None
    )
    if words is not None:
        core.normalizer = normalizers.NFC()
        apart = pre_tokenizers.Split(core_library.Regex(words), behavior="isolated")
        core.pre_tokenizer = pre_tokenizers.Sequence([apart, core.pre_tokenizer])
    core.decoder = decoders.ByteLevel()
    _add_listed(core, listed_tokens(options or {}), size)
    add_special(core, special, size)
    return core


def word_ending_bpe(folder, start, end, size=None):
    """CLIP's tokenizer, from vocab.json and merges.txt: small letters, bytes, `</w>`.

    Args:
        folder: path with both files.
        start, end: str, the tokens around a text; the latter stands for what the
            vocabulary lacks.
        size: int or `None`, as in `byte_level_bpe`.

    Returns:
        `tokenizers.Tokenizer`, or `None` if a file is missing.

    Reference: Radford et al. 2021, section 2.4, https://arxiv.org/abs/2103.00020
    """
    core = byte_level_bpe(folder, (start, end), size=size)
    if core is None:
        return None
    content = json.loads(core.to_str())
    content["model"] |= {
        "continuing_subword_prefix": "",
        "end_of_word_suffix": WORD_END,
        "unk_token": end,
    }
    core = read_core(content)
    core.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(core_library.Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    apart = core_library.Regex("|".join([re.escape(start), re.escape(end), _WORDS]))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(apart, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    frame(core, f"{start} $A {end}", f"{start} $A {end} {end} $B {end}")
    return core


def end_words(core):
    """Makes blanks of the word ends in what CLIP's tokenizer decodes, in place.

    Its files leave them in, and the class that reads them takes them out.

    Args:
        core: `tokenizers.Tokenizer`.
    """
    if getattr(core.model, "end_of_word_suffix", None) == WORD_END:
        core.decoder = decoders.Sequence(
            [
                decoders.ByteLevel(),
                decoders.Replace(WORD_END, " "),
                decoders.Strip(" ", 0, 1),
            ]
        )


def wordpiece(folder, options=None, size=None, usual=_BERT):
    """BERT's tokenizer, from vocab.txt: cased or not, one token a Chinese character.

    Args:
        folder: path with the file.
        options: dict or `None`. `do_lower_case`, `strip_accents`,
            `tokenize_chinese_chars` and the special tokens count.
        size: int or `None`, as in `byte_level_bpe`.
        usual: dict, what the special tokens are called if the options do not say.

    Returns:
        `tokenizers.Tokenizer` that frames texts with `[CLS]` and `[SEP]`, or `None` if
        there is no vocab.txt.

    Reference: Devlin et al. 2019, section 3, https://arxiv.org/abs/1810.04805
    """
    path, options = find_file(folder, "vocab.txt"), options or {}
    if path is None:
        return None
    tokens = lines(read_text(path, LARGEST_FILE))
    if len(tokens) > LARGEST_VOCABULARY:
        raise ValueError(f"{path} must have at most {LARGEST_VOCABULARY:,} lines")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    special = named(options, usual)
    lacking = [special[role] for role in ("unk", "cls", "sep")]
    lacking = [token for token in lacking if token not in vocabulary]
    if lacking and size is not None and len(vocabulary) + len(lacking) > size:
        raise ValueError(f"{path} must have the tokens {lacking}")
    core = core_library.Tokenizer(
        models.WordPiece(vocabulary, unk_token=special["unk"])
    )
    core.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=options.get("tokenize_chinese_chars") is not False,
        strip_accents=options.get("strip_accents"),
        lowercase=options.get("do_lower_case") is not False,
    )
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(prefix="##")
    add_special(core, special.values(), size)
    single = f"{special['cls']}:0 $A:0 {special['sep']}:0"
    frame(core, single, f"{single} $B:1 {special['sep']}:1")
    return without_gaps(core, options)


def unigram(folder, options=None, size=None):
    """T5's tokenizer, from spiece.model, without the sentencepiece package.

    Args:
        folder: path with the file.
        options: dict or `None`. `extra_ids`, 100 by itself, is how many
            `<extra_id_...>` follow the vocabulary, the last one first; `legacy` and
            `add_prefix_space` say where a blank is put before a text.
        size: int or `None`, as in `byte_level_bpe`.

    Returns:
        `tokenizers.Tokenizer` that ends texts with `</s>`, or `None` if there is no
        spiece.model.

    Raises:
        ValueError: if the file is damaged or its model is not a unigram model.

    Reference: Raffel et al. 2020, section 2.2, https://arxiv.org/abs/1910.10683
    """
    path, options = find_file(folder, "spiece.model"), options or {}
    if path is None:
        return None
    found = read_model(read_bytes(path, LARGEST_FILE))
    count = 100 if options.get("extra_ids") is None else options["extra_ids"]
    extra = [f"<extra_id_{index}>" for index in reversed(range(count))]
    pieces = [*found.pieces, *((token, 0.0) for token in extra)]
    with guarded(f"{path} is not a vocabulary"):
        check_model({"type": "Unigram", "vocab": pieces, "unk_id": found.unknown})
        if check_charsmap(found.charsmap) > LARGEST_GROWTH:
            raise ValueError("its normalisation makes too much of a character")
        core = core_library.Tokenizer(
            models.Unigram(
                pieces, unk_id=found.unknown, byte_fallback=found.byte_fallback
            )
        )
        read_blanks(core, found, prefix_scheme(options))
    add_special(core, [*found.special, pieces[found.unknown][0], *extra], size)
    frame(core, "$A </s>", "$A </s> $B </s>")
    return without_gaps(core, options)


def read_blanks(core, model, scheme, first=()):
    """How a SentencePiece model sees the blanks of a text.

    Several are one, and those at its end none. With `"always"` each word begins with
    one, also behind a special token.

    Args:
        core: `tokenizers.Tokenizer`, changed in place.
        model: `keras_genai.data.sentencepiece.Model`.
        scheme: str, see `keras_genai.data.tokenizer_options.prefix_scheme`.
        first: sequence of normalizers that come before the model's own.
    """
    space = dict(replacement="\u2581", prepend_scheme=scheme, split=True)
    before = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    before = [*first, *before]
    if scheme == "always":
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**space)]
        )
    else:
        core.pre_tokenizer = pre_tokenizers.Metaspace(**space)
        before += [
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(core_library.Regex(" {2,}"), "\u2581"),
        ]
    if before:
        core.normalizer = normalizers.Sequence(before)
    core.decoder = decoders.Metaspace(**space)
    if model.byte_fallback:
        core.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(**space)]
        )


def without_gaps(core, options):
    """`core`, but texts that have no blanks before signs if the options ask for it."""
    content = json.loads(core.to_str())
    changed = tidied(content, options)
    return core if changed is content else read_core(changed)


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


def add_mask(core, size=None, token="<mask>"):
    """Adds `<mask>`, which takes the space before it along, if there is room."""
    add_special(core, [token], size, {token: {"lstrip": True}})


def for_encoder(tokenizer, mask_token="[MASK]"):
    """Makes a WordPiece tokenizer of ours one for encoders, in place.

    Args:
        tokenizer: `Tokenizer` with a start and an end token.
        mask_token: str. Added if it is not there.

    Returns:
        A `Tokenizer` that frames texts and pairs, and has the mask token.
    """
    core = tokenizer.core
    add_special(core, [mask_token], None)
    start = core.id_to_token(tokenizer.start_token)
    end = core.id_to_token(tokenizer.end_token)
    single = f"{start}:0 $A:0 {end}:0"
    frame(core, single, f"{single} $B:1 {end}:1")
    return tokenizer


def named(options, usual):
    """What the special tokens of a folder are called.

    Args:
        options: dict of tokenizer_config.json.
        usual: dict from `"cls"`, `"mask"` and so on to the name if it says none.

    Returns:
        dict with the same keys.
    """
    return {
        role: token_text(options.get(f"{role}_token"), name)
        for role, name in usual.items()
    }


def add_special(core, tokens, size, flags=None):
    """Makes tokens special: they are found in a text as they are, and not decoded.

    Those that the vocabulary lacks are added while `size` has room for them.

    Args:
        core: `tokenizers.Tokenizer`, changed in place.
        tokens: iterable of str; `None` is left out.
        size: int or `None`, the rows of the model's token table.
        flags: dict of str to what `tokenizers.AddedToken` takes, such as `lstrip`.
    """
    room = LARGEST_VOCABULARY if size is None else size
    room -= core.get_vocab_size()
    chosen = []
    for text in dict.fromkeys(token for token in tokens if token):
        is_new = core.token_to_id(text) is None
        room -= is_new
        if is_new and room < 0:
            continue
        given = {"normalized": False, **(flags or {}).get(text, {}), "special": True}
        chosen.append(core_library.AddedToken(text, **given))
    core.add_special_tokens(chosen)


def _add_stated(core, stated, size):
    """Special tokens of the options, unless the tokenizer knows them as such."""
    present = {t.content for t in core.get_added_tokens_decoder().values() if t.special}
    flags = {text: _flags(given) for text, given in stated.items()}
    add_special(core, [t for t in stated if t not in present], size, flags)


def _add_listed(core, listed, size):
    """Tokens of the options that the vocabulary lacks, at exactly their ids."""
    present = core.get_added_tokens_decoder()
    new = {index: token for index, token in listed.items() if index not in present}
    if size is not None:
        _warn_of_left_out([text for index, (text, _) in new.items() if index >= size])
        new = {index: token for index, token in new.items() if index < size}
    # At once, because each call takes time in proportion to all tokens.
    core.add_tokens(
        [
            core_library.AddedToken(new[index][0], **_flags(new[index][1]))
            for index in sorted(new)
        ]
    )
    for index, (text, _) in new.items():
        if core.token_to_id(text) != index:
            raise ValueError(
                f"the added token {text!r:.40} must have the id {index}. Received: "
                f"{core.token_to_id(text)}, after the tokens before it"
            )


def _flags(given):
    return {flag: bool(given[flag]) for flag in _FLAGS if flag in given}


def _fitting(content, size):
    """A tokenizer.json without the added tokens that the model has no row for."""
    added = content.get("added_tokens") or []
    left_out = {token["content"] for token in added if size and token["id"] >= size}
    if not left_out or left_out & content["model"]["vocab"].keys():
        return content
    _warn_of_left_out(sorted(left_out))
    kept = [token for token in added if token["content"] not in left_out]
    return {**content, "added_tokens": kept}


def _warn_of_left_out(texts):
    # Nobody reads these two: padding is masked, and only a `MaskedLM` fills gaps.
    texts = [
        text for text in texts if text.strip("<>[]").lower() not in ("pad", "mask")
    ]
    if texts:
        warnings.warn(
            "tokens that the model's table has no row for are left out: "
            f"{[text[:40] for text in texts[:8]]}",
            stacklevel=2,
        )
