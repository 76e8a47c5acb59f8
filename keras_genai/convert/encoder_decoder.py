"""What the tables of BART and Blenderbot share."""

from typing import ClassVar, Literal

from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.convert.mapping import (
    Architecture,
    Family,
    Rate,
    Rule,
    Settings,
    attention,
    linear,
    norm,
    same,
)

# transformers' names of activations, and ours.
ACTIVATIONS = {
    "gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
# Stored, and read by nobody, when each side has a token table of its own.
UNUSED = (r"shared\.weight",)


class EncoderDecoderSettings(Settings):
    """The keys of config.json that all have alike. A subclass adds the sizes.

    Attributes:
        decoding: dict, the decode settings that transformers' class has by itself.
    """

    decoding: ClassVar[dict] = {}

    activation_function: Literal[*ACTIVATIONS] = "gelu"
    scale_embedding: bool = False
    dropout: Rate = 0.1
    tie_word_embeddings: bool = True

    @property
    def depths(self):
        return {
            "encoder_depth": self.encoder_layers,
            "decoder_depth": self.decoder_layers,
        }


def fixed(pre_norm):
    """`Settings.fixed`: what files from before 2021 say of one way to normalise."""
    return {
        "normalize_before": pre_norm,
        "normalize_embedding": not pre_norm,
        "add_final_layer_norm": pre_norm,
        "static_position_embeddings": False,
    }


def family(model_type, name, settings, model, build, rules, describe, tokenizer):
    """A `Family` of one architecture.

    Args:
        model_type: str.
        name: str, with which the classes of transformers begin.
        settings: subclass of `EncoderDecoderSettings`.
        model, build, rules, describe: see `Architecture`.
        tokenizer: see `Family`.
    """
    architecture = Architecture(
        name=f"{name}ForConditionalGeneration",
        model=model,
        build=build,
        rules=rules,
        describe=describe,
        head=head,
        aliases=aliases,
        unused=UNUSED,
        generation=lambda model: write_generation(model.generation),
    )
    return Family(
        model_type=model_type,
        settings=settings,
        architectures=(architecture,),
        prefix="model.",
        tokenizer=tokenizer,
    )


def arguments(settings, checkpoint):
    """Arguments of `BART` and `Blenderbot`, without the style."""
    return dict(
        vocabulary_size=settings.vocab_size,
        context=settings.max_position_embeddings,
        encoder_depth=settings.encoder_layers,
        decoder_depth=settings.decoder_layers,
        width=settings.d_model,
        num_heads=settings.encoder_attention_heads,
        hidden=settings.encoder_ffn_dim,
        dropout=settings.dropout,
        generation=read_generation(
            checkpoint.config,
            checkpoint.generation,
            settings.decoding,
            settings.vocab_size,
        ),
    )


def style(settings):
    """Arguments that `BARTStyle` and `BlenderbotStyle` have in common."""
    heads, hidden = settings.decoder_attention_heads, settings.decoder_ffn_dim
    return dict(
        activation=ACTIVATIONS[settings.activation_function],
        scale_embedding=settings.scale_embedding,
        tie_embeddings=settings.tie_word_embeddings,
        decoder_num_heads=None if heads == settings.encoder_attention_heads else heads,
        decoder_hidden=None if hidden == settings.encoder_ffn_dim else hidden,
    )


def rules(model, pre_norm):
    """Which weight is which tensor."""
    found = [*_tables(model), *_stacks(model)]
    for side in ("encoder", "decoder"):
        theirs = f"model.{side}"
        found += same(f"{side}_positions/table", f"{theirs}.embed_positions.weight")
        if pre_norm:
            found += norm(f"{side}/norm", f"{theirs}.layer_norm")
        else:
            found += norm(f"{side}_norm", f"{theirs}.layernorm_embedding")
    return found


def _tables(model):
    if model.style.tie_embeddings:
        return same("embedding/embeddings", "model.shared.weight")
    return [
        *same("embedding/embeddings", "model.encoder.embed_tokens.weight"),
        *same("decoder_embedding/embeddings", "model.decoder.embed_tokens.weight"),
    ]


def _stacks(model):
    depths = {"encoder": model.encoder_depth, "decoder": model.decoder_depth}
    rules = []
    for side, depth in depths.items():
        for index in range(depth):
            ours, theirs = f"{side}/block_{index}", f"model.{side}.layers.{index}"
            rules += _attention(f"{ours}/attention", f"{theirs}.self_attn")
            rules += norm(f"{ours}/attention_norm", f"{theirs}.self_attn_layer_norm")
            rules += linear(f"{ours}/feedforward/expand", f"{theirs}.fc1")
            rules += linear(f"{ours}/feedforward/contract", f"{theirs}.fc2")
            rules += norm(f"{ours}/feedforward_norm", f"{theirs}.final_layer_norm")
            if side == "decoder":
                rules += _attention(f"{ours}/cross_attention", f"{theirs}.encoder_attn")
                rules += norm(f"{ours}/cross_norm", f"{theirs}.encoder_attn_layer_norm")
    return rules


def head(model):
    """Rules of the output layer."""
    rules = [
        Rule(
            ("logits_bias",),
            ("final_logits_bias",),
            lambda row: (row.reshape(-1),),
            lambda bias: (bias[None],),
        )
    ]
    if not model.style.tie_embeddings:
        rules += linear("head", "lm_head", bias=False)
    return rules


def aliases(model):
    """Tensors that are the token table once more."""
    if not model.style.tie_embeddings:
        return {}
    names = ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head")
    return {f"{name}.weight": "model.shared.weight" for name in names}


def describe(model):
    """config.json of a model."""
    look, settings = model.style, model.generation
    theirs = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    return {
        "vocab_size": model.vocabulary_size,
        "max_position_embeddings": model.context,
        "encoder_layers": model.encoder_depth,
        "decoder_layers": model.decoder_depth,
        "d_model": model.width,
        "encoder_attention_heads": model.num_heads,
        "decoder_attention_heads": look.decoder_num_heads or model.num_heads,
        "encoder_ffn_dim": model.hidden,
        "decoder_ffn_dim": look.decoder_hidden or model.hidden,
        "activation_function": theirs[look.activation],
        "scale_embedding": look.scale_embedding,
        "dropout": model.dropout_rate,
        "tie_word_embeddings": look.tie_embeddings,
        "is_encoder_decoder": True,
        "decoder_start_token_id": settings.decoder_start_token,
    }


def _attention(ours, theirs):
    names = (f"{theirs}.{part}_proj" for part in ("q", "k", "v", "out"))
    return attention(ours, *names)
