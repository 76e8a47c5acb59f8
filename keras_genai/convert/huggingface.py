"""Hugging Face folders: config.json, safetensors and tokenizer files, without torch.

The table format by which a family's weights are read and written is described in
`keras_genai.convert.mapping`; the families are listed in
`keras_genai.convert.families`. A folder is read in this order, and nothing is kept if a
step fails: config.json by the family's schema, the tokenizer, the headers of the weight
files, the model without weights, the names and shapes of all tensors against all
weights, and only then the numbers, one tensor at a time.
"""

import contextlib
import dataclasses
import functools
import json
import warnings

import keras
import numpy as np
import pydantic

from keras_genai import compat
from keras_genai.convert.chat import read_turns
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.matching import match, readers
from keras_genai.convert.reading import read_object, write_object
from keras_genai.convert.sentence_transformers import (
    Joined,
    body_of,
    has_modules,
    read_sentence,
)
from keras_genai.convert.tensors import Tensors
from keras_genai.convert.tokenizer_files import (
    TOKENIZER_CONFIG,
    read_options,
    read_tokenizer,
    write_tokenizer,
)
from keras_genai.data.template_turns import TemplateTurns
from keras_genai.files import shards
from keras_genai.files.finding import find_file
from keras_genai.tasks import presets
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.filling import build_filled
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.presets import ADAPTER, CONFIG, PresetError

