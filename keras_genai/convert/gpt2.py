"""GPT-2 checkpoints: `GPT` in its default style.

Reference: Radford et al. 2019; the tensors as in transformers' `GPT2LMHeadModel`.
"""

import dataclasses
from typing import ClassVar, Literal

import numpy as np
import pydantic

from keras_genai.convert import decoders
from keras_genai.convert.decoder_heads import Body, heads
from keras_genai.convert.decoders import Above
from keras_genai.convert.encoder_settings import HARMLESS
from keras_genai.convert.generation import warn_of_decoding
from keras_genai.convert.labels import LabelledSettings
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    Rule,
    made,
    norm,
    same,
    within,
)
from keras_genai.data import published
from keras_genai.networks.gpt import GPT, GPT2
from keras_genai.tasks.language import CausalLM

# A style's feed-forward network by the name of its activation, the first to be written.
ACTIVATIONS = {
    "gelu_new": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "gelu": "gelu_exact",
    "quick_gelu": "quick_gelu",
}


class GPT2Settings(LabelledSettings):
    """The settings of a GPT-2 that change its numbers."""

    fixed: ClassVar[dict] = {
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
        "is_encoder_decoder": False,
        "pruned_heads": {},
        "quantization_config": None,
    }
    harmless: ClassVar[set] = HARMLESS | decoders.HARMLESS
    # Dropout that there is none of here, the heads of other classes, a context that is
    # `n_positions`, and what only changes how the same is computed.
    idle: ClassVar[set] = {
        *("embd_pdrop", "attn_pdrop", "n_ctx", "reorder_and_upcast_attn"),
        *("summary_type", "summary_use_proj", "summary_activation"),
        *("summary_proj_to_labels", "summary_first_dropout", "type_vocab_size"),
    }

    vocab_size: Count = 50257
    n_positions: Count = 1024
    n_embd: Count = 768
    n_layer: Depth = 12
    n_head: Count = 12
    n_inner: Count | None = None
    activation_function: Literal[*ACTIVATIONS] = "gelu_new"
    layer_norm_epsilon: Above = 1e-5
    scale_attn_weights: bool = True
    resid_pdrop: Rate = 0.1
    tie_word_embeddings: bool = True
    classifier_dropout: Rate | None = None

    @property
    def depths(self):
        return {"depth": self.n_layer}

    @pydantic.model_validator(mode="after")
    def _check_heads(self):
        if self.n_embd % self.n_head:
            raise ValueError(
                "`n_embd` must be a multiple of `n_head`. "
                f"Received: {self.n_embd} and {self.n_head}"
            )
        return self


def build(settings, checkpoint, **overrides):
    """The language model that a config.json describes."""
    warn_of_decoding(checkpoint.generation)
    return made(CausalLM, {"network": (GPT, _network(settings))}, overrides)


def _network(settings):
    """The arguments of the `GPT` that a config.json describes."""
    epsilon = settings.layer_norm_epsilon
    style = dataclasses.replace(
        GPT2,
        feedforward=ACTIVATIONS[settings.activation_function],
        tie_embeddings=settings.tie_word_embeddings,
        norm_epsilon=None if epsilon == GPT2.epsilon else epsilon,
        attention_scale=None if settings.scale_attn_weights else 1.0,
    )
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.n_positions,
        "depth": settings.n_layer,
        "width": settings.n_embd,
        "num_heads": settings.n_head,
        "dropout": settings.resid_pdrop,
        "inner_width": settings.n_inner,
        "style": style,
    }


