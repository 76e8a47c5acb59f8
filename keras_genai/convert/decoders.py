"""What the families of decoders since Llama share: settings, tensors, both ways.

All are a `GPT` in a style of their own. A family says which style its settings mean and
which settings write a style; whether a network can be written is found by reading what
would be written.
"""

import dataclasses
from typing import Annotated, Any, ClassVar

import pydantic

from keras_genai.convert.decoder_heads import Body, heads
from keras_genai.convert.generation import warn_of_decoding
from keras_genai.convert.labels import LabelledSettings
from keras_genai.convert.mapping import (
    Architecture,
    Count,
    Depth,
    Family,
    Rate,
    Token,
    joined,
    linear,
    made,
    norm,
    same,
    within,
)
from keras_genai.convert.rotary import read_rotary, write_rotary
from keras_genai.data import published_sentencepiece
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM

Above = Annotated[float, pydantic.Field(gt=0)]
# A style's feed-forward network by the name of its activation, the first to be written.
ACTIVATIONS = {
    "silu": "swiglu",
    "swish": "swiglu",
    "gelu_pytorch_tanh": "geglu",
    "gelu_new": "geglu",
    "gelu": "geglu_exact",
}
SLIDING, FULL = "sliding_attention", "full_attention"
# Options that change no number here: of where a file came from, of training, and of how
# texts are drawn, which `warn_of_decoding` looks at.
HARMLESS = {
    *("attention_dropout", "embd_pdrop", "resid_pdrop", "pretraining_tp"),
    *("is_decoder", "cache_implementation"),
    *("transformers.js_config", "unsloth_version", "unsloth_fixed", "is_llama_config"),
    *("default_theta", "ignore_keys_at_rope_validation", "max_new_tokens"),
}


class DecoderSettings(LabelledSettings):
    """The settings that the families share.

    Attributes:
        turns_part: bool. Whether the first channels of a head may be turned alone.
    """

    fixed: ClassVar[dict] = {
        "add_cross_attention": False,
        "is_encoder_decoder": False,
        "tie_encoder_decoder": False,
        "chunk_size_feed_forward": 0,
        "pruned_heads": {},
        "quantization_config": None,
        "rope_interleaved": False,
        "token_classification_bias": True,
    }
    harmless: ClassVar[set] = HARMLESS
    turns_part: ClassVar[bool] = False

    vocab_size: Count = 32000
    hidden_size: Count = 4096
    intermediate_size: Count = 11008
    num_hidden_layers: Depth = 32
    num_attention_heads: Count = 32
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    hidden_act: str = "silu"
    max_position_embeddings: Count = 2048
    rms_norm_eps: Above = 1e-6
    tie_word_embeddings: bool = False
    rope_theta: Above | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: Above | None = None
    original_max_position_embeddings: Count | None = None
    eos_token_id: Token | list[Token] | None = 2
    classifier_dropout: Rate | None = None

    @property
    def depths(self):
        return {"depth": self.num_hidden_layers}

    @property
    def activation(self):
        """str: the key of the activation in `ACTIVATIONS`."""
        return self.hidden_act

    @property
    def theta(self):
        """float: the base of rotary positions, where no file says one."""
        return 10_000.0

    @property
    def rotary(self):
        """`Rotary` of all blocks that are not local."""
        scheme = self.rope_scaling or self.rope_parameters or {}
        return read_rotary(
            {"rope_theta": self.rope_theta or self.theta, **scheme}, self
        )

    @property
    def style(self):
        """`Style` that these settings mean."""
        raise NotImplementedError

    @classmethod
    def describe(cls, network, config):
        """The dict of config.json, as this family says it.

        Args:
            network: `GPT`.
            config: dict, as Llama says it.
        """
        return config

    def shared(self):
        """dict of the choices of a `Style` that all families say alike."""
        groups = self.num_key_value_heads or self.num_attention_heads
        return {
            "feedforward": ACTIVATIONS[self.activation],
            "tie_embeddings": self.tie_word_embeddings,
            "num_memory_heads": None if groups == self.num_attention_heads else groups,
            "norm_epsilon": None if self.rms_norm_eps == 1e-6 else self.rms_norm_eps,
            "rotary": self.rotary,
        }

    @pydantic.model_validator(mode="after")
    def _check_together(self):
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"the activation must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: {self.activation[:40]!r}"
            )
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                "`hidden_size` must be a multiple of `num_attention_heads`. "
                f"Received: {self.hidden_size} and {self.num_attention_heads}"
            )
        self.style  # noqa: B018, which refuses what it cannot hold
        return self


