"""Whisper folders of transformers."""

from typing import Annotated, Literal

import numpy as np
import pydantic

from keras_genai.convert import known_settings
from keras_genai.convert.encoder_decoder import (
    ACTIVATIONS,
    FIXED,
    EncoderDecoderSettings,
    described,
    stacks,
)
from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    Rule,
    Token,
    joined,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.data import published
from keras_genai.modalities.mel import Mel
from keras_genai.networks.whisper import Whisper
from keras_genai.tasks.speech import SpeechPrompt, SpeechSeq2SeqLM

PREPROCESSOR = "preprocessor_config.json"
# What follows from the others: the filters, too, which old files hold.
_IMPLIED = {
    *("nb_max_frames", "n_samples", "mel_filters", "padding_side"),
    *("return_attention_mask", "do_normalize"),
}
_OF_ENGLISH = 51_864  # tokens of the checkpoints named `.en`, which say nothing else


class WhisperSettings(EncoderDecoderSettings):
    """config.json of Whisper. See `WhisperConfig` of transformers."""

    vocab_size: Count = 51865
    num_mel_bins: Count = 80
    max_source_positions: Count = 1500
    max_target_positions: Count = 448
    encoder_layers: Depth = 4
    decoder_layers: Depth = 4
    d_model: Count = 384
    encoder_attention_heads: Count = 6
    decoder_attention_heads: Count = 6
    encoder_ffn_dim: Count = 1536
    decoder_ffn_dim: Count = 1536
    dropout: Rate = 0.0
    fixed = {**FIXED, "scale_embedding": False, "tie_word_embeddings": True}
    idle = {
        # How sounds are damaged in training, and another head.
        *("apply_spec_augment", "mask_feature_length", "mask_feature_min_masks"),
        *("mask_feature_prob", "mask_time_length", "mask_time_min_masks"),
        *("mask_time_prob", "classifier_proj_size", "use_weighted_layer_sum"),
        # Times of words, and what stands before a text, which `build` looks at.
        *("median_filter_width", "forced_decoder_ids", "lang_ids", "alignment_heads"),
    }
    decoding = {
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "decoder_start_token_id": 50257,
        "max_length": 448,
    }


class _Preprocessor(pydantic.BaseModel):
    """The keys of preprocessor_config.json that change the numbers."""

    model_config = pydantic.ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False
    )

    sampling_rate: int = pydantic.Field(16_000, ge=16_000, le=16_000)
    n_fft: int = pydantic.Field(400, ge=2, le=2**14)
    hop_length: int = pydantic.Field(160, ge=1, le=2**14)
    chunk_length: int = pydantic.Field(30, ge=1, le=3_600)
    feature_size: int | None = pydantic.Field(None, ge=1, le=1_024)
    dither: float = pydantic.Field(0.0, ge=0, le=0)  # noise
    padding_value: float = pydantic.Field(0.0, ge=0, le=0)


# A place, and the token that must stand there.
_Forced = Annotated[list[Token | None], pydantic.Field(min_length=2, max_length=2)]


class _Prompts(pydantic.BaseModel):
    """The keys of generation_config.json that say what stands before a text."""

    model_config = pydantic.ConfigDict(extra="ignore", strict=True, frozen=True)

    is_multilingual: bool | None = None
    lang_to_id: dict[str, Token] = {}
    task_to_id: dict[str, Token] = {}
    no_timestamps_token_id: Token | None = None
    language: str | None = None
    task: Literal["transcribe", "translate"] | None = None
    forced_decoder_ids: list[_Forced] | None = None


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    network = {
        **settings.sizes,
        "bands": settings.num_mel_bins,
        "sound_context": settings.max_source_positions,
        "context": settings.max_target_positions,
        "decoder_num_heads": settings.decoder_attention_heads,
        "decoder_inner_width": settings.decoder_ffn_dim,
        "activation": ACTIVATIONS[settings.activation_function],
    }
    return made(
        SpeechSeq2SeqLM,
        {"network": (Whisper, network)},
        overrides,
        given=(_mel(settings, checkpoint.preprocessor or {}),),
        generation=_generation(settings, checkpoint),
        prompt=_prompt(settings, checkpoint),
    )


def _mel(settings, stated):
    """The `Mel` of preprocessor_config.json."""
    file = _validated(_Preprocessor, stated, PREPROCESSOR)
    known = _Preprocessor.model_fields.keys() | known_settings.PREPROCESSOR | _IMPLIED
    known_settings.warn_of_unknown(stated, known, PREPROCESSOR)
    frames = file.chunk_length * file.sampling_rate // file.hop_length
    if file.feature_size not in (None, settings.num_mel_bins):
        raise ValueError(
            f"`feature_size` of {PREPROCESSOR} must be num_mel_bins="
            f"{settings.num_mel_bins}. Received: {file.feature_size}"
        )
    if frames != 2 * settings.max_source_positions:
        raise ValueError(
            f"`chunk_length` of {PREPROCESSOR} must give twice max_source_positions="
            f"{settings.max_source_positions} frames. Received: {frames}"
        )
    return Mel(
        rate=file.sampling_rate,
        window=file.n_fft,
        hop=file.hop_length,
        bands=settings.num_mel_bins,
        log10=True,
        drop_last=True,
        normalization="whisper",
        length=frames,
    )


def _generation(settings, checkpoint):
    """`GenerationSettings`: all that is not a prompt."""
    config, stated = (
        None if file is None else {**file, "forced_decoder_ids": None}
        for file in (checkpoint.config, checkpoint.generation)
    )
    return read_generation(config, stated, settings.decoding, settings.vocab_size)


