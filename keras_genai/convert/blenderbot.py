"""Blenderbot folders of transformers, and those of the small variant."""

from typing import Literal

from tokenizers import AddedToken

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
from keras_genai.models.blenderbot import Blenderbot, BlenderbotStyle


class BlenderbotSettings(Settings):
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
    activation_function: Literal[*ACTIVATIONS] = "gelu"
    scale_embedding: bool = False
    dropout: Rate = 0.1
    tie_word_embeddings: bool = True
    # Of files from before 2021.
    fixed = {
        "normalize_before": True,
        "normalize_embedding": False,
        "add_final_layer_norm": True,
        "static_position_embeddings": False,
    }


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
    fixed = {
        "normalize_before": False,
        "normalize_embedding": True,
        "add_final_layer_norm": False,
        "static_position_embeddings": False,
    }


def build(settings, checkpoint, **overrides):
    """The model of a folder."""
    is_small = isinstance(settings, BlenderbotSmallSettings)
    arguments = dict(
        vocabulary_size=settings.vocab_size,
        context=settings.max_position_embeddings,
        encoder_depth=settings.encoder_layers,
        decoder_depth=settings.decoder_layers,
        width=settings.d_model,
        num_heads=settings.encoder_attention_heads,
        hidden=settings.encoder_ffn_dim,
        dropout=settings.dropout,
        style=BlenderbotStyle(pre_norm=not is_small, **style(settings)),
        generation=read_generation(checkpoint.config, checkpoint.generation),
    )
    return Blenderbot(**{**arguments, **overrides})


def rules(model):
    """Which weight is which tensor."""
    found = [
        *tables(model),
        *same("encoder_positions/table", "model.encoder.embed_positions.weight"),
        *same("decoder_positions/table", "model.decoder.embed_positions.weight"),
        *stacks(model),
    ]
    for side in ("encoder", "decoder"):
        if model.style.pre_norm:
            found += norm(f"{side}/norm", f"model.{side}.layer_norm")
        else:
            found += norm(f"{side}_norm", f"model.{side}.layernorm_embedding")
    return found


def describe_large(model):
    """config.json of a model that normalises first."""
    return _described(model, True, "Blenderbot")


def describe_small(model):
    """config.json of a model that normalises afterwards."""
    return _described(model, False, "BlenderbotSmall")


def read_tokenizer(folder, options):
    """Byte-level BPE of vocab.json and merges.txt; `</s>` ends a turn."""
    special = ("<s>", "<pad>", "</s>", "<unk>")
    core = published.byte_level_bpe(folder, special, add_prefix_space=True)
    if core is not None:
        # A mask takes the space before it along.
        core.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
        published.frame(core, "$A </s>", "$A </s> $B </s>")
    return core


def _described(model, pre_norm, name):
    if model.style.pre_norm is not pre_norm:
        raise ValueError(
            f"`style.pre_norm` must be {pre_norm} in a {name}. "
            f"Received: {model.style.pre_norm}"
        )
    return describe(model)


def _family(model_type, settings, name, described, tokenizer):
    return Family(
        model_type=model_type,
        settings=settings,
        architectures=(
            Architecture(
                name=f"{name}ForConditionalGeneration",
                model=Blenderbot,
                build=build,
                rules=rules,
                describe=described,
                head=head,
                aliases=aliases,
                unused=UNUSED,
                generation=lambda model: write_generation(model.generation),
            ),
        ),
        prefix="model.",
        tokenizer=tokenizer,
        buffers=(r"(en|de)coder\.version",),
        tokenizer_class=f"{name}Tokenizer",
    )


FAMILY = _family(
    "blenderbot",
    BlenderbotSettings,
    "Blenderbot",
    describe_large,
    read_tokenizer,
)
FAMILY_SMALL = _family(
    "blenderbot-small",
    BlenderbotSmallSettings,
    "BlenderbotSmall",
    describe_small,
    # Its old files hold pieces of words in a format of their own: tokenizer.json only.
    lambda folder, options: None,
)
