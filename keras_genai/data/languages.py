"""Language codes: which of them translators have, and how they stand around texts.

mBART puts the code behind a text, mBART-50, NLLB and M2M-100 in front of it. The other
language is the first token that the model writes.
"""

import json
import re

import tokenizers as core_library

from keras_genai.data import published
from keras_genai.data.mapped_tokenizer import MappedTokenizer
from keras_genai.data.tokenizer import Tokenizer

# In the order of their ids.
MBART = (
    *("ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN"),
    *("hi_IN", "it_IT", "ja_XX", "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP"),
    *("nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN", "zh_CN"),
)
MBART_50 = (
    *MBART,
    *("af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH"),
    *("mk_MK", "ml_IN", "mn_MN", "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE"),
    *("ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK", "xh_ZA", "gl_ES", "sl_SI"),
)
M2M100 = (
    *("af", "am", "ar", "ast", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "ceb"),
    *("cs", "cy", "da", "de", "el", "en", "es", "et", "fa", "ff", "fi", "fr", "fy"),
    *("ga", "gd", "gl", "gu", "ha", "he", "hi", "hr", "ht", "hu", "hy", "id", "ig"),
    *("ilo", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "lb", "lg", "ln"),
    *("lo", "lt", "lv", "mg", "mk", "ml", "mn", "mr", "ms", "my", "ne", "nl", "no"),
    *("ns", "oc", "or", "pa", "pl", "ps", "pt", "ro", "ru", "sd", "si", "sk", "sl"),
    *("so", "sq", "sr", "ss", "su", "sv", "sw", "ta", "th", "tl", "tn", "tr", "uk"),
    *("ur", "uz", "vi", "wo", "xh", "yi", "yo", "zh", "zu"),
)
WMT21 = ("en", "ha", "is", "ja", "cs", "ru", "zh", "de")
_CODE = r"[a-z]{2,3}_[A-Z]\w{1,3}"  # as in en_XX and eng_Latn
CODES = {"m2m100": M2M100, "wmt21": WMT21}


def code_token(language):
    """What M2M-100 calls a language in its texts."""
    return f"__{language}__"


def between(tokenizer, source=None, target=None):
    """A tokenizer that says which language is read, and which is written.

    Args:
        tokenizer: `Tokenizer` of a translator whose texts have a language code.
        source: str or `None` (as it is), the code of the language that is read, as
            `"en_XX"`.
        target: str or `None` (as it is), that of the other.

    Returns:
        `Tokenizer`, whose `written` frames what is written.

    Raises:
        ValueError: if there is no such language, or its texts have no code.
    """
    for name, language in (("source", source), ("target", target)):
        if language is not None:
            language_id(tokenizer, language, name)
    if isinstance(tokenizer, MappedTokenizer):
        return _mapped_between(tokenizer, source, target)
    behind, end = is_behind(tokenizer), tokenizer.core.id_to_token(tokenizer.end_token)
    core, written = tokenizer.core, None
    if tokenizer.written is not tokenizer:
        written = tokenizer.written
    if source is not None:
        core = _framed(core, f"$A {end} {source}" if behind else f"{source} $A {end}")
    if target is not None:
        # A model that reads its code behind a text begins with it.
        single = f"$A {end}" if behind else f"{target} $A {end}"
        written = tokenizer.with_core(_framed(core, single))
    return tokenizer.with_core(core, written)


def language_id(tokenizer, language, name="language"):
    """int: the token of a language.

    Args:
        tokenizer: `Tokenizer`.
        language: str, a code as the tokenizer has it, or `"en"` of `"__en__"`.
        name: str, of the argument.

    Raises:
        ValueError: if there is none.
    """
    is_text = isinstance(language, str)
    if isinstance(tokenizer, MappedTokenizer):
        found = tokenizer.vocabulary.get(code_token(language))
    else:
        found = tokenizer.special_tokens.get(language) if is_text else None
    if found is None:
        raise ValueError(
            f"`{name}` must be a language of the tokenizer. Received: {language!r:.40}"
        )
    return found


def language_of(tokenizer, token):
    """The code of the language that a token is, or `None`.

    Args:
        tokenizer: `Tokenizer`.
        token: int or `None`.
    """
    if isinstance(tokenizer, MappedTokenizer):
        texts = {index: text for text, index in tokenizer.vocabulary.items()}
        found = re.fullmatch("__(.+)__", texts.get(token, ""))
        return found.group(1) if found else None
    texts = {index: text for text, index in tokenizer.special_tokens.items()}
    found = texts.get(token, "")
    return found if re.fullmatch(_CODE, found) else None


def stated(tokenizer):
    """dict of `src_lang` and `tgt_lang`: the codes around the texts of both sides.

    Args:
        tokenizer: `Tokenizer`. One without languages has none.
    """
    sides = {"src_lang": tokenizer}
    if tokenizer.written is not tokenizer:
        sides["tgt_lang"] = tokenizer.written
    found = {key: _code_around(side) for key, side in sides.items()}
    return {key: code for key, code in found.items() if code}


def _code_around(tokenizer):
    frame = json.loads(tokenizer.core.to_str())["post_processor"] or {}
    words = re.findall(rf"'id': '({_CODE})'", str(frame.get("single")))
    return words[0] if words else None


def has_codes(tokenizer):
    """Whether there is a language code around texts."""
    try:
        is_behind(tokenizer)
    except ValueError:
        return False
    return True


def is_behind(tokenizer):
    """Whether the code stands behind a text, as in mBART; or in front of it.

    Raises:
        ValueError: if texts have no code.
    """
    if isinstance(tokenizer, MappedTokenizer):
        if not tokenizer.front:
            raise ValueError(f"`tokenizer` must have languages. Received: {tokenizer}")
        return False
    frame = json.loads(tokenizer.core.to_str())["post_processor"] or {}
    single = frame.get("single") or []
    if len(single) != 3 or _code_around(tokenizer) is None:
        raise ValueError(
            "`tokenizer` must put a language code and an end around texts. "
            f"Received: {str(frame)[:80]}"
        )
    return "Sequence" in single[0]


def _mapped_between(tokenizer, source, target):
    content = tokenizer.content()
    written = {"front": tokenizer.written.front}
    if source is not None:
        content["front"] = [code_token(source)]
    if target is not None:
        written["front"] = [code_token(target)]
    return Tokenizer.from_json(json.dumps({**content, "written": written}))


def _framed(core, single):
    """A copy of a `tokenizers.Tokenizer` that frames texts otherwise."""
    core = core_library.Tokenizer.from_str(core.to_str())
    published.frame(core, single, single.replace("$A", "$A $B"))
    return core
