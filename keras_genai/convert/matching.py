"""Which stored tensor is which weight; all names and shapes agree, or nothing does."""

import dataclasses
import re

import numpy as np

from keras_genai.convert.buffers import is_buffer
from keras_genai.convert.outlines import Outline
from keras_genai.convert.tensors import Tensors
from keras_genai.tasks.presets import CONFIG, PresetError

_SHOWN = 8  # names in a message
_BLOCK = re.compile(r"block_\d+")


@dataclasses.dataclass(frozen=True)
class Match:
    """Rules and where their tensors are.

    Attributes:
        rules: list of `Rule`.
        places: dict, a name in the rules to the name in the files.
        doubles: list of (name, name) in the files that must hold the same numbers.
    """

    rules: list
    places: dict
    doubles: list


def match(family, architecture, model, shapes, other, folder):
    """Compares the tensors of a folder with the weights of a model.

    Args:
        family: `Family`.
        architecture: `Architecture`.
        model: `Task`, whose weights need not have values. It may have two blocks
            instead of `depth` equal ones, of which the second then stands for all.
        shapes: dict of every stored tensor's name to its shape.
        other: bool. Whether parts of the head begin anew that are not stored, or not of
            these sizes.
        folder: path, for messages.

    Returns:
        `Match`.

    Raises:
        PresetError: if a tensor or a weight is left over, or a shape differs.
    """
    rules, head = architecture.rules(model), architecture.head(model)
    aliases = architecture.aliases(model)
    expected = {name for rule in (*rules, *head) for name in rule.theirs}
    places = _places(family, shapes, expected | aliases.keys())
    doubles = _merge_aliases(places, aliases)
    weights = {
        path: tuple(weight.shape) for path, weight in model.preset_weights().items()
    }
    stored = {name: shapes[place] for name, place in places.items()}
    anew = [rule for rule in head if other and not _fits(rule, weights, stored)]
    begins_anew = {path for rule in anew for path in rule.ours}
    rules = [*rules, *(rule for rule in head if rule not in anew)]
    expected = {name for rule in rules for name in rule.theirs}
    surplus = {
        name
        for name in places.keys() - expected
        if not _is_unused(name.removeprefix(family.prefix), architecture)
    }
    if other and any(place.startswith(family.prefix) for place in places.values()):
        # The head of the stored task is of no use here.
        surplus = {name for name in surplus if name.startswith(family.prefix)}
    ours = {path for rule in rules for path in rule.ours}
    problems = _compare(rules, weights, stored)
    problems["surplus"] = [f"{name} {shapes[places[name]]}" for name in sorted(surplus)]
    problems["in no rule"] = sorted(weights.keys() - ours - begins_anew)
    _report(folder, problems)
    return Match(rules, places, doubles)


def readers(found, model, tensors, folder):
    """Functions that read each weight.

    Args:
        found: `Match`.
        model: `Task` that was matched.
        tensors: `Tensors`.
        folder: path, for messages.

    Returns:
        dict of a weight's path to a function without arguments.

    Raises:
        PresetError: if two tensors differ that must be equal.
    """
    for name, double in found.doubles:
        if not np.array_equal(tensors.read(name), tensors.read(double)):
            raise PresetError(
                f"{folder}: {name} and {double} must be equal, as the config says"
            )
    weights = model.preset_weights()
    return {
        path: _Reader(rule, index, tensors, found.places, weights[path].dtype)
        for rule in found.rules
        for index, path in enumerate(rule.ours)
    }


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Reads one weight of a rule; a tensor of two weights is read twice."""

    rule: object
    index: int
    tensors: Tensors
    places: dict
    dtype: str

    def __call__(self):
        parts = [
            self.tensors.read(self.places[name], self.dtype)
            for name in self.rule.theirs
        ]
        return self.rule.read(*parts)[self.index]


def _is_unused(name, architecture):
    return is_buffer(name) or any(
        re.fullmatch(pattern, name) for pattern in architecture.unused
    )


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


def _merge_aliases(places, aliases):
    """Leaves one of the tensors that are the same; returns the pairs to compare."""
    doubles = []
    for alias, name in aliases.items():
        if alias not in places:
            continue
        place = places.pop(alias)
        if name in places:
            doubles.append((place, places[name]))
        else:
            places[name] = place
    return doubles


def _fits(rule, weights, stored):
    """Whether all that a rule reads is stored, as it should be."""
    return all(stored.get(name) == shape for name, shape in _wanted(rule, weights))


def _wanted(rule, weights):
    """Pairs of the name and the shape of every tensor that a rule reads."""
    ours = [
        Outline(weights[path] if path in weights else weights[_second_block(path)])
        for path in rule.ours
    ]
    for name, like in zip(rule.theirs, rule.write(*ours), strict=True):
        yield name, like.shape


def _compare(rules, weights, stored):
    """Dict of what is missing and of what has another shape, as the files call it."""
    missing, wrong = [], []
    for rule in rules:
        for name, shape in _wanted(rule, weights):
            if name not in stored:
                missing.append(f"{name} {shape}")
            elif stored[name] != shape:
                wrong.append(f"{name} {stored[name]} for {shape}")
    return {"missing": missing, "wrong shape": wrong}


def _second_block(path):
    return _BLOCK.sub("block_1", path)


def _report(folder, problems):
    order = ("missing", "surplus", "wrong shape", "in no rule")
    text = "; ".join(
        f"{kind}: {', '.join(each[:120] for each in found[:_SHOWN])}{_more(found)}"
        for kind in order
        if (found := problems[kind])
    )
    if text:
        raise PresetError(f"{folder} does not fit its {CONFIG}: {text}")


def _more(found):
    return f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