def local_blocks(kinds):
    """The shortest tuple of bool that, repeated, says which blocks are local.

    Args:
        kinds: list of str of `layer_types`, not empty.
    """
    flags = tuple(kind == SLIDING for kind in kinds)
    for length in range(1, len(flags) + 1):
        if all(flag == flags[n % length] for n, flag in enumerate(flags)):
            return flags[:length]
    return flags


def layer_types(network):
    """list of str: the kind of every block, as config.json says it."""
    local = network.style.is_local
    return [SLIDING if local(index) else FULL for index in range(network.depth)]


def check_layer_types(kinds, depth):
    """Raises unless every layer is said to be local or not.

    Args:
        kinds: list of str, or `None`.
        depth: int.
    """
    if kinds is None:
        return
    if len(kinds) != depth or not {*kinds} <= {SLIDING, FULL}:
        raise ValueError(
            f"`layer_types` must be {depth} of {SLIDING!r} and {FULL!r}. "
            f"Received: {str(kinds)[:80]}"
        )


def end_tokens(settings, generation):
    """tuple of int: what ends a text, as the files say it."""
    stated = (generation or {}).get("eos_token_id")
    stated = settings.eos_token_id if stated is None else stated
    listed = stated if isinstance(stated, list) else [stated]
    size = settings.vocab_size
    return tuple(dict.fromkeys(n for n in listed if type(n) is int and 0 <= n < size))


def _network(settings):
    """The arguments of the `GPT` that a config.json describes."""
    width, count = settings.hidden_size, settings.num_attention_heads
    size = settings.head_dim
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.max_position_embeddings,
        "depth": settings.num_hidden_layers,
        "width": width,
        "num_heads": count,
        "head_dim": None if size is None or size * count == width else size,
        "inner_width": settings.intermediate_size,
        "style": settings.style,
    }


def _build(settings, checkpoint, **overrides):
    """The language model that a config.json describes."""
    said = checkpoint.generation
    warn_of_decoding(checkpoint.config if said is None else said)
    network = GPT, _network(settings)
    ends = end_tokens(settings, said)
    return made(CausalLM, {"network": network}, overrides, ends=ends)


def _describer(kind):
    """`describe` of an architecture."""

    def describe(model):
        network = model.network
        style, ends = network.style, all_ends(model)
        names = {value: key for key, value in reversed(ACTIVATIONS.items())}
        config = {
            "vocab_size": network.vocabulary_size,
            "hidden_size": network.width,
            "intermediate_size": network.inner_width or 4 * network.width,
            "num_hidden_layers": network.depth,
            "num_attention_heads": network.num_heads,
            "num_key_value_heads": style.num_memory_heads or network.num_heads,
            "head_dim": network.head_size,
            "hidden_act": names.get(style.feedforward, style.feedforward),
            "max_position_embeddings": network.context,
            "rms_norm_eps": style.epsilon,
            "attention_dropout": 0.0,
            "tie_word_embeddings": style.tie_embeddings,
            "rope_parameters": write_rotary(style.rotary),
            "bos_token_id": getattr(model.tokenizer, "start_token", None),
            "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
            "pad_token_id": getattr(model.tokenizer, "pad_token", None),
        }
        if network.periods is not None:
            raise ValueError("no family has `periods`")
        config = kind.describe(network, config)
        _compare(kind, config, network)
        return config

    return describe


def _compare(kind, config, network):
    """Raises unless what would be written says what the network is."""
    name = kind.__name__.removesuffix("Settings")
    try:
        found = kind.model_validate(config).style
    except pydantic.ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name}: {message[:200]}") from None
    mine, theirs = (_effects(style, network) for style in (network.style, found))
    other = [key for key in mine if mine[key] != theirs[key]]
    if other:
        raise ValueError(f"{name} has no such {', '.join(other)}: {network.style}")


def _effects(style, network):
    """dict of what the choices of a style come to, those left open too."""
    values = {
        field.name: getattr(style, field.name) for field in dataclasses.fields(style)
    }
    for part in ("query", "output", "feedforward"):
        values[f"{part}_bias"] = style.bias_of(part)
    local = [style.is_local(index) for index in range(network.depth)]
    return {
        **values,
        "use_bias": style.norm == "layer" and style.use_bias,
        "norm_epsilon": style.epsilon,
        "num_memory_heads": style.num_memory_heads or network.num_heads,
        "attention_scale": style.attention_scale or network.head_size**-0.5,
        "local_blocks": local,
        "window": style.window if any(local) else None,
        "local_rotary": (style.local_rotary or style.rotary) if any(local) else None,
    }


