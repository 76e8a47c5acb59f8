"""Blenderbot folders of transformers, and those of the small variant."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published, turns
from keras_genai.networks.encoder_decoder import BLENDERBOT, BLENDERBOT_SMALL

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


FAMILY = encoder_decoder.family(
    "blenderbot",
    BlenderbotSettings,
    encoder_decoder.Kind("Blenderbot", BLENDERBOT, turns.BLENDERBOT),
    read_tokenizer,
)
FAMILY_SMALL = encoder_decoder.family(
    "blenderbot-small",
    BlenderbotSmallSettings,
    encoder_decoder.Kind("BlenderbotSmall", BLENDERBOT_SMALL, turns.BLENDERBOT),
    # Its old files hold pieces of words in a format of their own: tokenizer.json only.
    lambda folder, options, size: None,
)
