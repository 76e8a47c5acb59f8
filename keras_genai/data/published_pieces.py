"""Vocabulary files of encoders that call their tokens in another way than BERT.

Each builder returns a `tokenizers.Tokenizer`, or `None` if its file is missing; for the
arguments see `keras_genai.data.published.wordpiece`.
"""

import dataclasses

import tokenizers as core_library
from tokenizers import models, normalizers

from keras_genai.data import published
from keras_genai.data.charsmap import check_charsmap
from keras_genai.data.sentencepiece import read_model
from keras_genai.data.tokenizer_options import prefix_scheme
from keras_genai.data.vetting import (
    LARGEST_FILE,
    LARGEST_GROWTH,
    check_model,
    guarded,
)
from keras_genai.files.finding import find_file
from keras_genai.files.text import read_bytes

_ROBERTA = dict(cls="<s>", pad="<pad>", sep="</s>", unk="<unk>", mask="<mask>")
_ALBERT = dict(cls="[CLS]", pad="<pad>", sep="[SEP]", unk="<unk>", mask="[MASK]")
_NOT_ITS_OWN = 3  # pieces that fairseq replaces: unknown, start and end


def roberta_bpe(folder, options=None, size=None):
    """RoBERTa's tokenizer: GPT-2's, between `<s>` and `</s>`.

    Reference: Liu et al. 2019, section 4.4, https://arxiv.org/abs/1907.11692
    """
    options = options or {}
    names = published.named(options, _ROBERTA)
    core = published.byte_level_bpe(
        folder,
        [names[role] for role in ("cls", "pad", "sep", "unk")],
        add_prefix_space=bool(options.get("add_prefix_space")),
        size=size,
    )
    return core and _framed(core, names, size)


def roberta_unigram(folder, options=None, size=None):
    """XLM-RoBERTa's tokenizer, from sentencepiece.bpe.model, which is a unigram model.

    Its first three pieces are left out for fairseq's four tokens.

    Reference: Conneau et al. 2020, section 3, https://arxiv.org/abs/1911.02116
    """
    names = published.named(options or {}, _ROBERTA)
    model, path = _read(folder, "sentencepiece.bpe.model")
    if model is None:
        return None
    first = [(names[role], 0.0) for role in ("cls", "pad", "sep", "unk")]
    pieces = [*first, *model.pieces[_NOT_ITS_OWN:]]
    model = dataclasses.replace(model, pieces=pieces, unknown=3, byte_fallback=False)
    core = _unigram(model, path, options)
    published.add_special(core, [name for name, _ in first], size)
    return published.without_gaps(_framed(core, names, size), options or {})


def camembert_unigram(folder, options=None, size=None):
    """CamemBERT's tokenizer, from sentencepiece.bpe.model, which is a unigram model.

    Five tokens stand before all but the first of its pieces; texts are between those
    that it calls `<s>` and `</s>` itself.

    Reference: Martin et al. 2020, section 4.1, https://arxiv.org/abs/1911.03894
    """
    names = published.named(options or {}, _ROBERTA)
    model, path = _read(folder, "sentencepiece.bpe.model")
    if model is None:
        return None
    idle = [f"{token}NOTUSED" for token in ("<s>", "</s>", "<unk>")]
    first = [idle[0], names["pad"], idle[1], names["unk"]]
    pieces = [*((token, 0.0) for token in first), (idle[2], -100.0), *model.pieces[1:]]
    model = dataclasses.replace(model, pieces=pieces, unknown=3, byte_fallback=False)
    core = _unigram(model, path, options)
    special = [names["cls"], names["sep"], *first, idle[2]]
    published.add_special(core, special, size)
    return published.without_gaps(_framed(core, names, size), options or {})


def mpnet_wordpiece(folder, options=None, size=None):
    """MPNet's tokenizer: BERT's, between `<s>` and `</s>`.

    Reference: Song et al. 2020, section 3.1, https://arxiv.org/abs/2004.09297
    """
    options = options or {}
    usual = {**_ROBERTA, "unk": "[UNK]"}
    core = published.wordpiece(folder, options, size, usual)
    return core and _framed(core, published.named(options, usual), size)


def albert_unigram(folder, options=None, size=None):
    """ALBERT's tokenizer, from spiece.model: small letters without accents.

    `do_lower_case` and `keep_accents` of the options count.

    Reference: Lan et al. 2020, section 4.1, https://arxiv.org/abs/1909.11942
    """
    options = options or {}
    model, path = _read(folder, "spiece.model")
    if model is None:
        return None
    first = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not options.get("keep_accents"):
        first += [normalizers.NFKD(), normalizers.StripAccents()]
    if options.get("do_lower_case") is not False:
        first.append(normalizers.Lowercase())
    core = _unigram(model, path, options, first)
    names = published.named(options, _ALBERT)
    published.add_special(core, [*model.special, *names.values()], size)
    single = f"{names['cls']}:0 $A:0 {names['sep']}:0"
    published.frame(core, single, f"{single} $B:1 {names['sep']}:1")
    return published.without_gaps(core, options)


def _read(folder, name):
    """A SentencePiece model and its path, or two `None`."""
    path = find_file(folder, name)
    if path is None:
        return None, None
    return read_model(read_bytes(path, LARGEST_FILE)), path


def _unigram(model, path, options, first=()):
    """What a SentencePiece model makes of texts, without special tokens."""
    with guarded(f"{path} is not a vocabulary"):
        known = {"type": "Unigram", "vocab": model.pieces, "unk_id": model.unknown}
        check_model(known)
        if check_charsmap(model.charsmap) > LARGEST_GROWTH:
            raise ValueError("its normalisation makes too much of a character")
        core = core_library.Tokenizer(
            models.Unigram(model.pieces, unk_id=model.unknown, byte_fallback=False)
        )
        scheme = prefix_scheme(
            {"add_prefix_space": (options or {}).get("add_prefix_space")}
        )
        published.read_blanks(core, model, scheme, first)
    return core


def _framed(core, names, size):
    """`core` with a mask, between the tokens of fairseq."""
    published.add_mask(core, size, names["mask"])
    start, end = names["cls"], names["sep"]
    published.frame(core, f"{start} $A {end}", f"{start} $A {end} {end} $B {end}")
    return core
