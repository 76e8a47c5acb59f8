"""Decoders' tokenizers from tokenizer.model, SentencePiece's file, as it means itself.

Reference: Kudo & Richardson 2018, https://arxiv.org/abs/1808.06226; the code of
google/sentencepiece, `src/normalizer.cc` and `src/bpe_model.cc`
"""

import re

import tokenizers as core_library
from tokenizers import decoders, models, normalizers, pre_tokenizers

from keras_genai.data import published
from keras_genai.data.charsmap import check_charsmap
from keras_genai.data.sentencepiece import BPE, UNIGRAM, read_model
from keras_genai.data.tokenizer_options import prefix_scheme, token_text
from keras_genai.data.vetting import (
    LARGEST_FILE,
    LARGEST_GROWTH,
    LONGEST_TEXT,
    check_model,
    guarded,
)
from keras_genai.files.finding import find_file
from keras_genai.files.text import read_bytes

FILE = "tokenizer.model"
BLANK = "\u2581"
_MOST_WHOLE = 10_000  # pieces that are looked for in every text


def tokenizer_model(folder, options=None, size=None):
    """The tokenizer of Llama 2, Mistral, Phi-3 and Gemma without a tokenizer.json.

    What is in no piece is spelled in bytes where the file says so. With `legacy`, which
    is so unless the options say otherwise, a blank stands before each part of a text
    between special tokens, else before the text alone.

    Args:
        folder: path with the file.
        options: dict or `None`. `add_bos_token` (true by itself), `add_eos_token`,
            `add_prefix_space`, `legacy` and the special tokens count.
        size: int or `None`, the rows of the model's token table.

    Returns:
        `tokenizers.Tokenizer`, or `None` if there is no such file.

    Raises:
        ValueError: if the file is damaged, or means something that is not read here.
    """
    path, options = find_file(folder, FILE), options or {}
    if path is None:
        return None
    model = read_model(read_bytes(path, LARGEST_FILE), (BPE, UNIGRAM))
    core = core_of(model, path, prefix_scheme(options))
    published.add_special(core, [*model.special, model.pieces[model.unknown][0]], size)
    _frame(core, model, options, size)
    return published.without_gaps(core, options)


def core_of(model, path, scheme):
    """What cuts a text as SentencePiece does, without special tokens.

    Args:
        model: `keras_genai.data.sentencepiece.Model`.
        path: path, for messages.
        scheme: str, see `keras_genai.data.tokenizer_options.prefix_scheme`.

    Returns:
        `tokenizers.Tokenizer`.

    Raises:
        ValueError: if the model is none, or one that is not read here.
    """
    with guarded(f"{path} is not a vocabulary"):
        if check_charsmap(model.charsmap) > LARGEST_GROWTH:
            raise ValueError("its normalisation makes too much of a character")
        if len(model.whole) > _MOST_WHOLE or any(
            not 0 < len(piece) <= LONGEST_TEXT for piece in model.whole
        ):
            raise ValueError("it has too many pieces of a user, or too long ones")
        core = core_library.Tokenizer(_pieces(model))
        _read_blanks(core, model, scheme)
    return core


def _pieces(model):
    """The model of a `tokenizers.Tokenizer`."""
    unknown = model.pieces[model.unknown][0]
    if model.kind == UNIGRAM:
        check_model({"type": "Unigram", "vocab": model.pieces, "unk_id": model.unknown})
        return models.Unigram(
            model.pieces, unk_id=model.unknown, byte_fallback=model.byte_fallback
        )
    vocabulary = {text: index for index, (text, _) in enumerate(model.pieces)}
    if len(vocabulary) != len(model.pieces):
        raise ValueError("two pieces are the same")
    check_model({"vocab": vocabulary})
    return models.BPE(
        vocab=vocabulary,
        merges=_merges(model),
        unk_token=unknown,
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
        ignore_merges=bool(model.whole),
    )


def _merges(model):
    """Pairs of pieces that make another one, the best first.

    SentencePiece joins the two neighbours whose whole has the best score.
    """
    scores = {model.pieces[index][0]: model.pieces[index][1] for index in model.normal}
    found = [
        (-score, place, text[:cut], text[cut:])
        for place, (text, score) in enumerate(scores.items())
        for cut in range(1, len(text))
        if text[:cut] in scores and text[cut:] in scores
    ]
    return [(first, second) for *_, first, second in sorted(found)]


def _read_blanks(core, model, scheme):
    """How the file sees the blanks of a text, and what undoes it."""
    regex = core_library.Regex
    first = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.squeezes:
        first += [
            normalizers.Replace(regex(r"\A +| +\z"), ""),
            normalizers.Replace(regex(" {2,}"), " "),
        ]
    first.append(normalizers.Replace(" ", BLANK))
    if model.squeezes:  # also what was written as one
        first.append(normalizers.Replace(regex(rf"{BLANK}+\z"), ""))
    then, last = [], [decoders.Replace(BLANK, " ")]
    if model.byte_fallback:
        last.append(decoders.ByteFallback())
    has_prefix = model.has_prefix and scheme != "never"
    if has_prefix:
        if scheme == "always":  # the step after it sees that there is one already
            first.append(normalizers.Replace(regex(rf"\A{BLANK}"), 2 * BLANK))
        space = dict(replacement=BLANK, prepend_scheme=scheme, split=False)
        then.append(pre_tokenizers.Metaspace(**space))
    last.append(decoders.Fuse())
    if has_prefix:
        last.append(decoders.Strip(" ", 1, 0))
    if model.whole:
        longest = sorted(model.whole, key=len, reverse=True)
        either = regex("|".join(re.escape(piece) for piece in longest))
        then.append(pre_tokenizers.Split(either, "isolated"))
    core.normalizer = normalizers.Sequence(first)
    if then:
        core.pre_tokenizer = pre_tokenizers.Sequence(then)
    core.decoder = decoders.Sequence(last)


def _frame(core, model, options, size):
    """Puts a start and an end around texts, if the options ask for them."""
    start = token_text(options.get("bos_token"), model.start)
    end = token_text(options.get("eos_token"), model.end)
    start = start if options.get("add_bos_token") is not False else None
    end = end if options.get("add_eos_token") else None
    published.add_special(core, [start, end], size)
    start, end = (
        token if token and core.token_to_id(token) is not None else None
        for token in (start, end)
    )
    single, second = (
        " ".join(filter(None, [start, part, end])) for part in ("$A", "$B:1")
    )
    if start or end:
        published.frame(core, single, f"{single} {second}")
