"""Decode settings of a folder: generation_config.json, or config.json before it was."""

import warnings

import pydantic

from keras_genai.convert.mapping import Token
from keras_genai.tasks.seq2seq import GenerationSettings

# Settings that would change the text and that are not known here, with the values at
# which they change nothing. Those that only matter with `do_sample` are not listed.
_UNKNOWN = {
    "do_sample": (None, False),
    "stop_strings": (None, [], ""),
    "max_time": (None,),
    "remove_invalid_values": (None, False),
    "token_healing": (None, False),
    "watermarking_config": (None,),
    "dola_layers": (None,),
    "constraints": (None,),
    "force_words_ids": (None,),
    "forced_decoder_ids": (None,),
    "num_return_sequences": (None, 1),
    "num_beam_groups": (None, 1),
    "diversity_penalty": (None, 0.0),
    "penalty_alpha": (None,),
    "encoder_repetition_penalty": (None, 1.0),
    "exponential_decay_length_penalty": (None,),
    "sequence_bias": (None,),
    "guidance_scale": (None, 1, 1.0),
}
# Of what `read_generation` follows, the values at which it changes nothing.
_IDLE = {
    "num_beams": (None, 1),
    "length_penalty": (None, 1.0),
    "repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "bad_words_ids": (None, []),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "renormalize_logits": (None, False),
}
NEW_TOKENS = 20  # what transformers generates when no file says a length


class _File(pydantic.BaseModel):
    """The keys that are understood; `null` means the default."""

    model_config = pydantic.ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False
    )

    max_length: int | None = pydantic.Field(None, ge=2, le=2**20)
    max_new_tokens: int | None = pydantic.Field(None, ge=1, le=2**20)
    min_length: int | None = pydantic.Field(None, ge=0, le=2**20)
    min_new_tokens: int | None = pydantic.Field(None, ge=0, le=2**20)
    num_beams: int | None = pydantic.Field(None, ge=1, le=1024)
    length_penalty: float | None = None
    early_stopping: bool | str | None = None
    renormalize_logits: bool | None = None
    repetition_penalty: float | None = pydantic.Field(None, gt=0)
    no_repeat_ngram_size: int | None = pydantic.Field(None, ge=0, le=1024)
    encoder_no_repeat_ngram_size: int | None = pydantic.Field(None, ge=0, le=1024)
    bad_words_ids: list[list[Token]] | None = None
    suppress_tokens: list[Token] | None = None
    begin_suppress_tokens: list[Token] | None = None
    decoder_start_token_id: Token | None = None
    bos_token_id: Token | None = None
    forced_bos_token_id: Token | None = None
    forced_eos_token_id: Token | list[Token] | None = None
    eos_token_id: Token | list[Token] | None = None


def read_generation(config, generation=None, defaults=None, vocabulary_size=2**31):
    """The settings that two files state, or leave to the family.

    Args:
        config: dict, the whole config.json.
        generation: dict of generation_config.json, or `None` if there is none: then
            config.json counts, as it did before there was such a file.
        defaults: dict or `None`, what the family's config class says of keys that are
            not there.
        vocabulary_size: int, above all tokens.

    Returns:
        `GenerationSettings`.

    Raises:
        ValueError: if a value is out of its range.
    """
    config = {**(defaults or {}), **config}
    if config.get("force_bos_token_to_be_generated"):  # its name before 2021
        first = config.get("forced_bos_token_id")
        first = config.get("bos_token_id") if first is None else first
        config["forced_bos_token_id"] = first
    stated = config if generation is None else generation
    try:
        file = _File.model_validate(stated)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"decode settings: {where}: {first['msg']}") from None
    _warn_of(stated, _UNKNOWN)
    given = file.model_dump(exclude_none=True)
    start = file.decoder_start_token_id
    if start is None:
        start = config.get("decoder_start_token_id", file.bos_token_id)
    ends = file.eos_token_id
    ends = config.get("eos_token_id") if ends is None else ends
    forced = _listed(file.forced_eos_token_id) or ()
    _check_tokens(vocabulary_size, start, file.forced_bos_token_id, *forced)
    longest, least = given.get("max_length", 1 + NEW_TOKENS), given.get("min_length", 0)
    longest = 1 + file.max_new_tokens if file.max_new_tokens else longest
    least = 1 + file.min_new_tokens if file.min_new_tokens else least
    same = (
        "num_beams",
        "length_penalty",
        "early_stopping",
        "repetition_penalty",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size",
        "suppress_tokens",
        "begin_suppress_tokens",
        "renormalize_logits",
    )
    return GenerationSettings(
        max_length=longest,
        min_length=least,
        bad_words=_without_ends(given.get("bad_words_ids", ()), _listed(ends) or ()),
        decoder_start_token=start,
        forced_start_token=file.forced_bos_token_id,
        forced_end_tokens=forced,
        end_tokens=_listed(ends),
        **{key: given[key] for key in same if key in given},
    )


def warn_of_decoding(generation):
    """Warns of what generation_config.json says and a language model does not follow.

    Args:
        generation: dict, or `None` if there is no such file.
    """
    _warn_of(generation or {}, {**_UNKNOWN, **_IDLE})


def _warn_of(stated, idle):
    left_out = [key for key, values in idle.items() if stated.get(key) not in values]
    if left_out:
        warnings.warn(
            f"decode settings that are not known here are left out: {left_out}",
            stacklevel=3,
        )


def _check_tokens(vocabulary_size, *tokens):
    for token in tokens:
        if token is None:
            continue
        if type(token) is not int or not 0 <= token < vocabulary_size:
            raise ValueError(
                f"a token of the decode settings must be an int from 0 to "
                f"{vocabulary_size - 1}. Received: {str(token)[:40]}"
            )


def write_generation(settings):
    """dict of generation_config.json that states `settings`."""
    written = {
        "max_length": settings.max_length,
        "min_length": settings.min_length,
        "num_beams": settings.num_beams,
        "length_penalty": settings.length_penalty,
        "early_stopping": settings.early_stopping,
        "repetition_penalty": settings.repetition_penalty,
        "no_repeat_ngram_size": settings.no_repeat_ngram_size,
        "encoder_no_repeat_ngram_size": settings.encoder_no_repeat_ngram_size,
        "bad_words_ids": [list(word) for word in settings.bad_words] or None,
        "suppress_tokens": list(settings.suppress_tokens) or None,
        "begin_suppress_tokens": list(settings.begin_suppress_tokens) or None,
        "decoder_start_token_id": settings.decoder_start_token,
        "forced_bos_token_id": settings.forced_start_token,
        "forced_eos_token_id": _single(settings.forced_end_tokens),
        "eos_token_id": _single(settings.end_tokens or ()),
        "renormalize_logits": settings.renormalize_logits or None,
    }
    return {key: value for key, value in written.items() if value is not None}


def _listed(tokens):
    """A tuple of one or several tokens, `None` of `None`."""
    if tokens is None:
        return None
    return tuple(tokens) if isinstance(tokens, list) else (tokens,)


def _single(tokens):
    return tokens[0] if len(tokens) == 1 else list(tokens) or None


def _without_ends(words, ends):
    """The end of a text may always come, whatever a list of bad words says."""
    return [word for word in words if word and tuple(word) not in {(e,) for e in ends}]
