"""A tokenizer's JSON from strangers, looked at before the library reads it.

The `tokenizers` library trusts its files: it takes as much memory as a number in them
says, tries an expression for ever, or panics, which prints a trace and is no
`Exception` in Python. So what can do that is refused here, and `guarded` turns what is
left into an ordinary error.
"""

import contextlib
import json
import math
import re

import tokenizers as core_library

from keras_genai.data.charsmap import check_charsmap

LARGEST_FILE = 32 * 2**20  # bytes
LARGEST_VOCABULARY = 2**22
LONGEST_TEXT = 256  # characters of what is put into a text, or is looked for in it
LARGEST_GROWTH = 64  # characters that one of a text may become
_MOST_PARTS = 64
_SEQUENCES = ("normalizers", "pretokenizers", "processors", "decoders")
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


@contextlib.contextmanager
def guarded(message):
    """Turns whatever the library raises inside into a `ValueError` of one line."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # a panic is no Exception
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise ValueError(f"{message} ({reason})") from None


def read_core(content):
    """The `tokenizers.Tokenizer` of a tokenizer.json.

    Args:
        content: dict, as `keras_genai.files.plain.parse_json` returns it.

    Returns:
        `tokenizers.Tokenizer` that neither truncates nor pads, and draws nothing.

    Raises:
        ValueError: if it is no tokenizer, or one that could take memory or time without
            end, or panic.
    """
    with guarded("it is not a tokenizer"):
        model = {**content["model"], **_without_draws(content["model"])}
        check_model(model)
        parts = {step: list(_leaves(content.get(step))) for step in _STEPS}
        for step, leaves in parts.items():
            _check_parts(step, leaves)
        content = {**content, "model": model, "truncation": None, "padding": None}
        _check_added(content.get("added_tokens") or [])
        core = core_library.Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
    _check_ids(core, parts["post_processor"])
    return core


def _without_draws(model):
    """Merges left out at random are for training."""
    return {"dropout": None} if "dropout" in model else {}


def check_model(model):
    """Refuses a vocabulary whose ids or scores are out of range.

    Args:
        model: dict, the `model` of a tokenizer.json.

    Raises:
        ValueError: if it is one of these.
    """
    vocabulary = model["vocab"]
    if model.get("type") == "Unigram":
        _check_scores(vocabulary, model.get("unk_id"))
        return
    ids = list(vocabulary.values())
    if any(type(index) is not int or index < 0 for index in ids):
        raise ValueError("an id must be an int >= 0")
    if len(set(ids)) != len(ids):
        raise ValueError("two tokens have one id")
    if max(ids, default=0) >= LARGEST_VOCABULARY:
        raise ValueError(
            f"an id must be below {LARGEST_VOCABULARY:,}. Received: {max(ids)}"
        )
    unknown = model.get("unk_token")
    if unknown is not None and unknown not in vocabulary:
        raise ValueError(f"`unk_token` must be in `vocab`. Received: {unknown!r:.40}")
    _check_texts(model, ("continuing_subword_prefix", "end_of_word_suffix"))
    if model.get("max_input_chars_per_word", 0) > 1000:
        raise ValueError("`max_input_chars_per_word` must be at most 1000")


def _check_scores(pieces, unknown):
    if not pieces or len(pieces) > LARGEST_VOCABULARY:
        raise ValueError(f"`vocab` must have from 1 to {LARGEST_VOCABULARY:,} pieces")
    if not all(math.isfinite(score) for _, score in pieces):
        raise ValueError("a score is not finite")
    if unknown is not None and not 0 <= unknown < len(pieces):
        raise ValueError(f"`unk_id` must be below {len(pieces)}. Received: {unknown}")


def _check_added(tokens):
    for token in tokens:
        if not token["content"]:
            raise ValueError("an added token is empty")
        if not 0 <= token["id"] < LARGEST_VOCABULARY:
            raise ValueError(
                f"an id must be below {LARGEST_VOCABULARY:,}. Received: {token['id']}"
            )


def _leaves(part, depth=0):
    """Yields the parts of a step, those of its sequences one by one."""
    if part is None:
        return
    if depth > 8:
        raise ValueError("sequences are nested too deeply")
    inner = [part[name] for name in _SEQUENCES if name in part]
    if not inner:
        yield part
    for each in inner:
        for one in each:
            yield from _leaves(one, depth + 1)


def _check_parts(step, leaves):
    if len(leaves) > _MOST_PARTS:
        raise ValueError(f"`{step}` must have at most {_MOST_PARTS} parts")
    growth = 1
    for part in leaves:
        _check_texts(part, [key for key in part if key != "precompiled_charsmap"])
        if part.get("type") == "FixedLength" and part["length"] < 1:
            raise ValueError("`length` must be at least 1")
        pattern = part.get("pattern")
        if isinstance(pattern, dict) and "Regex" in pattern:
            check_expression(pattern["Regex"])
        growth *= _growth(part, pattern)
    if growth > LARGEST_GROWTH:
        raise ValueError(
            f"`{step}` must make at most {LARGEST_GROWTH} characters of one. "
            f"Received: {growth:.0f}"
        )


def _growth(part, pattern):
    """How many characters this step may make of one."""
    if part.get("type") == "Precompiled":
        return check_charsmap(part["precompiled_charsmap"])
    if part.get("type") != "Replace":
        return 1
    sought = len(pattern["String"]) if "String" in pattern else 1
    return max(1, len(part["content"]) / max(sought, 1))


def _check_texts(part, keys):
    """Texts that are put into every text, or looked for everywhere, are short."""
    for key in keys:
        if isinstance(part.get(key), str) and len(part[key]) > LONGEST_TEXT:
            raise ValueError(f"`{key}` must have at most {LONGEST_TEXT} characters")


def _check_ids(core, processors):
    """What frames a text must be tokens of the vocabulary, each text once."""
    for part in processors:
        if part.get("type") in ("BertProcessing", "RobertaProcessing"):
            _check_known(core, [part["sep"][1], part["cls"][1]])
        if part.get("type") != "TemplateProcessing":
            continue
        with guarded("it has a damaged post-processor"):
            special = part["special_tokens"]
            for template, texts in (("single", ["A"]), ("pair", ["A", "B"])):
                pieces = part[template]
                found = [p["Sequence"]["id"] for p in pieces if "Sequence" in p]
                if sorted(found) != texts or len(pieces) > _MOST_PARTS:
                    raise ValueError(f"`{template}` must have each text once")
                for piece in pieces:
                    if "SpecialToken" in piece:
                        _check_known(core, special[piece["SpecialToken"]["id"]]["ids"])


def _check_known(core, ids):
    unknown = [index for index in ids if core.id_to_token(index) is None]
    if unknown or len(ids) > _MOST_PARTS:
        raise ValueError(f"the tokens around a text must exist. Received: {ids[:4]}")


def check_expression(pattern):
    """Refuses regular expressions that may take exponential time.

    Those are repetitions of a group that can itself match in several ways, and
    references to what was matched before.

    Args:
        pattern: str, in the syntax of Oniguruma.

    Raises:
        ValueError: if it is one of these, or very long.
    """
    if len(pattern) > 8 * LONGEST_TEXT or _repeats_choices(pattern):
        raise ValueError(f"the expression {pattern[:60]!r} may take for ever")


def _repeats_choices(pattern):
    varies = [False]  # for each open group: can it match one text in several ways
    last, before = False, ""  # `last`: the same for what a repetition would be of
    for sign in _signs(pattern):
        if re.fullmatch(r"\\[1-9kg]", sign) or (last and sign in "*+{"):
            return True
        if sign == "(":
            varies.append(False)
        elif sign == ")" and len(varies) > 1:
            last = varies.pop()
            varies[-1] |= last
        elif sign == "|":
            varies[-1], last = True, False
        elif sign in "*+{":
            varies[-1] = True
        elif sign == "?":
            varies[-1] |= before != "("
        else:
            last = False
        before = sign
    return False


def _signs(pattern):
    """Yields an expression's signs, escaped ones whole, `a` for those of a class."""
    depth = 0  # of classes within classes
    for sign in re.findall(r"\\.|.", pattern, re.DOTALL):
        if depth or sign == "[":
            depth += (sign == "[") - (sign == "]")
            sign = "a"
        yield sign
