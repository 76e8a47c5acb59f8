"""`rope_parameters`, or `rope_scaling` as it was before transformers 5, both ways."""

from keras_genai.layers.rotary import LinearRotary, Llama3Rotary, Rotary, YarnRotary

# What each kind reads; `None` is as good as nothing.
_OPTIONS = {
    "default": {},
    # It changes nothing up to `max_position_embeddings`, which is our context.
    "dynamic": {},
    "linear": {"factor": "factor"},
    "llama3": {
        "factor": "factor",
        "low_freq_factor": "low",
        "high_freq_factor": "high",
        "original_max_position_embeddings": "original_context",
    },
    "yarn": {
        "factor": "factor",
        "original_max_position_embeddings": "original_context",
        "attention_factor": "attention_factor",
        "beta_fast": "fast",
        "beta_slow": "slow",
        "truncate": "truncate",
    },
}
_CLASSES = {
    "default": Rotary,
    "dynamic": Rotary,
    "linear": LinearRotary,
    "llama3": Llama3Rotary,
    "yarn": YarnRotary,
}
_NEEDED = {"factor", "low_freq_factor", "high_freq_factor"}
_ALWAYS = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
# Said by some files of kinds that do not look at it.
_IDLE = {"factor", "original_max_position_embeddings"}


def read_rotary(stated, settings):
    """The `Rotary` that a scheme of rotary positions says.

    Args:
        stated: dict with `rope_theta`.
        settings: `DecoderSettings`, which may say more.

    Raises:
        ValueError: if the kind or an option of it is not known here, or lacking.
    """
    stated = {key: value for key, value in stated.items() if value is not None}
    kind = stated.get("rope_type", stated.get("type", "default"))
    if not isinstance(kind, str) or kind not in _OPTIONS:
        raise ValueError(
            f"`rope_type` must be one of {', '.join(_OPTIONS)}. "
            f"Received: {str(kind)[:40]!r}"
        )
    names = _OPTIONS[kind]
    unknown = sorted(stated.keys() - names.keys() - _ALWAYS - _IDLE)
    if unknown:
        raise ValueError(
            f"options of {kind} rotary positions must be of {', '.join(names)}. "
            f"Received: {unknown[0][:40]!r}"
        )
    lacking = sorted((names.keys() & _NEEDED) - stated.keys())
    if lacking:
        raise ValueError(f"{kind} rotary positions must have `{lacking[0]}`")
    if "original_max_position_embeddings" in names:
        own = settings.original_max_position_embeddings
        own = settings.max_position_embeddings if own is None else own
        stated.setdefault("original_max_position_embeddings", own)
    share = stated.get("partial_rotary_factor", settings.partial_rotary_factor)
    if share not in (None, 1) and not settings.turns_part:
        raise ValueError(f"`partial_rotary_factor` must be 1. Received: {share!r:.40}")
    chosen = {names[key]: stated[key] for key in names if key in stated}
    try:
        return _CLASSES[kind](
            base=_float(stated["rope_theta"]),
            share=1.0 if share is None else _float(share),
            **{
                key: value if key == "original_context" else _float(value)
                for key, value in chosen.items()
            },
        )
    except TypeError as error:
        raise ValueError(str(error)) from None


def write_rotary(rotary):
    """dict of `rope_parameters` that says what a `Rotary` is."""
    kind = {value: key for key, value in reversed(_CLASSES.items())}[type(rotary)]
    names = _OPTIONS[kind]
    found = {key: getattr(rotary, name) for key, name in names.items()}
    share = {} if rotary.share == 1 else {"partial_rotary_factor": rotary.share}
    stated = {"rope_type": kind, "rope_theta": rotary.base, **share, **found}
    return {key: value for key, value in stated.items() if value is not None}


def _float(value):
    """A number that JSON may write as an int, where one token counts as a float."""
    return float(value) if type(value) is int and abs(value) < 2**53 else value
