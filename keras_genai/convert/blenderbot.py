"""Blenderbot folders of transformers, and those of the small variant."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published
from keras_genai.models.blenderbot import Blenderbot, BlenderbotStyle

_DECODING = {
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": 2,
}


class BlenderbotSettings(encoder_decoder.EncoderDecoderSettings):
    """config.json of Blenderbot. See `BlenderbotConfig` of transformers."""

    vocab_size: Count = 8008
    max_position_embeddings: Count = 128
    encoder_layers: Depth = 2
    decoder_layers: Depth = 24
    d_model: Count = 2560
    encoder_attention_heads: Count = 32
    decoder_attention_heads: Count = 32
    encoder_ffn_dim: Count = 10240
    decoder_ffn_dim: Count = 10240
    fixed = encoder_decoder.fixed(pre_norm=True)
    decoding = {**_DECODING, "encoder_no_repeat_ngram_size": 3}


class BlenderbotSmallSettings(BlenderbotSettings):
    """config.json of the small variant. See `BlenderbotSmallConfig`."""

    vocab_size: Count = 50265
    max_position_embeddings: Count = 512
    encoder_layers: Depth = 8
    decoder_layers: Depth = 8
    d_model: Count = 512
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 2048
    decoder_ffn_dim: Count = 2048
    fixed = encoder_decoder.fixed(pre_norm=False)
    decoding = _DECODING


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    arguments = encoder_decoder.arguments(settings, checkpoint)
    style = BlenderbotStyle(
        pre_norm=not isinstance(settings, BlenderbotSmallSettings),
        **encoder_decoder.style(settings),
    )
    return Blenderbot(**{**arguments, "style": style, **overrides})


def rules(model):
    """Which weight is which tensor."""
    return encoder_decoder.rules(model, model.style.pre_norm)


def describe_large(model):
    """config.json of a model that normalises first."""
    return _described(model, True, "Blenderbot")


def describe_small(model):
    """config.json of a model that normalises afterwards."""
    return _described(model, False, "BlenderbotSmall")


def read_tokenizer(folder, options, size):
    """Byte-level BPE of vocab.json and merges.txt; `</s>` ends a turn."""
    core = published.byte_level_bpe(
        folder,
        special=("<s>", "<pad>", "</s>", "<unk>"),
        add_prefix_space=options.get("add_prefix_space") is not False,
        size=size,
    )
    if core is not None:
        published.add_mask(core, size)
        published.frame(core, "$A </s>", "$A </s> $B </s>")
    return core


def _described(model, pre_norm, name):
    if model.style.pre_norm is not pre_norm:
        raise ValueError(
            f"`style.pre_norm` must be {pre_norm} in a {name}. "
            f"Received: {model.style.pre_norm}"
        )
    return encoder_decoder.describe(model)


FAMILY = encoder_decoder.family(
    "blenderbot",
    "Blenderbot",
    BlenderbotSettings,
    Blenderbot,
    build,
    rules,
    describe_large,
    read_tokenizer,
)
FAMILY_SMALL = encoder_decoder.family(
    "blenderbot-small",
    "BlenderbotSmall",
    BlenderbotSmallSettings,
    Blenderbot,
    build,
    rules,
    describe_small,
    # Its old files hold pieces of words in a format of their own: tokenizer.json only.
    lambda folder, options, size: None,
)
