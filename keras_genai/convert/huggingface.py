"""Hugging Face folders: config.json, safetensors and tokenizer files, without torch.

The table format by which a family's weights are read and written is described in
`keras_genai.convert.mapping`; the families are listed in
`keras_genai.convert.families`. A folder is read in this order, and nothing is kept if a
step fails: config.json by the family's schema, the tokenizer, the headers of the weight
files, the model without weights, the names and shapes of all tensors against all
weights, and only then the numbers, one tensor at a time.
"""

import dataclasses
import json
import re

import numpy as np
import pydantic
from safetensors.numpy import save_file

from keras_genai.convert.buffers import is_buffer
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.tensors import WEIGHTS, Tensors
from keras_genai.convert.tokenizer_files import (
    TOKENIZER_CONFIG,
    read_tokenizer,
    write_options,
)
from keras_genai.files.writing import write_text
from keras_genai.tasks.filling import build_filled
from keras_genai.tasks.presets import CONFIG, TOKENIZER, PresetError, read_json

GENERATION = "generation_config.json"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What an architecture's `build` may look at.

    Attributes:
        names: frozenset of str, the stored tensors, with the family's prefix or not.
        config: dict, config.json.
        generation: dict, generation_config.json, empty if there is none.
        tokenizer: `Tokenizer` or `None`.
    """

    names: frozenset
    config: dict
    generation: dict
    tokenizer: object


def recognizes(config):
    """Whether a folder with this config.json is a published checkpoint."""
    return isinstance(config, dict) and "model_type" in config


def read(folder, task=None, **overrides):
    """Opens a published checkpoint.

    Args:
        folder: path.
        task: class of the model, or its name, or `None`: what config.json says. With
            another class than that, the body is read and the head begins anew.
        **overrides: constructor arguments, for instance `dtype="mixed_bfloat16"`.

    Returns:
        The model, weights and tokenizer in place.

    Raises:
        PresetError: if a file is missing or damaged, if a setting is out of range, or
            if a tensor or a weight is left over. Nothing has been loaded then.
        ValueError: if there is no such `task` in this family.
    """
    config = read_json(folder / CONFIG)
    family = _find_family(config, folder)
    architecture, other = _find_architecture(family, config, task, folder)
    settings = _validate(family, config, folder)
    tokenizer = read_tokenizer(folder, family, settings.vocab_size, FAMILIES)
    tensors = Tensors(folder)
    generation = {}
    if (folder / GENERATION).is_file():
        generation = read_json(folder / GENERATION)
    names = frozenset(family.rename(name) for name in tensors.shapes)
    checkpoint = Checkpoint(names, config, generation, tokenizer)
    model = build_filled(
        lambda: architecture.build(settings, checkpoint, **overrides),
        lambda model: _readers(family, architecture, model, tensors, other, folder),
    )
    model.tokenizer = tokenizer
    return model


def write(model, folder):
    """Writes what transformers reads: config.json, model.safetensors, tokenizer files.

    Args:
        model: `Task` of a class that a family has.
        folder: path of an existing folder.

    Raises:
        ValueError: if no family has such a model, or cannot express this one.
    """
    family, architecture = _find_writer(model)
    config = {
        "architectures": [architecture.name],
        "model_type": family.model_type,
        "dtype": "float32",
        **architecture.describe(model),
    }
    _write_json(folder / CONFIG, config)
    weights = model.preset_weights()
    arrays = {}
    for rule in (*architecture.rules(model), *architecture.head(model)):
        ours = [weights.pop(path).numpy().astype("float32") for path in rule.ours]
        for name, array in zip(rule.theirs, rule.write(*ours), strict=True):
            arrays[name] = np.ascontiguousarray(array)
    if weights:
        raise ValueError(f"{architecture.name} has no place for {sorted(weights)}")
    save_file(arrays, folder / WEIGHTS, metadata={"format": "pt"})
    if architecture.generation is not None:
        _write_json(folder / GENERATION, architecture.generation(model))
    if model.tokenizer is not None:
        core = model.tokenizer.core
        write_text(folder / TOKENIZER, core.to_str(pretty=True))
        options = write_options(model.tokenizer, getattr(model, "context", None))
        _write_json(folder / TOKENIZER_CONFIG, options)


def _find_family(config, folder):
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise PresetError(
            f"{folder / CONFIG}: `model_type` must be one of {', '.join(FAMILIES)}. "
            f"Received: {str(model_type)[:80]!r}"
        )
    return FAMILIES[model_type]


def _find_architecture(family, config, task, folder):
    """The architecture, and whether the head may differ from the stored one."""
    stored = config.get("architectures") or [None]
    known = {each.name: each for each in reversed(family.architectures)}
    own = known.get(stored[0]) if isinstance(stored, list) else None
    if task is None:
        if own is None:
            raise PresetError(
                f"{folder / CONFIG}: `architectures` must be one of "
                f"{', '.join(known)}. Received: {str(stored)[:80]}; or say `task`"
            )
        return own, False
    name = task if isinstance(task, str) else task.__name__
    if own is not None and own.model.__name__ == name:
        return own, False
    for each in family.architectures:
        if each.model.__name__ == name:
            return each, True
    tasks = sorted({each.model.__name__ for each in family.architectures})
    raise ValueError(f"`task` must be one of {', '.join(tasks)}. Received: {task!r}")


def _validate(family, config, folder):
    try:
        return family.settings.model_validate_json(json.dumps(config))
    except (pydantic.ValidationError, ValueError) as error:
        message = str(error)
        if isinstance(error, pydantic.ValidationError):
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            given = str(first["input"])[:80] if where else ""
            message = f"`{where}`: {first['msg']}. Received: {given}"
            if not where:
                message = first["msg"].removeprefix("Value error, ")
        raise PresetError(f"{folder / CONFIG}: {message}") from None


def _readers(family, architecture, model, tensors, other, folder):
    """Functions that read each weight, after all names and shapes have been checked."""
    rules, head = architecture.rules(model), architecture.head(model)
    aliases = architecture.aliases(model)
    expected = {name for rule in (*rules, *head) for name in rule.theirs}
    places = _places(family, tensors.shapes, expected | aliases.keys())
    _merge_aliases(places, aliases, tensors, folder)
    if other and not any(name in places for rule in head for name in rule.theirs):
        begins_anew = {path for rule in head for path in rule.ours}
    else:
        rules, begins_anew = [*rules, *head], set()
    expected = {name for rule in rules for name in rule.theirs}
    surplus = {
        name
        for name in places.keys() - expected
        if not _is_unused(name.removeprefix(family.prefix), architecture)
    }
    if other and any(place.startswith(family.prefix) for place in places.values()):
        # The head of the stored task is of no use here.
        surplus = {name for name in surplus if name.startswith(family.prefix)}
    weights = model.preset_weights()
    unmapped = (
        weights.keys() - {path for rule in rules for path in rule.ours} - begins_anew
    )
    shapes = {name: tensors.shapes[place] for name, place in places.items()}
    _report(folder, rules, weights, shapes, surplus, unmapped)
    return {
        path: _Reader(rule, index, tensors, places)
        for rule in rules
        for index, path in enumerate(rule.ours)
    }


def _is_unused(name, architecture):
    return is_buffer(name) or any(
        re.fullmatch(pattern, name) for pattern in architecture.unused
    )


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Reads one weight of a rule; a tensor of two weights is read twice."""

    rule: object
    index: int
    tensors: Tensors
    places: dict

    def __call__(self):
        parts = [self.tensors.read(self.places[name]) for name in self.rule.theirs]
        return self.rule.read(*parts)[self.index]


