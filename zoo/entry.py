"""What one file of the zoo says about a model: how it is built, fed and trained."""

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable

import pydantic

import zoo

# What the zoo gives a task, and nobody on a command line.
OF_THE_ZOO = ("target", "given", "name", "dtype")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How an entry is trained.

    Args:
        compile: callable `compile(steps=...)` that returns the arguments of
            `model.compile`, made for a run of so many steps.
        batch_size: int.
        steps: int. Optimizer steps of the recorded result.
        precision: str. Keras dtype policy.
        steps_per_execution: int. Steps in one call of the compiled function.
        log_every: int. Steps between lines of the log.
        validate_every: int or `None` (at the end). A multiple of `log_every`.
        keep_best: bool. End with the weights of the lowest validation loss.
        callbacks: callable `callbacks(splits, seed, folder)` that returns the Keras
            callbacks of a run, such as what lets a policy write; `folder` is that of
            the run's samples, or `None`. Or `None`, where there are none.
    """

    compile: Callable[..., dict]
    batch_size: int = 1
    steps: int = 1
    precision: str = "float32"
    steps_per_execution: int = 10
    log_every: int = 50
    validate_every: int | None = None
    keep_best: bool = False
    callbacks: Callable[..., list] | None = None


class Result(pydantic.BaseModel):
    """A measured result, as `python -m zoo verify` writes it.

    What the model made is in `sample` where it can be read, else in a `file`.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    metric: str
    value: float
    other: dict[str, float] = {}
    parameters: int
    seed: int
    steps: int
    seconds: float
    sample: str = ""
    file: str = ""
    hardware: str
    cores: int
    versions: dict[str, str]
    commit: str
    date: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model of the zoo.

    Args:
        task: class of a `Task`, or a function that makes one. It is given the networks,
            the modalities, and those of `config` that it has.
        networks: dict of classes of networks by the field of the task that wants one.
            Each is given those of `config` that it has.
        target: str. The key of what is made, if it is not what the data name first.
        given: tuple of str. The keys of what samples are made from, as far as the data
            have it: `("labels",)`; the rest of the data is left alone.
        config: dict, arguments of the networks and of the task.
        tiny: dict, overrides that make it small enough for a test.
        source: a source of `keras_genai.data`, or a `functools.partial` of one:
            called with `batch_size`, `seed` and `data_dir` it returns `Splits`;
            `stand_in=True` asks for a small part that ships with the package.
        recipe: `Recipe`.
        sample: callable `sample(model, seed)` that returns something it generates, a
            value of the model's target modality.
        evaluate: callable `evaluate(model, splits)` that returns figures by name,
            the one that counts first.
        paper: str.
        family: str, under which `python -m zoo list` names it: a literal, because
            listing reads it from the file without running it.
        embedded: bool. The whole data ships with Python or with this package.
        alphabet: bool. The tokens are a fixed alphabet, so that the stand-in has the
            tokenizer of the data; else tokens are learned from the data.
        notes: str. Sentences for the card of a preset: what its figures mean, what the
            model was rewarded for, and what to beware of.
        reference: str. The published figure and its protocol, if there is one.
        parts: dict from an argument of the model, of `feed` or of `evaluate` to the
            name of the entry whose trained model it wants, for models of several
            stages.
        feed: callable `feed(model, splits, batch_size, seed)` that returns the `Splits`
            that are trained on, where a model has a part in making them, such as
            completions that it draws; or `None`: those of the source.
        fits: callable `fits(config, splits)` that returns those arguments in `config`
            that the data ask to be others, such as a context that holds their longest
            text; or `None`.
        hub: str. Name of a pretrained checkpoint on the Hugging Face hub.
        reads: callable `reads(text)` that writes what a person types as the data have
            it, such as `str.lower` where they have small letters only; or `None`.
        plot: callable `plot(model)` that returns the bytes of a PNG about the trained
            model, for its run folder; or `None`.
        needs: names of modules of the `eval` extra that `evaluate` imports.
    """

    task: Callable
    config: dict
    tiny: dict
    source: Callable
    recipe: Recipe
    sample: Callable
    evaluate: Callable
    paper: str
    family: str = ""
    embedded: bool = False
    alphabet: bool = False
    notes: str = ""
    reference: str = ""
    parts: dict[str, str] = dataclasses.field(default_factory=dict)
    feed: Callable | None = None
    fits: Callable[..., dict] | None = None
    hub: str = ""
    reads: Callable[[str], str] | None = None
    plot: Callable | None = None
    needs: tuple[str, ...] = ()
    networks: dict[str, Callable] = dataclasses.field(default_factory=dict)
    target: str = ""
    given: tuple[str, ...] = ()
    name: str = ""

    def build(self, splits=None, batch_size=None, precision=None, **overrides):
        """The model, fully built, with the tokenizer of the data.

        Args:
            splits: `Splits` whose tokenizer it shall speak, or `None`: the entry's
                own, where they are known without its data.
            batch_size: int or `None` (the recipe's).
            precision: str or `None` (the recipe's), a Keras dtype policy.
            **overrides: arguments of the model instead of those in `config`.

        Raises:
            ValueError: if an override is not an argument of the model or contradicts
                the data, or if `splits` must be given.
        """
        self._check(overrides)
        splits = splits or self._known_splits()
        config = {**self.config, **overrides}
        if self.fits is not None:
            config.update(self.fits(config, splits))
        if "lanes" in config:  # the model carries one state a row of the batch
            config["lanes"] = batch_size or self.recipe.batch_size
        dtype = {"dtype": precision or self.recipe.precision}
        networks = {
            field: make(**dtype, **_known(make, config))
            for field, make in self.networks.items()
        }
        parts = {**networks, **self._of_the_data(splits), "name": self.name or None}
        for field, name in self.parts.items():
            wanted = field in inspect.signature(self.task).parameters
            if wanted and field not in overrides:  # untrained, for a look at it
                parts[field] = zoo.get(name).build(splits, precision=precision)
        return self.task(**dtype, **_known(self.task, {**config, **parts}))

    def with_parts(self, **parts):
        """This entry, its `feed` and `evaluate` given the models of earlier stages.

        Args:
            **parts: trained models, by the names in `parts`.
        """
        given = {
            name: functools.partial(function, **_known(function, parts))
            for name in ("feed", "evaluate")
            if (function := getattr(self, name)) is not None
        }
        return dataclasses.replace(self, **given)

    def fed(self, model, splits, batch_size=None, seed=0):
        """What a model is trained on: `splits`, or what `feed` makes of them.

        Args:
            model: `Task`, not trained yet.
            splits: `Splits` of the source.
            batch_size: int or `None` (the recipe's).
            seed: int.
        """
        if self.feed is None:
            return splits
        return self.feed(model, splits, batch_size or self.recipe.batch_size, seed)

    def _known_splits(self):
        """`Splits` of the shapes and tokens of the data, without a download."""
        if self.embedded and not self.alphabet:
            return self.splits()
        found = self.stand_in()
        if found.tokenizer is not None and not self.alphabet:
            raise ValueError(
                f"`splits` must be given, because {self.name} learns its tokens from "
                "its data: entry.build(entry.splits(data_dir=...)). Received none"
            )
        return found

    def _of_the_data(self, splits):
        """What the task is given that its data decides: modalities and sizes."""
        given = [splits.kind(key) for key in self.given]
        kinds = {"given": tuple(kind for kind in given if kind is not None)}
        if splits.kinds:
            first = splits.kinds[0]
            kinds["target"] = splits.kind(self.target) if self.target else first
        return {**splits.sizes, **kinds, "tokenizer": splits.tokenizer}

    def splits(self, batch_size=None, seed=0, data_dir=None):
        """Training and held-out data, as loaders. See `keras_genai.data`."""
        size = batch_size or self.recipe.batch_size
        return self.source(batch_size=size, seed=seed, data_dir=data_dir)

    def stand_in(self, batch_size=2):
        """`Splits` of a small part of the data, or of something like it, offline."""
        return self.source(batch_size=batch_size, stand_in=True)

    def data(self, batch_size=None, seed=0, data_dir=None):
        """Training data for `fit`: a `tf.data.Dataset` of one epoch.

        Every time it is iterated it is the next epoch: `fit(data, epochs=2)` sees
        other windows, another order and other augmentations in the second.
        """
        return self.splits(batch_size, seed, data_dir).train

    @property
    def result(self):
        """The measured `Result`, or `None` if nobody has measured it."""
        path = zoo.record(self.name) if self.name else None
        if path is None or not path.is_file():
            return None
        return Result.model_validate_json(path.read_text("utf-8"))

    @property
    def head(self):
        """str: what the card of a preset begins with, Markdown."""
        return "\n\n".join(filter(None, (self.paper, self.notes)))

    @property
    def weights(self):
        """What is known of the weights that ship with the zoo, or `None`."""
        from zoo import _weights

        return _weights.record(self.name)

    def pretrained(self, **overrides):
        """The trained model: from weights that ship, else its published checkpoint.

        Args:
            **overrides: arguments of the model instead of the stored ones, for
                instance `dtype="mixed_bfloat16"`.

        Returns:
            `Task`.

        Raises:
            ValueError: if there are neither; or, as a `PresetError`, if a file is not
                the one whose sha256 was recorded.
        """
        from zoo import _weights

        return _weights.pretrained(self, **overrides)

    @property
    def settings(self):
        """dict: what `--set` may change, with the values of this entry."""
        flat = {}
        for key in self._arguments():
            value = self.argument(key)
            if dataclasses.is_dataclass(value):
                fields = dataclasses.asdict(value).items()
                flat.update({f"{key}.{field}": item for field, item in fields})
            else:
                flat[key] = value
        return flat

    def argument(self, key):
        """The value of one argument of the model: the entry's, or the default."""
        return self.config.get(key, self._arguments()[key])

    def _arguments(self):
        """dict of the arguments that may be set, with their defaults."""
        from keras_genai.declared import Later

        found = {}
        for make in (*self.networks.values(), self.task):
            for name, parameter in inspect.signature(make).parameters.items():
                if parameter.kind is not parameter.VAR_KEYWORD:
                    default = parameter.default
                    open_ = default is parameter.empty or isinstance(default, Later)
                    found[name] = None if open_ else default
        hidden = {*self.networks, *OF_THE_ZOO}
        known = {name: each for name, each in found.items() if name not in hidden}
        return {**dict.fromkeys(self.parts), **known}

    def _check(self, overrides):
        known = self._arguments()
        for key in overrides:
            if key not in known:
                raise ValueError(unknown("key", key, known))


def kept(model):
    """What presets hold of a model: of one that is aligned, its policy."""
    return getattr(model, "policy", model)


def unwrapped(source):
    """The function behind a source, and the keywords that an entry gives it."""
    if isinstance(source, functools.partial):
        return source.func, source.keywords
    return source, {}


def showing(function, splits):
    """A `sample` or `plot` that shows `splits` instead of the entry's own pictures."""
    if "source" not in inspect.signature(function).parameters:
        return function
    return functools.partial(function, source=lambda **_: splits)


def unknown(argument, value, known):
    """One line for a name that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(value), sorted(known), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return (
        f"`{argument}` must be one of {', '.join(sorted(known))}. "
        f"{hint}Received: {value}"
    )


def _known(make, arguments):
    """Those arguments that a class or a function has."""
    known = inspect.signature(make).parameters
    return {key: value for key, value in arguments.items() if key in known}
