"""Pegasus folders of transformers."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published_translators as published
from keras_genai.networks.encoder_decoder import PEGASUS


class PegasusSettings(encoder_decoder.EncoderDecoderSettings):
    """config.json of Pegasus. See `PegasusConfig` of transformers."""

    vocab_size: Count = 50265
    max_position_embeddings: Count = 1024
    encoder_layers: Depth = 12
    decoder_layers: Depth = 12
    d_model: Count = 1024
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    fixed = encoder_decoder.fixed(pre_norm=True, embedding_norm=False, waves=True)
    decoding = {
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
        "forced_eos_token_id": 1,
    }


FAMILY = encoder_decoder.family(
    "pegasus",
    PegasusSettings,
    encoder_decoder.Kind("Pegasus", PEGASUS, stores_waves=True),
    published.pegasus,
)
