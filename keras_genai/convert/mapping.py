"""The table format: how a published checkpoint becomes one of our models, and back.

A *family* is one `model_type` of config.json and one file here, `convert/bart.py` for
instance, which holds one `FAMILY = Family(...)` and is listed in
`convert/families.py`. A family has a schema of config.json and a few
*architectures*, the classes that config.json may name. An architecture says how our
model is built from the settings, how the settings are written from our model, and
which weight is which tensor: a list of *rules*, made for one model, so that it knows
the model's depth and style. The same rules read and write:

    def rules(model):
        return [
            *same("embedding/embeddings", "shared.weight"),  # as it is
            *norm("norm", "encoder.layer_norm"),  # gamma and beta
            *linear("block_0/feedforward/expand", "layers.0.fc1"),  # transposed
            *attention("block_0/attention", "layers.0.self_attn.q_proj", ...),
        ]

The left side is a path of a weight in its network, the right side a tensor's name with
the family's `prefix`. Stored names with or without `prefix` are both understood when
reading (`GPT2Model` leaves it out). What is stored and in no rule is an error, unless
it is in the list of `keras_genai.convert.buffers` or a pattern of `unused` matches it;
so is a weight that is in no rule.
`aliases` names tensors that are the same as another one: either may be stored, both
must be equal if both are, and only the canonical one is written.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, ClassVar

import numpy as np
import pydantic

from keras_genai import registry
from keras_genai.tasks.overrides import overridden

Count = Annotated[int, pydantic.Field(ge=1, le=2**22)]
Depth = Annotated[int, pydantic.Field(ge=1, le=512)]
Rate = Annotated[float, pydantic.Field(ge=0, lt=1)]
Token = Annotated[int, pydantic.Field(ge=0, lt=2**31)]


class Settings(pydantic.BaseModel):
    """Base of the schemas of config.json: the keys that change the numbers.

    Other keys are ignored: hundreds exist, for search, logging and training.

    Attributes:
        fixed: dict of settings that must have one value, if they are there at all.
        vocab_size: int, the rows of the token table. Of every subclass.
    """

    model_config = pydantic.ConfigDict(
        extra="ignore", strict=True, frozen=True, allow_inf_nan=False
    )
    fixed: ClassVar[dict] = {}

    @property
    def depths(self):
        """Dict of our model's arguments that count its layers."""
        raise NotImplementedError

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_fixed(cls, values):
        for key, allowed in cls.fixed.items():
            if isinstance(values, dict) and values.get(key, allowed) != allowed:
                raise ValueError(
                    f"`{key}` must be {allowed!r}. Received: {values[key]!r}"
                )
        return values


@dataclasses.dataclass(frozen=True)
class Rule:
    """A few of our weights and the tensors that hold the same numbers.

    Args:
        ours: tuple of str, paths of weights.
        theirs: tuple of str, names of tensors.
        read: function from the arrays of `theirs` to a tuple of those of `ours`.
        write: the inverse. Both only move numbers, so that they work on any dtype.
    """

    ours: tuple
    theirs: tuple
    read: Callable
    write: Callable


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One class name of config.json.

    Args:
        name: str, the class in transformers.
        task: the class of the task here.
        network: the class of its `network`; `NoneType` of a task without this field.
        build: `build(settings, checkpoint, **overrides)` that returns the model.
            `checkpoint` has `names`, the stored tensors as in the rules, `config`,
            the whole config.json as a dict, `generation`, a dict of
            generation_config.json (`None` without one), `preprocessor`, that of
            preprocessor_config.json, and `tokenizer`.
        rules: `rules(model)`, a list of `Rule`.
        describe: `describe(model)`, the dict of config.json for a model; it raises
            `ValueError` if the family cannot express the model.
        head: `head(model)`, like `rules`, for weights that may begin anew when the
            checkpoint was made for another task and this one was asked for.
        aliases: `aliases(model)`, a dict of tensor name to canonical name.
        unused: regular expressions of tensors, without prefix, that this architecture
            can do without, as parts of another head.
        generation: `generation(model)`, the dict of generation_config.json, or `None`.
        files: `files(model)`, the dicts of further JSON files by their names.
        written: function from a tensor's name in the rules to the one that is written,
            where a class has other names than all others of its family.
        computed: `computed(model)`, a dict of float32 arrays by the names of tensors
            that are written, and never read, as they follow from config.json.
    """

    name: str
    task: type
    network: type
    build: Callable
    rules: Callable
    describe: Callable
    head: Callable = lambda model: []
    aliases: Callable = lambda model: {}
    unused: tuple = ()
    generation: Callable | None = None
    files: Callable = lambda model: {}
    written: Callable = lambda name: name
    computed: Callable = lambda model: {}


@dataclasses.dataclass(frozen=True)
class Family:
    """One `model_type`.

    Args:
        model_type: str.
        settings: subclass of `Settings`, the schema of config.json.
        architectures: tuple of `Architecture`. For a task that was asked for, the
            first with that class counts.
        prefix: str, what heads put before the names of the body, `"bert."`.
        tokenizer: `tokenizer(folder, options, size)` that makes a
            `tokenizers.Tokenizer`, or a `Tokenizer`, from vocabulary files, or returns
            `None` if there are none; `options` is tokenizer_config.json as a dict,
            `size` the rows of the token table.
        rename: function from a stored name to the one in the rules.
        finish: function of the model when all is in place, which may change it.
    """

    model_type: str
    settings: type
    architectures: tuple
    prefix: str
    tokenizer: Callable
    rename: Callable = lambda name: name
    finish: Callable = lambda model: None


def made(task, networks, overrides, **arguments):
    """The task of published settings, some of them replaced.

    Args:
        task: class of a task.
        networks: dict of a field of it to the class and the arguments of a network.
        overrides: dict, arguments that a user names; see
            `keras_genai.tasks.overrides.overridden`.
        **arguments: further arguments of the task.
    """
    plain = {
        field: {"class": network.__name__, "config": registry.to_plain(config)}
        for field, (network, config) in networks.items()
    }
    config = {**plain, **registry.to_plain(arguments)}
    return task.from_config(overridden(task, config, overrides))


def within(network, rules):
    """Rules of a network's weights, as they are called in a task that has it."""
    return [
        dataclasses.replace(
            rule, ours=tuple(f"{network.name}/{path}" for path in rule.ours)
        )
        for rule in rules
    ]