def _places(family, stored, expected):
    """From a tensor's name in the rules to its name in the files."""
    places = {}
    for place in stored:
        name = family.rename(place)
        for variant in (name, family.prefix + name, name.removeprefix(family.prefix)):
            if variant in expected:
                name = variant
                break
        places[name] = place
    return places


def _merge_aliases(places, aliases, tensors, folder):
    """Leaves one of the tensors that are the same."""
    for alias, name in aliases.items():
        if alias not in places:
            continue
        if name not in places:
            places[name] = places.pop(alias)
            continue
        first, second = tensors.read(places[name]), tensors.read(places.pop(alias))
        if first.shape != second.shape or not np.array_equal(first, second):
            raise PresetError(
                f"{folder}: {alias} and {name} must be equal, as the config says"
            )


def _report(folder, rules, weights, shapes, surplus, unmapped):
    """Raises if anything does not fit; names all of it, as the files call it."""
    missing, wrong = [], []
    for rule in rules:
        # One byte a number, because only shapes count.
        ours = [np.zeros((), "int8") for _ in rule.ours]
        ours = [
            np.broadcast_to(zero, tuple(weights[path].shape))
            for zero, path in zip(ours, rule.ours, strict=True)
        ]
        for name, like in zip(rule.theirs, rule.write(*ours), strict=True):
            if name not in shapes:
                missing.append(f"{name} {like.shape}")
            elif shapes[name] != like.shape:
                wrong.append(f"{name} {shapes[name]} for {like.shape}")
    problems = {
        "missing": missing,
        "surplus": [f"{name} {shapes[name]}" for name in sorted(surplus)],
        "wrong shape": wrong,
        "in no rule": sorted(unmapped),
    }
    text = "; ".join(
        f"{kind}: {', '.join(found[:8])}{_more(found)}"
        for kind, found in problems.items()
        if found
    )
    if text:
        raise PresetError(f"{folder} does not fit its {CONFIG}: {text}")


def _more(found):
    return f" and {len(found) - 8} more" if len(found) > 8 else ""


def _find_writer(model):
    reasons = []
    for family in FAMILIES.values():
        for architecture in family.architectures:
            if type(model) is not architecture.model:
                continue
            try:
                architecture.describe(model)
            except ValueError as error:
                reasons.append(str(error))
                continue
            return family, architecture
    reason = reasons[0] if reasons else "no family has this class"
    raise ValueError(
        f"`format='huggingface'` cannot hold this {type(model).__name__}: {reason}"
    )


def _write_json(path, content):
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
    write_text(path, f"{text}\n")
