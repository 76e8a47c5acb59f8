"""mBART and mBART-50 folders of transformers."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published_translators as published
from keras_genai.networks.encoder_decoder import MBART
from keras_genai.tasks.languages import follow_generation


class MBartSettings(encoder_decoder.EncoderDecoderSettings):
    """config.json of MBart. See `MBartConfig` of transformers."""

    vocab_size: Count = 50265
    max_position_embeddings: Count = 1024
    encoder_layers: Depth = 12
    decoder_layers: Depth = 12
    d_model: Count = 1024
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    fixed = encoder_decoder.fixed(pre_norm=True, embedding_norm=True)
    decoding = {"bos_token_id": 0, "eos_token_id": 2, "forced_eos_token_id": 2}


FAMILY = encoder_decoder.family(
    "mbart",
    MBartSettings,
    encoder_decoder.Kind("MBart", MBART, unread=2),
    published.mbart,
    finish=follow_generation,
)
