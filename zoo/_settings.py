"""What a person may change about an entry's run, checked against the entry."""

import dataclasses
import functools
import inspect
import sys

from keras_genai import from_preset, registry
from keras_genai.declared import fields
from keras_genai.files.paths import as_path
from keras_genai.tasks.filling import build_filled
from keras_genai.training.content import content_hash
from keras_genai.training.identity import describe
from zoo import _places
from zoo._command import training
from zoo._memory import Allowance, check_batch
from zoo._values import naming, parse
from zoo.entry import Entry, showing, unknown, unwrapped

_DIGITS = 16  # of a hash: enough to tell data apart, few enough for a message


@dataclasses.dataclass(frozen=True)
class Settings:
    """One run of one entry.

    Args:
        entry: `Entry`.
        steps: int. Optimizer steps in all.
        batch_size: int.
        seed: int.
        precision: str, a Keras dtype policy.
        data: str or `None` (the entry's own). See `source` in
            `keras_genai.data.text` and `keras_genai.data.images`.
        data_dir: path or `None`.
        overrides: dict of arguments of the model.
        source_overrides: dict of arguments of the source.
        fresh: bool. Start over in the run folder.
        tensorboard: bool.
    """

    entry: Entry
    steps: int
    batch_size: int
    seed: int
    precision: str
    data: str | None = None
    data_dir: str | None = None
    overrides: dict = dataclasses.field(default_factory=dict)
    source_overrides: dict = dataclasses.field(default_factory=dict)
    fresh: bool = False
    tensorboard: bool = False

    @classmethod
    def of(cls, entry, **changes):
        """The recipe's own settings, with some changed."""
        recipe = entry.recipe
        return cls(
            entry,
            **{
                "steps": recipe.steps,
                "batch_size": recipe.batch_size,
                "seed": 0,
                "precision": recipe.precision,
                **changes,
            },
        )

    def splits(self):
        """The data, from the entry's source or the one that was asked for."""
        source = self._source()
        data_dir = None if self.data_dir is None else as_path(self.data_dir, "data_dir")
        with naming("--set", self.source_overrides):
            return source(
                batch_size=self.batch_size,
                seed=self.seed,
                data_dir=data_dir,
                **self.source_overrides,
            )

    def _source(self):
        """The entry's source, or the one that was asked for with what both know."""
        if self.data is None:
            return self.entry.source
        _, keywords = unwrapped(self.entry.source)
        other = _other_source(self.entry, self.data)
        known = inspect.signature(other).parameters
        # A model of grey pictures reads the user's as such.
        for network in self.entry.networks.values():
            if getattr(network, "channels", None) is not None:
                keywords = {**keywords, "channels": network.channels}
        return functools.partial(
            other, **{key: value for key, value in keywords.items() if key in known}
        )

    def build(self, splits):
        parts = self.parts
        build = functools.partial(
            self.entry.build,
            splits,
            self.batch_size,
            self.precision,
            **{**self.overrides, **parts},
        )
        with naming("--set", self.overrides, whatever=True):
            # A path is that of a model, which is opened while this one is built.
            opens = parts or any(isinstance(v, str) for v in self.overrides.values())
            model = build() if opens else self._build_within_memory(build)
        check_batch(model, splits, self.batch_size)
        return model

    def _build_within_memory(self, build):
        """As `build`, but no weight is made before it is known that all fit."""
        if not self.overrides:
            return build()
        given = ", ".join(f"{key}={value}" for key, value in self.overrides.items())
        return build_filled(build, lambda model: {}, Allowance("--set", given))

    def fed(self, model, splits):
        """What the model is trained on; see `Entry.fed`."""
        entry = self.entry.with_parts(**self.parts)
        return entry.fed(model, splits, self.batch_size, self.seed)

    def evaluate(self, model, splits):
        """The figures of a trained model; see `Entry`."""
        evaluate = self.entry.evaluate
        wanted = inspect.signature(evaluate).parameters.keys() & self.entry.parts.keys()
        parts = self.parts if wanted else {}  # which may be nowhere any more
        return self.entry.with_parts(**parts).evaluate(model, splits)

    def callbacks(self, splits, folder):
        """The recipe's own callbacks; `folder` is that of the run's samples."""
        make = self.entry.recipe.callbacks
        return [] if make is None else make(splits, self.seed, folder)

    def sample(self, model, splits):
        """What the model makes: of the user's data, where it needs data."""
        return self._showing(self.entry.sample, splits)(model, seed=self.seed)

    def plot(self, model, splits):
        """The bytes of the entry's picture of the model, or `None`."""
        if self.entry.plot is None:
            return None
        return self._showing(self.entry.plot, splits)(model)

    def _showing(self, function, splits):
        own = self.data is None and self.data_dir is None
        return function if own else showing(function, splits)

    @functools.cached_property
    def parts(self):
        """The trained models of earlier stages, by the argument that wants them."""
        return {
            argument: from_preset(self._stage(argument, name))
            for argument, name in self.entry.parts.items()
        }

    def _stage(self, argument, name):
        """Where the trained model of an earlier stage is: path, or name on the hub."""
        given = self.overrides.get(argument)
        found = as_path(given, argument) if given else _places.taken(name)
        if found is None or (given and not found.is_dir()):
            lacking = f"{found}, which is not there" if given else _places.missing(name)
            raise ValueError(
                f"`{argument}` must be the preset of a trained {name}. Train it with "
                f"`{training(name)}`, or give another folder with "
                f"--set {argument}=FOLDER. Received: {lacking}"
            )
        return found

    def fingerprint(self, model, splits):
        """Everything but the number of steps that decides what comes out.

        Of large data, only places at equal distances are looked at: see
        `keras_genai.training.content`. What `feed` makes of the data follows from them,
        the seed and the models of earlier stages.
        """
        recipe = self.entry.recipe
        source = functools.partial(self._source(), **self.source_overrides)
        held = [splits.validation, splits.held_out, splits.test]
        held += [splits.prompts] if splits.prompts else []
        own = recipe.callbacks
        return {
            "entry": self.entry.name,
            "seed": self.seed,
            "data": self.data or splits.name,
            "data_dir": describe(self.data_dir),
            "data_hash": content_hash(splits.train, *held)[:_DIGITS],
            "tokenizer_hash": content_hash(splits.tokenizer)[:_DIGITS],
            "source": describe(source),
            "batch_size": self.batch_size,
            "compile": describe(recipe.compile(steps=recipe.steps)),
            "best_of_every": recipe.validate_every if recipe.keep_best else None,
            **({"callbacks": describe(own)} if own is not None else {}),
            "model": _plain(model),
            "parts": {
                name: content_hash([weight.numpy() for weight in part.weights])[
                    :_DIGITS
                ]
                for name, part in self.parts.items()
            },
        }

    def training(self):
        """The recipe's arguments of `keras_genai.training.train`."""
        recipe = self.entry.recipe
        return {
            "steps": self.steps,
            "seed": self.seed,
            "steps_per_execution": recipe.steps_per_execution,
            "log_every": min(recipe.log_every, self.steps),
            "validate_every": recipe.validate_every,
            "restore_best": recipe.keep_best,
            "tensorboard": self.tensorboard,
        }