def _prompt(settings, checkpoint):
    """The `SpeechPrompt` of generation_config.json, else of the tokenizer."""
    stated = checkpoint.generation or {}
    file = _validated(_Prompts, stated, "generation_config.json")
    tokenizer = checkpoint.tokenizer
    known = {} if tokenizer is None else tokenizer.special_tokens
    languages = file.lang_to_id or {
        text: token for text, token in known.items() if SpeechPrompt.is_language(text)
    }
    if file.is_multilingual is False or settings.vocab_size == _OF_ENGLISH:
        languages = {}
    names = {
        text.strip("<|>"): token
        for text, token in sorted(languages.items(), key=lambda item: item[1])
    }
    found = SpeechPrompt(
        languages=[*names],
        language_tokens=[*names.values()],
        transcribe=file.task_to_id.get("transcribe", known.get("<|transcribe|>")),
        translate=file.task_to_id.get("translate", known.get("<|translate|>")),
        no_timestamps=_first(
            file.no_timestamps_token_id, known.get("<|notimestamps|>")
        ),
        language=_language(file, names),
    )
    found.check(settings.vocab_size)
    return found


def _language(file, names):
    """The language that a file asks for, or `None`: to be detected, or the only one."""
    if not names:
        return None
    if file.language is not None:
        return file.language.strip("<|>")
    forced = dict(file.forced_decoder_ids or ()).get(1)
    return _first(*(name for name, token in names.items() if token == forced))


def _first(*values):
    return next((value for value in values if value is not None), None)


def _validated(schema, stated, name):
    try:
        return schema.model_validate({k: v for k, v in stated.items() if v is not None})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise ValueError(
            f"`{where}` of {name}: {first['msg']}. Received: {str(first['input'])[:80]}"
        ) from None


def rules(model):
    """Which weight is which tensor."""
    found = [
        *same("embedding/embeddings", "model.decoder.embed_tokens.weight"),
        *same("decoder_positions/table", "model.decoder.embed_positions.weight"),
        *same("encoder_positions", "model.encoder.embed_positions.weight"),
        *norm("encoder/norm", "model.encoder.layer_norm"),
        *norm("decoder/norm", "model.decoder.layer_norm"),
        *stacks(model.network, _attention),
    ]
    for number in (1, 2):
        found += _convolution(f"conv_{number}", f"model.encoder.conv{number}")
    return within(model.network, found)


def aliases(model):
    """Tensors that are the token table once more."""
    return {"proj_out.weight": "model.decoder.embed_tokens.weight"}


def describe(model):
    """config.json of a model."""
    network = model.network
    end = (model.generation.end_tokens or (None,))[0]
    return {
        **described(model, network),
        "num_mel_bins": network.bands,
        "max_source_positions": network.sound_context,
        "max_target_positions": network.context,
        # transformers pads with it, and refuses one beyond the table.
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), end),
    }


def generation(model):
    """dict of generation_config.json."""
    prompt = model.prompt
    languages = zip(prompt.languages, prompt.language_tokens, strict=True)
    tasks = {"transcribe": prompt.transcribe, "translate": prompt.translate}
    tasks = {name: token for name, token in tasks.items() if token is not None}
    found = {
        **write_generation(model.generation),
        "is_multilingual": bool(prompt.languages),
        "lang_to_id": {f"<|{name}|>": token for name, token in languages},
        "task_to_id": tasks,
        "no_timestamps_token_id": prompt.no_timestamps,
        "language": prompt.language,
        "return_timestamps": False,
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def files(model):
    """dict of preprocessor_config.json, by the name of the file."""
    mel = model.given[0]
    content = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "sampling_rate": mel.rate,
        "n_fft": mel.window,
        "hop_length": mel.hop,
        "chunk_length": mel.length * mel.hop // mel.rate,
        "feature_size": mel.bands,
        "nb_max_frames": mel.length,
        "n_samples": mel.length * mel.hop,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }
    return {PREPROCESSOR: content}


def _convolution(ours, theirs):
    """A `Conv1D`, `[width, in, out]`, and that of torch, `[out, in, width]`."""
    kernel = Rule(
        (f"{ours}/kernel",),
        (f"{theirs}.weight",),
        lambda kernel: (kernel.T,),
        lambda kernel: (kernel.T,),
    )
    return [kernel, *same(f"{ours}/bias", f"{theirs}.bias")]


def _attention(ours, theirs):
    """An `Attention` layer; theirs has no bias of keys, which would change nothing."""
    names = tuple(f"{theirs}.{part}_proj" for part in ("k", "v"))
    bias = Rule(
        (f"{ours}/memory/bias",),
        (f"{theirs}.v_proj.bias",),
        lambda values: (np.concatenate([np.zeros_like(values), values]),),
        lambda whole: tuple(np.split(whole, 2)[1:]),
    )
    return [
        *linear(f"{ours}/query", f"{theirs}.q_proj"),
        *joined(f"{ours}/memory", names, bias=False),
        bias,
        *linear(f"{ours}/output", f"{theirs}.out_proj"),
    ]


def read_tokenizer(folder, options, size):
    """Byte-level BPE of vocab.json and merges.txt; special tokens are added ones."""
    return published.byte_level_bpe(folder, special=("<|endoftext|>",), size=size)


FAMILY = Family(
    model_type="whisper",
    settings=WhisperSettings,
    architectures=(
        Architecture(
            name="WhisperForConditionalGeneration",
            task=SpeechSeq2SeqLM,
            network=Whisper,
            build=build,
            rules=rules,
            describe=describe,
            aliases=aliases,
            generation=generation,
            files=files,
        ),
    ),
    prefix="model.",
    tokenizer=read_tokenizer,
)
