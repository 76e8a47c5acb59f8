"""The tokenizer of a published folder: its files, and the options that go with them."""

import json

from keras_genai.convert import translator_files
from keras_genai.convert.reading import read_object
from keras_genai.data import languages, published
from keras_genai.data.mapped_tokenizer import MappedTokenizer
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.data.tokenizer_options import check_options, token_text
from keras_genai.files.finding import find_file
from keras_genai.files.writing import write_text
from keras_genai.tasks.presets import CONFIG, TOKENIZER, PresetError

TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS, ADDED_TOKENS = "special_tokens_map.json", "added_tokens.json"
# Vocabularies in formats that are not read here.
_OTHERS = (
    *("sentencepiece.bpe.model", "tokenizer.model", "spm.model", "vocab.bpe"),
    *("vocab.json", "vocab.txt", "merges.txt", "spiece.model", "encoder.json"),
    *("source.spm", "target.spm"),
)
# Classes of tokenizers whose vocabulary files are read as a family's own.
_CLASSES = {
    "bert": ("BertTokenizer",),
    "roberta": ("RobertaTokenizer",),
    "xlm-roberta": ("XLMRobertaTokenizer",),
    "camembert": ("CamembertTokenizer",),
    "distilbert": ("DistilBertTokenizer", "BertTokenizer"),
    "mpnet": ("MPNetTokenizer",),
    "electra": ("ElectraTokenizer", "BertTokenizer"),
    "albert": ("AlbertTokenizer",),
    "gpt2": ("GPT2Tokenizer",),
    "bart": ("BartTokenizer", "RobertaTokenizer"),
    "blenderbot": ("BlenderbotTokenizer",),
    "marian": ("MarianTokenizer",),
    "pegasus": ("PegasusTokenizer",),
    "mbart": ("MBartTokenizer", "MBart50Tokenizer"),
    "m2m_100": ("M2M100Tokenizer", "NllbTokenizer"),
    "t5": ("T5Tokenizer",),
    "whisper": ("WhisperTokenizer",),
    "clip": ("CLIPTokenizer",),
    "llama": ("LlamaTokenizer",),
    "mistral": ("LlamaTokenizer",),
    "qwen2": ("Qwen2Tokenizer",),
    "qwen3": ("Qwen2Tokenizer",),
    "phi3": ("LlamaTokenizer",),
    "gemma2": ("GemmaTokenizer",),
    "gemma3_text": ("GemmaTokenizer",),
}
_CODED = ("mbart", "m2m_100")  # texts have a language code
_ANY_CLASS = (None, "PreTrainedTokenizer", "TokenizersBackend")


def read_options(folder):
    """All that a folder says about its tokenizer, as one dict.

    Raises:
        PresetError: if a file is damaged.
    """
    options = {}
    for name in (SPECIAL_TOKENS, TOKENIZER_CONFIG):
        options.update(read_object(folder, name) or {})
    added = read_object(folder, ADDED_TOKENS) or {}
    if "added_tokens_decoder" not in options and added:
        options["added_tokens_decoder"] = _listed(added, options)
    return options


def read_tokenizer(folder, family, size=None, families=None):
    """The `Tokenizer` of a folder: tokenizer.json, else vocabulary files.

    Args:
        folder: path.
        family: `Family`, whose files they are unless the options say another class.
        size: int or `None`, the rows of the model's token table.
        families: dict of all families, or `None` (this one).

    Returns:
        `Tokenizer`, or `None` if there is none.

    Raises:
        PresetError: if a file is damaged, or is none for this model.
    """
    options = read_options(folder)
    if options.get("tokenizer_class") is None:  # where old folders say it
        stated = (read_object(folder, CONFIG) or {}).get("tokenizer_class")
        if str(stated).removesuffix("Fast") in _CLASSES.get(family.model_type, ()):
            options["tokenizer_class"] = stated
    try:
        check_options(options)
        path = find_file(folder, TOKENIZER)
        if path is not None:
            tokenizer = published.from_file(path, options, size)
            chosen = [options.get(f"{side}_lang") for side in ("src", "tgt")]
            if family.model_type in _CODED and any(chosen):
                tokenizer = languages.between(tokenizer, *chosen)
        else:
            tokenizer = _from_vocabulary(folder, family, options, size, families)
        if tokenizer is not None and family.model_type == "gpt2":
            _frame(tokenizer, options)
        if tokenizer is not None and family.model_type == "clip":
            published.end_words(tokenizer.core)
        return tokenizer
    except PresetError:
        raise
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise PresetError(f"{folder} has a damaged tokenizer: {reason}") from None


