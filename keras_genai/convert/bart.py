"""BART folders of transformers."""

from keras_genai.convert import encoder_decoder
from keras_genai.convert.mapping import Count, Depth
from keras_genai.data import published
from keras_genai.networks.encoder_decoder import BART


class BartSettings(encoder_decoder.EncoderDecoderSettings):
    """config.json of BART. See `BartConfig` of transformers."""

    vocab_size: Count = 50265
    max_position_embeddings: Count = 1024
    encoder_layers: Depth = 12
    decoder_layers: Depth = 12
    d_model: Count = 1024
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    fixed = encoder_decoder.fixed(pre_norm=False)
    decoding = {
        "bos_token_id": 0,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }


def read_tokenizer(folder, options, size):
    """Byte-level BPE of vocab.json and merges.txt, between `<s>` and `</s>`."""
    core = published.byte_level_bpe(
        folder,
        special=("<s>", "<pad>", "</s>", "<unk>"),
        add_prefix_space=bool(options.get("add_prefix_space")),
        size=size,
    )
    if core is not None:
        published.add_mask(core, size)
        published.frame(core, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
    return core


FAMILY = encoder_decoder.family(
    "bart",
    BartSettings,
    encoder_decoder.Kind("Bart", BART, unread=2),
    read_tokenizer,
)
