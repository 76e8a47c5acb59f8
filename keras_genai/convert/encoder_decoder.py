"""What tables of encoder-decoders share; those of all styles of `EncoderDecoder`."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np

from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.convert.known_settings import KnownSettings
from keras_genai.convert.mapping import (
    Architecture,
    Family,
    Rate,
    Rule,
    attention,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.data.turns import INSTRUCTION, Turns
from keras_genai.networks.encoder_decoder import EncoderDecoder, EncoderDecoderStyle
from keras_genai.tasks.seq2seq import Seq2SeqLM

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
# Waves are computed, also where a file has them.
WAVES = (r"(encoder|decoder)\.embed_positions\.weights?",)
# In these, all checkpoints of a class are alike.
ALIKE = ("pre_norm", "embedding_norm", "positions")
SIDES = ("encoder", "decoder")
BIAS = "final_logits_bias"  # of old files, not all have it
HARMLESS = {
    # What is one of the sizes once more, or says which kind of model this is.
    *("num_hidden_layers", "add_cross_attention", "tie_encoder_decoder"),
    *("eos_token_id", "unk_token_id", "mask_token_id", "language", "processor_class"),
    # Dropout that there is none of here, and how training begins.
    *("attention_dropout", "activation_dropout", "encoder_layerdrop", "init_std"),
    *("decoder_layerdrop", "classif_dropout", "classifier_dropout", "dropout_rate"),
    # Of classes with another head, or that no class reads.
    *("id2label", "num_labels", "_num_labels", "problem_type", "num_return_sequences"),
    *("extra_pos_embeddings", "do_blenderbot_90_layernorm", "output_past", "save_step"),
    *(
        "xla_device",
        "max_new_tokens",
        "layernorm_variant",
        "force_bos_token_to_be_generated",
    ),
    *("add_bias_logits", "chunk_size_feed_forward", "use_return_dict"),
}
FIXED = {
    "is_decoder": False,
    "is_encoder_decoder": True,
    "pruned_heads": {},
    "quantization_config": None,
}


class EncoderDecoderSettings(KnownSettings):
    """The keys of config.json that all have alike. A subclass adds the sizes.

    Attributes:
        decoding: dict, the decode settings that transformers' class has by itself.
    """

    harmless: ClassVar[set] = HARMLESS
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

    @property
    def look(self):
        """dict of choices of a style that a family has beside the others."""
        return {}

    @property
    def sizes(self):
        """dict of arguments of networks that all have alike."""
        return {
            "vocabulary_size": self.vocab_size,
            **self.depths,
            "width": self.d_model,
            "num_heads": self.encoder_attention_heads,
            "inner_width": self.encoder_ffn_dim,
            "dropout": self.dropout,
        }


def fixed(pre_norm, embedding_norm=None, waves=False):
    """`Settings.fixed`: what files from before 2021 say that later ones do not.

    Args:
        pre_norm: bool.
        embedding_norm: bool or `None` (what `pre_norm` is not).
        waves: bool. Whether positions are not learned.
    """
    normalized = not pre_norm if embedding_norm is None else embedding_norm
    return {
        **FIXED,
        "normalize_before": pre_norm,
        "normalize_embedding": normalized,
        "add_final_layer_norm": pre_norm,
        "static_position_embeddings": waves,
    }


@dataclasses.dataclass(frozen=True)
class Kind:
    """One class of transformers, as an `EncoderDecoder`.

    Args:
        name: str, with which it begins.
        style: `EncoderDecoderStyle`. Of it, config.json decides what is not `ALIKE`.
            A class without `logits_bias` has none, one with it may have it.
        turns: `Turns`, how conversations were written down for it.
        unread: int. Rows in front of its tables of positions that nobody reads.
        head: str, with which the name of its class ends.
        more: function of a model to a dict, what config.json says of this class alone;
            it raises `ValueError` if the class cannot express the network.
        stores_waves: bool. Whether its files hold the waves of its places.
    """

    name: str
    style: EncoderDecoderStyle
    turns: Turns = INSTRUCTION
    unread: int = 0
    head: str = "ForConditionalGeneration"
    more: Callable = lambda model: _plain(model)
    stores_waves: bool = False

    def build(self, settings, checkpoint, **overrides):
        """The model of a folder."""
        network = {
            **settings.sizes,
            "context": settings.max_position_embeddings,
            "style": self._style(settings, checkpoint.names),
        }
        generation = read_generation(
            checkpoint.config,
            checkpoint.generation,
            settings.decoding,
            network["vocabulary_size"],
        )
        return made(
            Seq2SeqLM,
            {"network": (EncoderDecoder, network)},
            overrides,
            generation=generation,
            turns=self.turns,
        )

    def _style(self, settings, names):
        heads, inner = settings.decoder_attention_heads, settings.decoder_ffn_dim
        return dataclasses.replace(
            self.style,
            activation=ACTIVATIONS[settings.activation_function],
            scale_embedding=settings.scale_embedding,
            tie_embeddings=settings.tie_word_embeddings,
            logits_bias=self.style.logits_bias and BIAS in names,
            **settings.look,
            decoder_num_heads=None
            if heads == settings.encoder_attention_heads
            else heads,
            decoder_inner_width=None if inner == settings.encoder_ffn_dim else inner,
        )

    def rules(self, model):
        """Which weight is which tensor."""
        network = model.network
        found = [*_tables(network), *stacks(network)]
        for side in SIDES:
            theirs = f"model.{side}"
            if self.style.positions == "learned":
                found += _positions(
                    f"{side}_positions/table",
                    f"{theirs}.embed_positions.weight",
                    self.unread,
                )
            if self.style.pre_norm:
                found += norm(f"{side}/norm", f"{theirs}.layer_norm")
            if self.style.embedding_norm != "nothing":
                found += norm(f"{side}_norm", f"{theirs}.layernorm_embedding")
        return within(network, found)

    def describe(self, model):
        """config.json of a model."""
        network, look = model.network, model.network.style
        for choice in ALIKE:
            if getattr(look, choice) != getattr(self.style, choice):
                raise ValueError(
                    f"`style.{choice}` must be {getattr(self.style, choice)!r} in a "
                    f"{self.name}. Received: {getattr(look, choice)!r}"
                )
        if look.logits_bias and not self.style.logits_bias:
            raise ValueError(f"`style.logits_bias` must be False in a {self.name}")
        return {
            **described(model, look),
            **self.more(model),
            "max_position_embeddings": network.context,
            "scale_embedding": look.scale_embedding,
            "tie_word_embeddings": look.tie_embeddings,
        }


def _plain(model):
    """What pads, of a network with one token table, or three, and places for all."""
    network, style = model.network, model.network.style
    if (
        style.own_inputs
        or network.inputs_vocabulary_size
        or style.pad_token is not None
    ):
        raise ValueError(
            "`style` must have no `own_inputs`, no `pad_token`, and one size of all "
            f"tables. Received: {style}"
        )
    return padding(model)


def padding(model, otherwise=None):
    """dict of `pad_token_id`, if the tokenizer or `otherwise` says one."""
    pad = getattr(model.tokenizer, "pad_token", None)
    pad = otherwise if pad is None else pad
    return {} if pad is None else {"pad_token_id": pad}


def described(model, style):
    """What config.json says of every model.

    Args:
        model: `Task` of an encoder-decoder.
        style: what has its activation, and the sizes of its decoder alone: a style, or
            the network itself.

    Returns:
        dict.
    """
    network = model.network
    theirs = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    inner_width = network.inner_width or 4 * network.width
    return {
        "vocab_size": network.vocabulary_size,
        "encoder_layers": network.encoder_depth,
        "decoder_layers": network.decoder_depth,
        "d_model": network.width,
        "encoder_attention_heads": network.num_heads,
        "decoder_attention_heads": style.decoder_num_heads or network.num_heads,
        "encoder_ffn_dim": inner_width,
        "decoder_ffn_dim": style.decoder_inner_width or inner_width,
        "activation_function": theirs[style.activation],
        "dropout": network.dropout,
        "is_encoder_decoder": True,
        "decoder_start_token_id": model.generation.decoder_start_token,
    }


def family(model_type, settings, kind, tokenizer, **more):
    """A `Family` of one class.

    Args:
        model_type: str.
        settings: subclass of `EncoderDecoderSettings`.
        kind: `Kind`.
        tokenizer, **more: see `Family`.
    """
    architecture = Architecture(
        name=f"{kind.name}{kind.head}",
        task=Seq2SeqLM,
        network=EncoderDecoder,
        build=kind.build,
        rules=kind.rules,
        describe=kind.describe,
        head=head,
        aliases=aliases,
        unused=UNUSED if kind.style.positions == "learned" else (*UNUSED, *WAVES),
        generation=lambda model: write_generation(model.generation),
        computed=_waves if kind.stores_waves else lambda model: {},
    )
    return Family(
        model_type=model_type,
        settings=settings,
        architectures=(architecture,),
        prefix="model.",
        tokenizer=tokenizer,
        **more,
    )


def _waves(model):
    """The vectors of places, of both sides."""
    layers = {side: getattr(model.network, f"{side}_positions") for side in SIDES}
    return {
        f"model.{side}.embed_positions.weight": layer.table
        for side, layer in layers.items()
    }


def head(model):
    """Rules of the output layer."""
    rules = []
    if model.network.style.logits_bias:
        rules += [
            Rule(
                ("logits_bias",),
                (BIAS,),
                lambda row: (row.reshape(-1),),
                lambda bias: (bias[None],),
            )
        ]
    if not model.network.style.tie_embeddings:
        rules += linear("head", "lm_head", bias=False)
    return within(model.network, rules)


def aliases(model):
    """Tensors that are the token table once more."""
    style = model.network.style
    if not style.tie_embeddings:
        return {}
    if style.own_inputs:
        return {"lm_head.weight": "model.decoder.embed_tokens.weight"}
    names = ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head")
    return {f"{name}.weight": "model.shared.weight" for name in names}


def projections(ours, theirs):
    """An `Attention` layer and the four tensors of theirs."""
    names = (f"{theirs}.{part}_proj" for part in ("q", "k", "v", "out"))
    return attention(ours, *names)


def stacks(network, attended=projections):
    """Rules of all blocks of a network.

    Args:
        network: `Network` with `encoder_depth` and `decoder_depth`.
        attended: function of the paths of an attention, ours and theirs, that returns
            its rules.
    """
    depths = {"encoder": network.encoder_depth, "decoder": network.decoder_depth}
    rules = []
    for side, depth in depths.items():
        for index in range(depth):
            ours, theirs = f"{side}/block_{index}", f"model.{side}.layers.{index}"
            rules += attended(f"{ours}/attention", f"{theirs}.self_attn")
            rules += norm(f"{ours}/attention_norm", f"{theirs}.self_attn_layer_norm")
            rules += linear(f"{ours}/feedforward/expand", f"{theirs}.fc1")
            rules += linear(f"{ours}/feedforward/contract", f"{theirs}.fc2")
            rules += norm(f"{ours}/feedforward_norm", f"{theirs}.final_layer_norm")
            if side == "decoder":
                rules += attended(f"{ours}/cross_attention", f"{theirs}.encoder_attn")
                rules += norm(f"{ours}/cross_norm", f"{theirs}.encoder_attn_layer_norm")
    return rules


def _tables(network):
    if not network.style.has_inputs_table:
        return same("embedding/embeddings", "model.shared.weight")
    return [
        *same("embedding/embeddings", "model.encoder.embed_tokens.weight"),
        *same("decoder_embedding/embeddings", "model.decoder.embed_tokens.weight"),
    ]


def _positions(ours, theirs, unread):
    """A table of positions; what is `unread` in the file may be anything."""

    def read(table):
        return (np.split(table, [unread])[1],)

    def write(table):
        rows = np.split(np.concatenate([table] * unread), [unread])[0]
        return (np.concatenate([rows, table]),)

    return [Rule((ours,), (theirs,), read, write)] if unread else same(ours, theirs)