def write_tokenizer(tokenizer, folder, context):
    """Writes tokenizer.json, or the vocabulary files of a `MappedTokenizer`.

    Args:
        tokenizer: `Tokenizer`.
        folder: path.
        context: int or `None`.

    Returns:
        dict of tokenizer_config.json.
    """
    if isinstance(tokenizer, MappedTokenizer):
        options = translator_files.write(tokenizer, folder)
        return options if context is None else {**options, "model_max_length": context}
    write_text(folder / TOKENIZER, tokenizer.core.to_str(pretty=True))
    return write_options(tokenizer, context)


def write_options(tokenizer, context):
    """dict of tokenizer_config.json for a tokenizer.json that says all the rest.

    Args:
        tokenizer: `Tokenizer`.
        context: int or `None`.
    """
    core = tokenizer.core
    roles = {
        "pad_token": tokenizer.pad_token,
        "bos_token": tokenizer.start_token,
        "eos_token": tokenizer.end_token,
        "unk_token": tokenizer.unknown_token,
    }
    options = {
        role: core.id_to_token(token)
        for role, token in roles.items()
        if token is not None
    }
    options |= published.describe(core) | languages.stated(tokenizer)
    # The classes of the families build their tokenizer anew, from what they expect in
    # tokenizer.json; this one takes it as it is.
    options["tokenizer_class"] = "PreTrainedTokenizerFast"
    options["clean_up_tokenization_spaces"] = False
    if not tokenizer.special_in_text:
        options["split_special_tokens"] = True
    if context is not None:
        options["model_max_length"] = context
    return options


def _listed(added, options):
    """added_tokens.json as later releases write it, in `added_tokens_decoder`."""
    special = json.dumps([value for key, value in options.items() if "token" in key])
    return {
        str(index): {
            "content": text,
            "special": json.dumps(text) in special,
            "normalized": json.dumps(text) not in special,
        }
        for text, index in added.items()
    }


def _from_vocabulary(folder, family, options, size, families):
    reader = _reader(folder, family, options, families or {family.model_type: family})
    core = reader.tokenizer(folder, options, size)
    if isinstance(core, Tokenizer):
        if size is not None and core.vocabulary_size > size:
            raise ValueError(
                f"the tokenizer's ids must be below {size}, the size of the model's "
                f"table. Received: {core.vocabulary_size - 1}"
            )
        return core
    if core is not None:
        return published.with_roles(core, options, size)
    found = [name for name in _OTHERS if find_file(folder, name)]
    if found:
        raise PresetError(
            f"{folder} has {', '.join(found)} and no {TOKENIZER}: this kind of "
            f"tokenizer is not read for a {family.model_type}"
        )
    return None


def _reader(folder, family, options, families):
    """The family whose vocabulary files the options mean."""
    stated = options.get("tokenizer_class")
    name = stated.removesuffix("Fast") if isinstance(stated, str) else stated
    if name in _ANY_CLASS or name in _CLASSES.get(family.model_type, ()):
        return family
    for model_type, names in _CLASSES.items():
        if name in names and model_type in families:
            return families[model_type]
    raise PresetError(
        f"{folder}: `tokenizer_class` must be one whose files are read here, or there "
        f"must be a {TOKENIZER}. Received: {str(stated)[:60]}"
    )


def _frame(tokenizer, options):
    """Puts a start and an end around texts, if GPT-2's options ask for them."""
    start, end = (
        token_text(options.get(key), "<|endoftext|>") if options.get(wanted) else None
        for key, wanted in (
            ("bos_token", "add_bos_token"),
            ("eos_token", "add_eos_token"),
        )
    )
    if start or end:
        single, pair = (
            " ".join(filter(None, [start, part, end])) for part in ("$A", "$A $B")
        )
        published.frame(tokenizer.core, single, pair)
