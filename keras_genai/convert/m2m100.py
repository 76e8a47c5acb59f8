"""Folders of M2M-100, and of NLLB without experts."""

from typing import Literal

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth, Token
from keras_genai.data import published_translators as published
from keras_genai.networks.encoder_decoder import M2M100
from keras_genai.tasks.languages import follow_generation


class M2M100Settings(encoder_decoder.EncoderDecoderSettings):
    """config.json of M2M100. See `M2M100Config` of transformers."""

    vocab_size: Count = 128112
    max_position_embeddings: Count = 1024
    encoder_layers: Depth = 12
    decoder_layers: Depth = 12
    d_model: Count = 1024
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    activation_function: Literal[*encoder_decoder.ACTIVATIONS] = "relu"
    scale_embedding: bool = True
    pad_token_id: Token = 1
    fixed = encoder_decoder.fixed(pre_norm=True, embedding_norm=False, waves=True)
    decoding = {"bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}

    @property
    def look(self):
        return {"pad_token": self.pad_token_id}


def _more(model):
    """The keys that other classes have not, and rates that it would not take as 0."""
    network = model.network
    if network.style.own_inputs or network.style.pad_token is None:
        raise ValueError(
            "`style` must have a `pad_token` and no `own_inputs` in an M2M100. "
            f"Received: {network.style}"
        )
    rates = ("attention_dropout", "encoder_layerdrop", "decoder_layerdrop")
    return {"pad_token_id": network.style.pad_token, **dict.fromkeys(rates, 0.0)}


FAMILY = encoder_decoder.family(
    "m2m_100",
    M2M100Settings,
    encoder_decoder.Kind("M2M100", M2M100, more=_more),
    published.m2m100,
    finish=follow_generation,
)
