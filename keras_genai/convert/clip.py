"""CLIP folders of transformers."""

import types
from typing import ClassVar, Literal

import pydantic

from keras_genai.convert import known_settings
from keras_genai.convert.encoder_settings import HARMLESS
from keras_genai.convert.known_settings import KnownSettings
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rule,
    attention,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.data import published
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT, Style
from keras_genai.networks.vit import ViT
from keras_genai.tasks.contrastive import Contrastive

PREPROCESSOR = "preprocessor_config.json"
START, END = "<|startoftext|>", "<|endoftext|>"
# What OpenAI's pictures were shifted and scaled by.
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
_BICUBIC = 3  # of PIL
# How the files' pictures get three channels, which ours have; how `size` is read.
_OF_FILES = {"do_convert_rgb", "default_to_square"}
# transformers took this for the end token of any text, whatever it was.
_UNKNOWN_END = 2
# transformers' names of activations, and those of `ViT` and of `Style.feedforward`.
ACTIVATIONS = {
    "quick_gelu": ("quick_gelu", "quick_gelu"),
    "gelu": ("gelu", "gelu_exact"),
    "gelu_new": ("gelu_tanh", "gelu"),
    "gelu_pytorch_tanh": ("gelu_tanh", "gelu"),
}


_FIXED = {
    "is_encoder_decoder": False,
    "add_cross_attention": False,
    "pruned_heads": {},
    "quantization_config": None,
}
_HARMLESS = HARMLESS | {
    # Of a part that stands alone: here the whole says it.
    *("projection_dim", "eos_token_id", "id2label", "num_labels", "problem_type"),
    # Dropout that there is none of here; nothing is tied to another matrix.
    *("attention_dropout", "dropout", "tie_word_embeddings"),
    # Where training began: the file says where it came to.
    "logit_scale_init_value",
}


class _Tower(KnownSettings):
    """What the two parts of config.json have alike."""

    fixed: ClassVar[dict] = {**_FIXED, "layer_norm_eps": 1e-5, "is_decoder": False}
    harmless: ClassVar[set] = _HARMLESS

    hidden_act: Literal[*ACTIVATIONS] = "quick_gelu"

    @property
    def sizes(self):
        """dict of arguments of a network."""
        return {
            "depth": self.num_hidden_layers,
            "width": self.hidden_size,
            "num_heads": self.num_attention_heads,
            "inner_width": self.intermediate_size,
        }


class _Texts(_Tower):
    """See `CLIPTextConfig` of transformers."""

    vocab_size: Count = 49408
    hidden_size: Count = 512
    intermediate_size: Count = 2048
    num_hidden_layers: Depth = 12
    num_attention_heads: Count = 8
    max_position_embeddings: Count = 77
    eos_token_id: int | None = pydantic.Field(49407, ge=0, lt=2**22)


class _Pictures(_Tower):
    """See `CLIPVisionConfig` of transformers."""

    hidden_size: Count = 768
    intermediate_size: Count = 3072
    num_hidden_layers: Depth = 12
    num_attention_heads: Count = 12
    num_channels: Literal[1, 3] = 3
    image_size: int = pydantic.Field(224, ge=1, le=2**12)
    patch_size: int = pydantic.Field(32, ge=1, le=2**12)


class CLIPSettings(KnownSettings):
    """config.json of CLIP. See `CLIPConfig` of transformers."""

    fixed: ClassVar[dict] = {**_FIXED, "is_decoder": False}
    harmless: ClassVar[set] = _HARMLESS

    text_config: _Texts = _Texts()
    vision_config: _Pictures = _Pictures()
    projection_dim: Count = 512

    @property
    def vocab_size(self):
        return self.text_config.vocab_size

    @property
    def depths(self):
        return {
            "image_encoder.depth": self.vision_config.num_hidden_layers,
            "text_encoder.depth": self.text_config.num_hidden_layers,
        }

    @pydantic.model_validator(mode="before")
    @classmethod
    def _merge(cls, values):
        """One dict a part: files of 2022 have each twice, and the later one counts."""
        values = dict(values)
        for name in ("text_config", "vision_config"):
            first, later = values.pop(name, None), values.pop(f"{name}_dict", None)
            for part in (first, later):
                if not isinstance(part, dict | None):
                    raise ValueError(f"`{name}` must be a dict. Received: {part!r:.80}")
            values[name] = {**(first or {}), **(later or {})}
        return values


