"""Marian folders of transformers: the translators of Helsinki-NLP and others."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published_translators as published
from keras_genai.networks.encoder_decoder import MARIAN


class MarianSettings(encoder_decoder.EncoderDecoderSettings):
    """config.json of Marian. See `MarianConfig` of transformers."""

    vocab_size: Count = 58101
    max_position_embeddings: Count = 1024
    encoder_layers: Depth = 12
    decoder_layers: Depth = 12
    d_model: Count = 1024
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    decoder_vocab_size: Count | None = None
    share_encoder_decoder_embeddings: bool = True
    fixed = encoder_decoder.fixed(pre_norm=False, embedding_norm=False, waves=True)
    decoding = {
        "eos_token_id": 0,
        "decoder_start_token_id": 58100,
        "forced_eos_token_id": 0,
    }

    @property
    def look(self):
        shared = self.share_encoder_decoder_embeddings or not self.tie_word_embeddings
        return {"own_inputs": not shared}

    @property
    def sizes(self):
        size = self.decoder_vocab_size or self.vocab_size
        if self.share_encoder_decoder_embeddings or size == self.vocab_size:
            return super().sizes
        other = {"vocabulary_size": size, "inputs_vocabulary_size": self.vocab_size}
        return {**super().sizes, **other}


def _more(model):
    """What is read may have a table, and a vocabulary, of its own."""
    network = model.network
    if network.style.pad_token is not None:
        raise ValueError(
            "`style.pad_token` must be None in a Marian. "
            f"Received: {network.style.pad_token}"
        )
    return {
        # Which is what the decoder begins with.
        **encoder_decoder.padding(model, model.generation.decoder_start_token),
        "vocab_size": network.inputs_vocabulary_size or network.vocabulary_size,
        "decoder_vocab_size": network.vocabulary_size,
        "share_encoder_decoder_embeddings": not network.style.has_inputs_table,
    }


FAMILY = encoder_decoder.family(
    "marian",
    MarianSettings,
    encoder_decoder.Kind("Marian", MARIAN, head="MTModel", more=_more),
    published.marian,
)