def _other_source(entry, data):
    """The source that `--data` names, among those like the entry's own."""
    own, _ = unwrapped(entry.source)
    module = sys.modules.get(getattr(own, "__module__", None))
    if not hasattr(module, "source"):
        raise ValueError(
            f"`--data` must not be given: {entry.name} has only its own data. "
            f"Received: {data}"
        )
    return module.source(data)


def read_overrides(entry, pairs, data=None):
    """Arguments of the model and of the source from `KEY=VALUE` texts.

    Args:
        entry: `Entry`. Its `settings` say what the model has, `style.norm=rms`
            reaches into a part, and `likelihood=Gaussian` is another one, by the name
            of its class; the other keys are arguments of its source.
        pairs: list of str.
        data: str or `None`. What `--data` names: arguments of that source, too.

    Returns:
        dict for `Settings`, of `overrides` and `source_overrides`.

    Raises:
        ValueError: for an unknown key, a value of another type, or no `=`.
    """
    known, of_source = entry.settings, _source_arguments(entry.source)
    if data is not None and pairs:
        of_source = {**_source_arguments(_other_source(entry, data)), **of_source}
    overrides, source_overrides = {}, {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"`--set` must be KEY=VALUE. Received: {pair!r}")
        if key in of_source:  # a folder, for instance, may be the model's, too
            source_overrides[key] = parse(key, text, of_source[key])
            if key not in known:
                continue
        if any(name.startswith(f"{key}.") for name in known):
            overrides[key] = _part(key, text, entry.argument(key))
            inner = dataclasses.asdict(overrides[key])
            known |= {f"{key}.{name}": value for name, value in inner.items()}
            continue
        if key not in known:
            raise ValueError(unknown("--set", key, {**known, **of_source}))
        value = parse(key, text, known[key])
        part, _, field = key.partition(".")
        if field:
            old = overrides.get(part) or entry.argument(part)
            overrides[part] = dataclasses.replace(old, **{field: value})
        else:
            overrides[key] = value
    return {"overrides": overrides, "source_overrides": source_overrides}


def _part(key, text, example):
    """Another part of a model: an object as `example` is, by the name of its class."""
    module = sys.modules[type(example).__module__]
    kinds = {
        name: kind
        for name, kind in vars(module).items()
        if dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }
    if text not in kinds:
        raise ValueError(unknown(f"--set {key}", text, kinds))
    return kinds[text]()


def _plain(model):
    """What a model is made of; of one that is aligned its policy, and how it learns."""
    if not hasattr(model, "policy"):
        return registry.to_plain(model)
    apart = {"policy": registry.to_plain(model.policy)}
    rewards = {each.name: each.weight for each in getattr(model, "rewards", ())}
    others = set(fields(type(model))) - {"policy", "reference", "rewards"}
    settings = {key: describe(getattr(model, key)) for key in sorted(others)}
    return {"task": type(model).__name__, **apart, "rewards": rewards, **settings}


def _source_arguments(source):
    """What a source may be told beside what every source is told, with defaults."""
    own = ("batch_size", "seed", "data_dir", "stand_in")
    found = inspect.signature(source).parameters.values()
    return {
        parameter.name: None
        if parameter.default is parameter.empty
        else parameter.default
        for parameter in found
        if parameter.name not in own and parameter.kind is not parameter.VAR_KEYWORD
    }