def same(ours, theirs):
    """One weight that is stored as it is."""
    return [Rule((ours,), (theirs,), _itself, _itself)]


def linear(ours, theirs, bias=True):
    """A `Dense` layer, `[in, out]`, and a torch `Linear`, `[out, in]`."""
    return joined(ours, (theirs,), bias)


def joined(ours, theirs, bias=True):
    """One `Dense` layer and the torch `Linear` layers that stand side by side in it.

    Args:
        ours: str, path of the layer.
        theirs: tuple of str, names of layers with equal outputs, from left to right.
        bias: bool.
    """

    def read(*parts):
        return (_join([part.T for part in parts], axis=1),)

    def write(kernel):
        return tuple(part.T for part in np.split(kernel, len(theirs), axis=1))

    kernels = tuple(f"{name}.weight" for name in theirs)
    rules = [Rule((f"{ours}/kernel",), kernels, read, write)]
    if bias:
        rules += [
            Rule(
                (f"{ours}/bias",),
                tuple(f"{name}.bias" for name in theirs),
                lambda *parts: (_join(parts, axis=0),),
                lambda whole: tuple(np.split(whole, len(theirs))),
            )
        ]
    return rules


def fused(ours, theirs, heads, bias=False):
    """Query, key and value are one `Linear` there; here, key and value are one.

    Args:
        ours: str, path of an `Attention` layer.
        theirs: str, name of the layer.
        heads: int, the outputs that are queries.
        bias: bool.
    """

    def split(whole):
        return tuple(np.split(whole, [heads], axis=-1))

    def join(query, memory):
        return np.concatenate([query, memory], axis=-1)

    kernels, biases = (
        (f"{ours}/query/{part}", f"{ours}/memory/{part}") for part in ("kernel", "bias")
    )
    weight = Rule(
        kernels,
        (f"{theirs}.weight",),
        lambda whole: split(whole.T),
        lambda *parts: (join(*parts).T,),
    )
    if not bias:
        return [weight]
    return [
        weight,
        Rule(biases, (f"{theirs}.bias",), split, lambda *parts: (join(*parts),)),
    ]


def attention(ours, query, key, value, output, bias=True):
    """An `Attention` layer and the four torch `Linear` layers with these names."""
    return [
        *linear(f"{ours}/query", query, bias),
        *joined(f"{ours}/memory", (key, value), bias),
        *linear(f"{ours}/output", output, bias),
    ]


def norm(ours, theirs, bias=True):
    """A `LayerNormalization`; or, without `bias`, an `RMSNormalization`.

    The scale of ours is `gamma` in the one and `scale` in the other.
    """
    if bias:
        return layer_norm(ours, theirs)
    return same(f"{ours}/scale", f"{theirs}.weight")


def layer_norm(ours, theirs, bias=True):
    """A `LayerNormalization`, perhaps without what it adds."""
    shift = same(f"{ours}/beta", f"{theirs}.bias") if bias else []
    return [*same(f"{ours}/gamma", f"{theirs}.weight"), *shift]


def _itself(array):
    return (array,)


def _join(parts, axis):
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)