def describe(model):
    """The config.json of a task whose network is a `GPT`.

    Raises:
        ValueError: if its style or its heads are not GPT-2's.
    """
    network = model.network
    style = network.style
    usual = dataclasses.replace(
        style,
        tie_embeddings=True,
        feedforward=GPT2.feedforward,
        norm_epsilon=None,
        attention_scale=None,
    )
    names = {value: key for key, value in reversed(ACTIVATIONS.items())}
    own_scale = network.head_size**-0.5
    scale = style.attention_scale or own_scale
    if (
        usual != GPT2
        or style.feedforward not in names
        or scale not in (1.0, own_scale)
        or network.head_size * network.num_heads != network.width
    ):
        raise ValueError(
            f"GPT-2 has one style and whole heads, this is {network.style}"
        )
    end = getattr(model.tokenizer, "end_token", None)
    return {
        "vocab_size": network.vocabulary_size,
        "n_positions": network.context,
        "n_embd": network.width,
        "n_layer": network.depth,
        "n_head": network.num_heads,
        "n_inner": network.inner_width,
        "activation_function": names[style.feedforward],
        "layer_norm_epsilon": style.epsilon,
        "scale_attn_weights": scale == own_scale,
        "resid_pdrop": network.dropout,
        "embd_pdrop": network.dropout,
        "attn_pdrop": 0.0,
        "tie_word_embeddings": network.style.tie_embeddings,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": getattr(model.tokenizer, "pad_token", None),
    }


def rules(model):
    """Which weight is which tensor."""
    network = model.network
    found = [
        *same("embedding/embeddings", "transformer.wte.weight"),
        *same("positions/table", "transformer.wpe.weight"),
        *norm("norm", "transformer.ln_f"),
    ]
    for index in range(network.depth):
        found += _block(f"block_{index}", f"transformer.h.{index}", network.width)
    return within(network, found)


def _block(ours, theirs, width):
    return [
        *norm(f"{ours}/attention_norm", f"{theirs}.ln_1"),
        *_fused(f"{ours}/attention", f"{theirs}.attn.c_attn", width),
        *_untransposed(f"{ours}/attention/output", f"{theirs}.attn.c_proj"),
        *norm(f"{ours}/feedforward_norm", f"{theirs}.ln_2"),
        *_untransposed(f"{ours}/feedforward/expand", f"{theirs}.mlp.c_fc"),
        *_untransposed(f"{ours}/feedforward/contract", f"{theirs}.mlp.c_proj"),
    ]


def _untransposed(ours, theirs):
    """GPT-2 keeps its matrices `[in, out]`, as Keras does."""
    return [
        *same(f"{ours}/kernel", f"{theirs}.weight"),
        *same(f"{ours}/bias", f"{theirs}.bias"),
    ]


def _fused(ours, theirs, width):
    """Query, key and value are one matrix there; here, key and value are one."""

    def read(whole):
        return tuple(np.split(whole, [width], axis=-1))

    def write(query, memory):
        return (np.concatenate([query, memory], axis=-1),)

    return [
        Rule((f"{ours}/query/{kind}", f"{ours}/memory/{kind}"), (name,), read, write)
        for kind, name in (("kernel", f"{theirs}.weight"), ("bias", f"{theirs}.bias"))
    ]


def aliases(model):
    """A tied head is the token table."""
    if model.network.style.tie_embeddings:
        return {"lm_head.weight": "transformer.wte.weight"}
    return {}


def read_tokenizer(folder, options, size):
    """Byte-level BPE of vocab.json and merges.txt."""
    end = published.token_text(options.get("eos_token"), "<|endoftext|>")
    return published.byte_level_bpe(
        folder,
        special=[end],
        add_prefix_space=bool(options.get("add_prefix_space")),
        size=size,
        options=options,
    )


FAMILY = Family(
    model_type="gpt2",
    settings=GPT2Settings,
    architectures=(
        Architecture(
            "GPT2LMHeadModel",
            CausalLM,
            GPT,
            build,
            rules,
            describe,
            head=decoders.head,
            aliases=aliases,
        ),
        *heads(
            Body("GPT2Model", "GPT2", _network, rules, describe, tagger="classifier")
        ),
    ),
    prefix="transformer.",
    tokenizer=read_tokenizer,
)