def all_ends(model):
    """list of int: the tokens that end a text, the tokenizer's first."""
    end = getattr(model.tokenizer, "end_token", None)
    more = getattr(model, "ends", ())  # of what writes
    return list(dict.fromkeys([*([] if end is None else [end]), *more]))


def _generation(model):
    """The dict of generation_config.json."""
    ends = all_ends(model)
    found = {
        "bos_token_id": getattr(model.tokenizer, "start_token", None),
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "pad_token_id": getattr(model.tokenizer, "pad_token", None),
    }
    return {key: value for key, value in found.items() if value is not None}


def rules(model, block=None):
    """Which weight is which tensor.

    Args:
        model: task of a `GPT`.
        block: function of our path of a block, theirs, and the network, that returns
            the rules of its matrices; or `None`: those of Llama.
    """
    network = model.network
    found = [
        *same("embedding/embeddings", "model.embed_tokens.weight"),
        *norm("norm", "model.norm", bias=False),
    ]
    for index in range(network.depth):
        ours, theirs = f"block_{index}", f"model.layers.{index}"
        found += (block or _matrices)(ours, theirs, network)
        found += _norms(ours, theirs, network.style)
    return within(network, found)


def head(model):
    """Rules of an output matrix that is not the token table."""
    if model.network.style.tie_embeddings:
        return []
    return within(model.network, linear("head", "lm_head", bias=False))


def _matrices(ours, theirs, network):
    style = network.style
    names = [f"{theirs}.self_attn.{part}_proj" for part in "qkvo"]
    query, key, value, output = names
    bias = style.bias_of("query")
    inner = style.bias_of("feedforward")
    return [
        *linear(f"{ours}/attention/query", query, bias),
        *joined(f"{ours}/attention/memory", (key, value), bias),
        *linear(f"{ours}/attention/output", output, style.bias_of("output")),
        *joined(
            f"{ours}/feedforward/expand",
            (f"{theirs}.mlp.gate_proj", f"{theirs}.mlp.up_proj"),
            inner,
        ),
        *linear(f"{ours}/feedforward/contract", f"{theirs}.mlp.down_proj", inner),
    ]


def _norms(ours, theirs, style):
    places = {
        "attention_norm": "input_layernorm",
        "feedforward_norm": "post_attention_layernorm",
    }
    if style.output_norms:
        places |= {
            "attention_output_norm": "post_attention_layernorm",
            "feedforward_norm": "pre_feedforward_layernorm",
            "feedforward_output_norm": "post_feedforward_layernorm",
        }
    if style.normalize_heads:
        places |= {
            "attention/query_norm": "self_attn.q_norm",
            "attention/key_norm": "self_attn.k_norm",
        }
    return [
        rule
        for mine, name in places.items()
        for rule in norm(f"{ours}/{mine}", f"{theirs}.{name}", bias=False)
    ]


def aliases(model):
    """A tied head is the token table."""
    if model.network.style.tie_embeddings:
        return {"lm_head.weight": "model.embed_tokens.weight"}
    return {}


def decoder_family(
    model_type,
    settings,
    name,
    rules=rules,
    stem=None,
    tokenizer=published_sentencepiece.tokenizer_model,
    **more,
):
    """The `Family` of one `model_type`.

    Args:
        model_type: str.
        settings: subclass of `DecoderSettings`.
        name: str, what its class in transformers begins with.
        rules: see `Architecture`.
        stem: str or `None` (`name`), what its other classes begin with.
        tokenizer: see `Family`.
        **more: see `Body`.
    """
    describe, stem = _describer(settings), stem or name
    body = Body(f"{stem}Model", stem, _network, rules, describe, **more)
    language = Architecture(
        f"{name}ForCausalLM",
        CausalLM,
        GPT,
        _build,
        rules,
        describe,
        head=head,
        aliases=aliases,
        generation=_generation,
    )
    return Family(
        model_type=model_type,
        settings=settings,
        architectures=(language, *heads(body)),
        prefix="model.",
        tokenizer=tokenizer,
        rename=_rename,
    )


def _rename(name):
    """Classes that answer questions call the body otherwise, as long ago."""
    if name.startswith("transformer."):
        return f"model.{name.removeprefix('transformer.')}"
    return name