class _Preprocessor(pydantic.BaseModel):
    """The keys of preprocessor_config.json that change the numbers."""

    model_config = pydantic.ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False
    )

    size: int | dict[str, int] = 224
    crop_size: int | dict[str, int] = 224
    do_resize: Literal[True] = True
    do_center_crop: Literal[True] = True
    do_rescale: Literal[True] = True
    do_normalize: bool = True
    resample: Literal[_BICUBIC] = _BICUBIC
    rescale_factor: float = pydantic.Field(1 / 255, ge=0.99 / 255, le=1.01 / 255)
    image_mean: list[float] = list(MEAN)
    image_std: list[float] = list(DEVIATION)
    # A picture becomes a square here, whatever sides it had.
    use_square_size: Literal[False] = False
    do_pad: Literal[False] = False


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    texts, pictures = settings.text_config, settings.vision_config
    side, channels = pictures.image_size, pictures.num_channels
    image_encoder = {
        **pictures.sizes,
        "patch": pictures.patch_size,
        "activation": ACTIVATIONS[pictures.hidden_act][0],
    }
    text_encoder = {
        **texts.sizes,
        "context": texts.max_position_embeddings,
        "style": Style(feedforward=ACTIVATIONS[texts.hidden_act][1]),
    }
    networks = {
        "image_encoder": (ViT, image_encoder),
        "text_encoder": (GPT, text_encoder),
    }
    return made(
        Contrastive,
        networks,
        overrides,
        target=Image((side, side, channels)),
        given=(Text(vocabulary_size=texts.vocab_size),),
        embedding_size=settings.projection_dim,
        end_token=_end_token(texts, checkpoint.tokenizer),
        **_normalisation(side, checkpoint.preprocessor or {}),
    )


def _end_token(texts, tokenizer):
    """int: that of config.json, unless it says what files of before 2023 say."""
    if texts.eos_token_id not in (None, _UNKNOWN_END):
        return texts.eos_token_id
    if tokenizer is not None and tokenizer.end_token is not None:
        return tokenizer.end_token
    return texts.vocab_size - 1


def _normalisation(side, stated):
    """`mean` and `deviation` of preprocessor_config.json.

    Raises:
        ValueError: if it asks for what is not done here.
    """
    stated = {key: value for key, value in stated.items() if value is not None}
    known = _Preprocessor.model_fields.keys() | known_settings.PREPROCESSOR | _OF_FILES
    known_settings.warn_of_unknown(stated, known, PREPROCESSOR)
    missing = {"size": side, "crop_size": side}
    try:
        file = _Preprocessor.model_validate({**missing, **stated})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"`{first['loc'][0]}` of {PREPROCESSOR}: {first['msg']}. "
            f"Received: {str(first['input'])[:80]}"
        ) from None
    for key in ("size", "crop_size"):
        value = getattr(file, key)
        sides = {value} if isinstance(value, int) else {*value.values()}
        if sides != {side}:
            raise ValueError(
                f"`{key}` of {PREPROCESSOR} must be image_size={side}. "
                f"Received: {value}"
            )
    if not file.do_normalize:
        return {"mean": (0.0,), "deviation": (1.0,)}
    return {"mean": tuple(file.image_mean), "deviation": tuple(file.image_std)}


def rules(model):
    """Which weight is which tensor."""
    images, texts = model.image_encoder, model.text_encoder
    return [
        *within(images, _of_pictures(images)),
        *within(texts, _of_texts(texts)),
        *linear("image_projection", "visual_projection", bias=False),
        *linear("text_projection", "text_projection", bias=False),
        *same("log_scale", "logit_scale"),
    ]


def _of_pictures(network):
    theirs, patch = "vision_model.embeddings", network.patch
    patches = Rule(
        ("patches/kernel",),
        (f"{theirs}.patch_embedding.weight",),
        lambda kernel: (kernel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0]),),
        lambda kernel: (
            kernel.reshape(patch, patch, -1, kernel.shape[1]).transpose(3, 2, 0, 1),
        ),
    )
    found = [
        patches,
        *same("class_token", f"{theirs}.class_embedding"),
        *same("positions/table", f"{theirs}.position_embedding.weight"),
        *norm("embedding_norm", "vision_model.pre_layrnorm"),  # so spelled
        *norm("encoder/norm", "vision_model.post_layernorm"),
    ]
    for index in range(network.depth):
        found += _block(
            f"encoder/block_{index}", f"vision_model.encoder.layers.{index}"
        )
    return found


