"""Vocabulary files of translators and of Pegasus: SentencePiece models and their ids.

Each builder takes what `keras_genai.data.published.wordpiece` takes, and returns a
`Tokenizer`, or `None` if a file is missing. A text is cut as SentencePiece itself cuts
it, blanks included.
"""

import dataclasses
import re

from keras_genai.data import languages, published
from keras_genai.data.mapped_tokenizer import MappedTokenizer
from keras_genai.data.published_sentencepiece import core_of
from keras_genai.data.sentencepiece import BPE, UNIGRAM, read_model
from keras_genai.data.tokenizer_options import special_texts, token_text
from keras_genai.data.vetting import LARGEST_FILE, check_model, guarded
from keras_genai.files.finding import find_file
from keras_genai.files.plain import parse_json
from keras_genai.files.text import read_bytes, read_text

_FAIRSEQ = dict(cls="<s>", pad="<pad>", eos="</s>", unk="<unk>", mask="<mask>")
_MARIAN = dict(eos="</s>", unk="<unk>", pad="<pad>")
_PEGASUS = dict(pad="<pad>", eos="</s>", unk="<unk>", mask="<mask_2>")
_NOT_ITS_OWN = 3  # pieces that fairseq replaces: unknown, start and end


def marian(folder, options=None, size=None):
    """Marian's tokenizer: source.spm cuts what is read, target.spm what is written.

    Both have their ids from vocab.json, unless `separate_vocabs` says that those of
    target.spm are in target_vocab.json. A language in front of a text, `>>de<<`, is one
    token.

    Reference: Junczys-Dowmunt et al. 2018, https://arxiv.org/abs/1804.00344
    """
    options = options or {}
    names = ["source.spm", "target.spm", "vocab.json"]
    if options.get("separate_vocabs"):
        names.append("target_vocab.json")
    paths = [find_file(folder, name) for name in names]
    if None in paths:
        return None
    special = published.named(options, _MARIAN)
    tables = [_ids(path) for path in paths[2:]]
    for name in special.values():
        if len({table.get(name) for table in tables}) > 1:
            raise ValueError(f"the token {name!r:.40} must have one id in all files")

    def side(path, table, written=None):
        model = _read(path)
        tokens = [*special.values(), *special_texts(options)]
        core = core_of(_without_special(model), path, "always")
        published.add_special(core, [t for t in tokens if t in table], None)
        return _mapped(
            core,
            table,
            special,
            options,
            back=(special["eos"],),
            codes=True,
            written=written,
        )

    written = side(paths[1], tables[-1])
    return side(paths[0], tables[0], written)


def m2m100(folder, options=None, size=None):
    """M2M-100's tokenizer, from sentencepiece.bpe.model and vocab.json; or NLLB's.

    Languages of the former are no part of its files: `language_codes` of the options
    says which follow, those of `"m2m100"` or of `"wmt21"`.

    Reference: Fan et al. 2020, https://arxiv.org/abs/2010.11125; NLLB Team 2022,
        https://arxiv.org/abs/2207.04672
    """
    options = options or {}
    if str(options.get("tokenizer_class")).removesuffix("Fast") == "NllbTokenizer":
        return nllb(folder, options, size)
    names = ("sentencepiece.bpe.model", "vocab.json")
    paths = [find_file(folder, name) for name in names]
    if None in paths:
        return None
    known = languages.CODES.get(options.get("language_codes") or "m2m100")
    if known is None:
        raise ValueError(
            f"`language_codes` must be one of {', '.join(languages.CODES)}. "
            f"Received: {str(options['language_codes'])[:40]!r}"
        )
    special = published.named(options, _FAIRSEQ)
    special.pop("mask")
    table = _ids(paths[1])
    first = len(table)
    codes = {languages.code_token(code): first + n for n, code in enumerate(known)}
    table = {**table, **codes}
    core = core_of(_without_special(_read(paths[0])), paths[0], "always")
    stated = [*special.values(), *special_texts(options)]
    published.add_special(core, [t for t in stated if t in table], None)
    source, target = (options.get(f"{side}_lang") for side in ("src", "tgt"))
    end = (special["eos"],)

    def side(language, written=None):
        front = languages.code_token(language)
        if front not in codes:
            raise ValueError(f"the language {language!r:.20} must be one of {known}")
        return _mapped(
            core, table, special, options, front=(front,), back=end, written=written
        )

    return side(source or "en", side(target) if target else None)


def nllb(folder, options=None, size=None):
    """NLLB's tokenizer, from sentencepiece.bpe.model; the options list its languages.

    Reference: NLLB Team 2022, https://arxiv.org/abs/2207.04672
    """
    options = options or {}
    special = published.named(options, _FAIRSEQ)
    stated = [t for t in special_texts(options) if re.fullmatch(r"\w{3}_\w{4}", t)]
    behind = bool(options.get("legacy_behaviour"))
    return _fairseq(folder, options, size, special, stated, behind, "eng_Latn")