GENERATION = "generation_config.json"
PREPROCESSOR, PROCESSOR = "preprocessor_config.json", "processor_config.json"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What an architecture's `build` may look at.

    Attributes:
        names: frozenset of str, the stored tensors, with the family's prefix or not.
        config: dict, config.json.
        generation: dict, generation_config.json, or `None` if there is none.
        preprocessor: dict, preprocessor_config.json, or its part of
            processor_config.json, or `None`.
        tokenizer: `Tokenizer` or `None`.
    """

    names: frozenset
    config: dict
    generation: dict
    preprocessor: dict
    tokenizer: object


def recognizes(config):
    """Whether a folder with this config.json is a published checkpoint.

    Beside modules.json, sentence-transformers wrote a config.json with nothing but its
    version before 2021.
    """
    return isinstance(config, dict) and (
        "model_type" in config or config.keys() == {"__version__"}
    )


def read(folder, task=None, **overrides):
    """Opens a published checkpoint.

    Args:
        folder: path.
        task: class of the model, or its name, or `None`: what config.json says. With
            another class than that, the body is read, and of the head what is stored
            by its names; the rest begins anew.
        **overrides: constructor arguments, for instance `dtype="mixed_bfloat16"`, or
            `"bfloat16"`, with which the numbers of such a file stay as they are.

    Returns:
        The model, weights and tokenizer in place.

    Raises:
        PresetError: if a file is missing or damaged, if a setting is out of range, or
            if a tensor or a weight is left over. Nothing has been loaded then.
        ValueError: if there is no such `task` in this family.
    """
    task, above, folder = _find_sentence(folder, task)
    config = read_object(folder, CONFIG)
    family = _find_family(config, folder)
    architecture, other = _find_architecture(family, config, task, folder)
    settings = _validate(family, config, folder)
    _warn_of_company(family, config, folder)
    tokenizer = read_tokenizer(folder, family, settings.vocab_size, FAMILIES)
    tensors = Tensors(folder)
    if architecture.task is SentenceEmbedder:
        found = read_sentence(above, folder, read_options(folder))
        overrides = {**found.arguments, **overrides}
        tensors = Joined(tensors, found.dense)
    shapes = tensors.shapes
    names = frozenset(family.rename(name) for name in shapes)
    said = read_object(folder, GENERATION), _preprocessor(folder)
    checkpoint = Checkpoint(names, config, *said, tokenizer)

    def build(**more):
        with _one_line(folder):
            return architecture.build(settings, checkpoint, **{**overrides, **more})

    def matched(model):
        return match(family, architecture, model, shapes, other, folder)

    depths = {**settings.depths, **overrides}
    depths = {name: depths[name] for name in settings.depths}
    matched(outlined(build, depths))
    model = build_filled(
        build, lambda model: readers(matched(model), model, tensors, folder)
    )
    model.tokenizer = tokenizer
    family.finish(model)
    if isinstance(model, CausalLM) and "turns" not in overrides:
        model.turns = read_turns(folder, tokenizer) or model.turns
    return model


def _find_sentence(folder, task):
    """The task, the folder of modules.json and that of the encoder."""
    if not has_modules(folder):
        return task, folder, folder
    name = SentenceEmbedder.__name__ if task is None else task
    return name, folder, body_of(folder)


def _preprocessor(folder):
    """What a folder says of how sounds or pictures are read, or `None`."""
    found = read_object(folder, PREPROCESSOR)
    if found is not None:
        return found
    whole = read_object(folder, PROCESSOR) or {}
    parts = (whole.get(name) for name in ("image_processor", "feature_extractor"))
    return next((part for part in parts if isinstance(part, dict)), None)


def outlined(build, depths):
    """A model without numbers and with two layers, which says that it has all.

    So a config.json that asks for many layers is compared with the files before they
    are built. The first one may lack what all others have.

    Args:
        build: function of the depths that returns a `Task`.
        depths: dict, name of an argument of `network`, or of another one as in
            `"text_encoder.depth"`, to int.
    """
    try:
        with (
            keras.StatelessScope(initialize_variables=False),
            warnings.catch_warnings(action="ignore"),  # the model itself will warn
        ):
            model = build(**{name: min(2, depth) for name, depth in depths.items()})
    finally:
        compat.set_pending([])
    for name, depth in depths.items():
        part, _, field = name.rpartition(".")
        setattr(getattr(model, part or "network"), field, depth)
    return model


def write(model, folder, max_shard_size=shards.LARGEST_SHARD):
    """Writes what transformers reads: config.json, model.safetensors, tokenizer files.

    Args:
        model: `Task` of a class that a family has.
        folder: path of an existing folder.
        max_shard_size: see `keras_genai.files.shards.write`.

    Raises:
        ValueError: if no family has such a model, or cannot express this one.
    """
    architecture, config, tensors = described(model)
    write_object(folder / CONFIG, config)
    shards.write(folder, tensors, max_shard_size, {"format": "pt"})
    if architecture.generation is not None:
        write_object(folder / GENERATION, architecture.generation(model))
    for name, content in architecture.files(model).items():
        write_object(folder / name, content)
    if model.tokenizer is not None:
        options = write_tokenizer(
            model.tokenizer, folder, getattr(model, "context", None)
        )
        turns = getattr(model, "turns", None)
        if isinstance(turns, TemplateTurns):
            options["chat_template"] = turns.template
        write_object(folder / TOKENIZER_CONFIG, options)


def described(model):
    """What a published checkpoint of a model would say, without a file.

    Args:
        model: see `write`.

    Returns:
        `(architecture, config, tensors)`: `Architecture`; dict of config.json; and dict
        of `keras_genai.files.shards.Stored` by name, float32 or bfloat16.

    Raises:
        ValueError: see `write`.
    """
    family, architecture = _find_writer(model)
    config = {
        "architectures": [architecture.name],
        "model_type": family.model_type,
        "dtype": str(model.dtype_policy.variable_dtype),
        **architecture.describe(model),
    }
    weights = model.preset_weights()
    computed = architecture.computed(model)
    tensors = {name: shards.Stored.of(array) for name, array in computed.items()}
    for rule in (*architecture.rules(model), *architecture.head(model)):
        found = _stored(rule, [weights.pop(path) for path in rule.ours])
        tensors |= {architecture.written(name): found[name] for name in found}
    if weights:
        raise ValueError(f"{architecture.name} has no place for {sorted(weights)}")
    return architecture, config, tensors


def _stored(rule, weights):
    """dict of `Stored` by the names of a rule, whose arrays are made anew when read."""

    def read(name):
        return arrays()[name]

    def arrays():
        found = rule.write(*map(_array, weights))
        return dict(zip(rule.theirs, map(np.asarray, found), strict=True))

    return {
        name: shards.Stored(array.shape, array.dtype, functools.partial(read, name))
        for name, array in arrays().items()
    }


def _array(weight):
    """float32, or bfloat16 if a weight is of that itself."""
    array = weight.numpy()
    return array if weight.dtype == "bfloat16" else array.astype("float32")


@contextlib.contextmanager
def _one_line(folder):
    """Makes one line of what a model says of its arguments."""
    try:
        yield
    except PresetError:
        raise
    except (ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).partition("\n\n")[0].split())[:400]
        raise PresetError(f"{folder / CONFIG}: {reason}") from None


def _find_family(config, folder):
    if config is None:
        raise PresetError(f"{folder} has no {CONFIG}")
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
    first = stored[0] if isinstance(stored, list) else None
    own = known.get(first) if isinstance(first, str) else None
    if task is None:
        if own is None:
            raise PresetError(
                f"{folder / CONFIG}: `architectures` must be one of "
                f"{', '.join(known)}. Received: {str(stored)[:80]}; or say `task`"
            )
        return own, False
    name = task if isinstance(task, str) else task.__name__
    if own is not None and own.task.__name__ == name:
        return own, False
    for each in family.architectures:
        if each.task.__name__ == name:
            return each, True
    tasks = sorted({each.task.__name__ for each in family.architectures})
    raise ValueError(f"`task` must be one of {', '.join(tasks)}. Received: {task!r}")


def _warn_of_company(family, config, folder):
    """Warns of what a folder has beside a model and is not followed: code, an adapter.

    Code that is the class of the family once more, as in the first folders of a new
    model, is passed over.
    """
    stated = config.get("auto_map")
    known = {each.name for each in family.architectures}
    for key, place in stated.items() if isinstance(stated, dict) else ():
        name = str(place).rpartition(".")[2]
        if key.startswith("AutoModel") and name not in known:
            warnings.warn(
                f"{folder / CONFIG}: the code of its `auto_map`, {str(place)[:80]}, is "
                "not run; this is opened as its `architectures` say",
                stacklevel=3,
            )
            break
    if find_file(folder, ADAPTER) is not None:
        warnings.warn(
            f"{folder}: the adapter beside the model, {ADAPTER}, is left out",
            stacklevel=3,
        )


def _validate(family, config, folder):
    try:
        return family.settings.model_validate_json(json.dumps(config))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:80]
        message = first["msg"].removeprefix("Value error, ")[:400]
        if where:
            message = f"`{where}`: {message}. Received: {str(first['input'])[:80]}"
        raise PresetError(f"{folder / CONFIG}: {message}") from None


def _find_writer(model):
    reasons = []
    for family in FAMILIES.values():
        for architecture in family.architectures:
            found = type(model), type(getattr(model, "network", None))
            if found != (architecture.task, architecture.network):
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


presets.add_format("huggingface", recognizes, read, write)