def _of_texts(network):
    theirs = "text_model.embeddings"
    found = [
        *same("embedding/embeddings", f"{theirs}.token_embedding.weight"),
        *same("positions/table", f"{theirs}.position_embedding.weight"),
        *norm("norm", "text_model.final_layer_norm"),
    ]
    for index in range(network.depth):
        found += _block(f"block_{index}", f"text_model.encoder.layers.{index}")
    return found


def _block(ours, theirs):
    names = (f"{theirs}.self_attn.{part}_proj" for part in ("q", "k", "v", "out"))
    return [
        *attention(f"{ours}/attention", *names),
        *norm(f"{ours}/attention_norm", f"{theirs}.layer_norm1"),
        *linear(f"{ours}/feedforward/expand", f"{theirs}.mlp.fc1"),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.mlp.fc2"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.layer_norm2"),
    ]


def describe(model):
    """config.json of a model.

    Raises:
        ValueError: if it is none that `CLIPModel` can be.
    """
    images, texts = model.image_encoder, model.text_encoder
    _check(model, images, texts)
    named = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    of_images = {ours: name for (ours, _), name in named.items()}
    of_texts = {ours: name for (_, ours), name in named.items()}
    tokenizer = model.tokenizer
    start = None if tokenizer is None else tokenizer.start_token
    return {
        "projection_dim": model.embedding_size,
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": texts.vocabulary_size,
            "max_position_embeddings": texts.context,
            "hidden_act": of_texts[texts.style.feedforward],
            "projection_dim": model.embedding_size,
            **dict.fromkeys(("eos_token_id", "pad_token_id"), model.end_token),
            "bos_token_id": start,
            **_sizes(texts),
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "image_size": model.target.shape[0],
            "num_channels": model.target.shape[-1],
            "patch_size": images.patch,
            "hidden_act": of_images[images.activation],
            "projection_dim": model.embedding_size,
            **_sizes(images),
        },
    }


def _sizes(network):
    return {
        "hidden_size": network.width,
        "intermediate_size": network.inner_width or 4 * network.width,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.num_heads,
        "layer_norm_eps": 1e-5,
    }


def _check(model, images, texts):
    """Raises unless `CLIPModel` can be this one."""
    rows, columns, _ = model.target.shape
    _need("image_encoder", type(images) is ViT, "a ViT", type(images).__name__)
    _need("text_encoder", type(texts) is GPT, "a GPT", type(texts).__name__)
    style = texts.style
    good = style == Style(feedforward=style.feedforward)
    good &= style.feedforward in [ours for _, ours in ACTIVATIONS.values()]
    _need("text_encoder.style", good, "GPT's, with GELU", style)
    _need("periods", texts.periods is None, "None", texts.periods)
    shared = texts.head_size * texts.num_heads == texts.width
    _need("head_dim", shared, "width / num_heads", texts.head_dim)
    known = [ours for ours, _ in ACTIVATIONS.values()]
    good = images.activation in known
    _need("activation", good, f"one of {', '.join(known)}", images.activation)
    _need("target", rows == columns, "of square pictures", model.target.shape)
    end = model.end_token
    good = end not in (None, _UNKNOWN_END)
    _need("end_token", good, f"a token other than {_UNKNOWN_END}", end)


def _need(name, good, allowed, came):
    if not good:
        raise ValueError(f"`{name}` must be {allowed} in a CLIPModel. Received: {came}")


def files(model):
    """dict of preprocessor_config.json, by the name of the file."""
    side, channels = model.target.shape[1:]

    def each(values):
        return list(values) * (channels if len(values) == 1 else 1)

    content = {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": "CLIPProcessor",
        **dict.fromkeys(("do_resize", "do_center_crop", "do_rescale"), True),
        "do_convert_rgb": channels == 3,
        "do_normalize": True,
        "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side},
        "resample": _BICUBIC,
        "rescale_factor": 1 / 255,
        "image_mean": each(model.mean),
        "image_std": each(model.deviation),
    }
    return {PREPROCESSOR: content}


def read_tokenizer(folder, options, size):
    """Byte-level BPE of small letters, from vocab.json and merges.txt."""
    return published.word_ending_bpe(folder, START, END, size)


FAMILY = Family(
    model_type="clip",
    settings=CLIPSettings,
    architectures=(
        Architecture(
            name="CLIPModel",
            task=Contrastive,
            network=types.NoneType,
            build=build,
            rules=rules,
            describe=describe,
            files=files,
        ),
    ),
    prefix="",
    tokenizer=read_tokenizer,
)