def mbart(folder, options=None, size=None):
    """mBART's tokenizer and that of mBART-50, from sentencepiece.bpe.model.

    After its pieces come the languages; a text that is read has its own behind it, or,
    of mBART-50, in front.

    Reference: Liu et al. 2020, https://arxiv.org/abs/2001.08210; Tang et al. 2020,
        https://arxiv.org/abs/2008.00401
    """
    options = options or {}
    special = published.named(options, _FAIRSEQ)
    name = str(options.get("tokenizer_class")).removesuffix("Fast")
    is_50 = name == "MBart50Tokenizer"
    known = languages.MBART_50 if is_50 else languages.MBART
    return _fairseq(folder, options, size, special, known, not is_50, "en_XX")


def pegasus(folder, options=None, size=None):
    """Pegasus' tokenizer, from spiece.model.

    `offset` tokens of its own come before the pieces: masks, and such as were only used
    to train it.

    Reference: Zhang et al. 2020, section 4, https://arxiv.org/abs/1912.08777
    """
    path, options = find_file(folder, "spiece.model"), options or {}
    if path is None:
        return None
    special = published.named(options, _PEGASUS)
    offset = options.get("offset", 103)
    if type(offset) is not int or not 0 <= offset <= 2**16:
        raise ValueError(f"`offset` must be an int from 0 to 65536. Received: {offset}")
    masks = []
    if "mask_token_sent" not in options or options["mask_token_sent"] is not None:
        sentence = token_text(options.get("mask_token_sent"), "<mask_1>")
        masks = [sentence, special["mask"]]
    unused = [f"<unk_{index}>" for index in range(2, offset)]
    model = _read(path)
    own = [special["pad"], special["eos"], *masks, *unused]
    first = [(text, 0.0) for text in own[: 2 + len(masks)]]
    first += [(text, -100.0) for text in unused]
    model = _renumbered(model, first, 2)
    core = core_of(model, path, "always")
    published.add_special(core, [*own, model.pieces[model.unknown][0]], size)
    end = special["eos"]
    published.frame(core, f"$A {end}", f"$A $B {end}")
    return published.with_roles(published.without_gaps(core, options), options, size)


def _fairseq(folder, options, size, special, codes, behind, usual):
    """A tokenizer with fairseq's four tokens, the pieces, languages and a mask."""
    path = find_file(folder, "sentencepiece.bpe.model")
    if path is None:
        return None
    model = _read(path)
    first = [(special[role], 0.0) for role in ("cls", "pad", "eos", "unk")]
    last = [(text, 0.0) for text in (*codes, special["mask"])]
    model = _renumbered(model, first, _NOT_ITS_OWN, last, unknown=3)
    core = core_of(model, path, "always")
    published.add_special(core, [*(text for text, _ in first), *codes], size)
    published.add_mask(core, size, special["mask"])
    end = special["eos"]
    single = f"$A {end} {usual}" if behind else f"{usual} $A {end}"
    published.frame(core, single, single.replace("$A", "$A $B"))
    core = published.without_gaps(core, options)
    tokenizer = published.with_roles(core, options, size)
    chosen = [options.get(f"{side}_lang") for side in ("src", "tgt")]
    return languages.between(tokenizer, *chosen) if any(chosen) else tokenizer


def _read(path):
    return read_model(read_bytes(path, LARGEST_FILE), (UNIGRAM, BPE))


def _renumbered(model, first, start, last=(), unknown=None):
    """A model with other pieces in front of those from `start` on, and behind them."""
    shift = len(first) - start
    return dataclasses.replace(
        model,
        pieces=[*first, *model.pieces[start:], *last],
        normal=[index + shift for index in model.normal if index >= start],
        unknown=model.unknown + shift if unknown is None else unknown,
    )


def _ids(path):
    """The dict of a vocab.json."""
    with guarded(f"{path} is not a vocabulary"):
        table = parse_json(read_text(path, LARGEST_FILE))
        check_model({"vocab": table})
    return table


def _without_special(model):
    """A model without what it does not look for in a text."""
    whole = {*model.whole}
    texts = [text for text, _ in model.pieces]
    user = [index for index, text in enumerate(texts) if text in whole]
    kept = sorted({*model.normal, *user, model.unknown})
    places = {index: place for place, index in enumerate(kept)}
    return dataclasses.replace(
        model,
        pieces=[model.pieces[index] for index in kept],
        normal=[places[index] for index in model.normal],
        unknown=places[model.unknown],
    )


def _mapped(core, table, special, options, **more):
    return MappedTokenizer(
        core,
        table,
        pad_token=special["pad"],
        end_token=special["eos"],
        unknown_token=special["unk"],
        special_in_text=not options.get("split_special_tokens"),
        tidies=bool(options.get("clean_up_tokenization_spaces")),
        **more,
    )
