"""BART folders of transformers."""

from typing import Literal

from keras_genai.convert.encoder_decoder import (
    ACTIVATIONS,
    UNUSED,
    aliases,
    describe,
    head,
    stacks,
    style,
    tables,
)
from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    Settings,
    norm,
    same,
)
from keras_genai.data import published
from keras_genai.models.bart import BART, BARTStyle


class BartSettings(Settings):
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
    activation_function: Literal[*ACTIVATIONS] = "gelu"
    scale_embedding: bool = False
    dropout: Rate = 0.1
    tie_word_embeddings: bool = True
    # Of files from before 2021.
    fixed = {
        "normalize_before": False,
        "normalize_embedding": True,
        "add_final_layer_norm": False,
        "static_position_embeddings": False,
    }


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    arguments = dict(
        vocabulary_size=settings.vocab_size,
        context=settings.max_position_embeddings,
        encoder_depth=settings.encoder_layers,
        decoder_depth=settings.decoder_layers,
        width=settings.d_model,
        num_heads=settings.encoder_attention_heads,
        hidden=settings.encoder_ffn_dim,
        dropout=settings.dropout,
        style=BARTStyle(**style(settings)),
        generation=read_generation(checkpoint.config, checkpoint.generation),
    )
    return BART(**{**arguments, **overrides})


def rules(model):
    """Which weight is which tensor."""
    return [
        *tables(model),
        *same("encoder_positions/table", "model.encoder.embed_positions.weight"),
        *same("decoder_positions/table", "model.decoder.embed_positions.weight"),
        *norm("encoder_norm", "model.encoder.layernorm_embedding"),
        *norm("decoder_norm", "model.decoder.layernorm_embedding"),
        *stacks(model),
    ]


def read_tokenizer(folder, options):
    """Byte-level BPE of vocab.json and merges.txt, between `<s>` and `</s>`."""
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    core = published.byte_level_bpe(folder, special)
    if core is not None:
        published.frame(core, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
    return core


FAMILY = Family(
    model_type="bart",
    settings=BartSettings,
    architectures=(
        Architecture(
            name="BartForConditionalGeneration",
            model=BART,
            build=build,
            rules=rules,
            describe=describe,
            head=head,
            aliases=aliases,
            unused=UNUSED,
            generation=lambda model: write_generation(model.generation),
        ),
    ),
    prefix="model.",
    tokenizer=read_tokenizer,
    buffers=(r"(en|de)coder\.version",),
    tokenizer_class="BartTokenizer",
)
