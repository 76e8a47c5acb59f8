"""Trained weights made small enough to ship with the zoo, and scored again."""

import contextlib
import dataclasses
import datetime
import json
import pathlib
from typing import Any

import zoo
from zoo import _places, _weights
from zoo._command import training
from zoo._licences import licence
from zoo._metrics import metric
from zoo._quiet import start_tensorflow


class NotAsGoodError(ValueError):
    """Weights lost more of their score than was allowed."""

    exit_code = 1


def ship(options):
    """Puts the trained weights of a finished run into the zoo, in fewer bytes.

    With --again it is those that ship already, which are rounded once more. They are
    scored again from the files that ship, and nothing is changed if the
    figure is worse than the tolerance allows.
    """
    zoo.describe(options.name)
    start_tensorflow()
    from keras_genai.files.writing import write_text
    from zoo import _smaller

    target = _target(options.name)
    run = _shipped(options) if options.again else _finished(options)
    with _replacing(target) as scratch:
        _smaller.write(run.preset, scratch, options.dtype, run.card)
        _check_size(scratch, options.name)  # before minutes of scoring
        record = _record(run, scratch, options.tolerance)
        _check(record)
    write_text(f"{target}.json", record.model_dump_json(indent=1) + "\n")
    print(
        f"{record.metric} was {record.trained:.6f}, and is {record.shipped:.6f} from "
        f"{record.size:,} bytes, mostly of {record.dtype}: {target}"
    )


@dataclasses.dataclass(frozen=True)
class _Run:
    """What a run left: a preset and its card, and how it was scored."""

    preset: pathlib.Path
    card: str
    settings: Any
    splits: Any
    metric: str
    trained: float


def _target(name):
    """The folder of an entry's weights in this checkout."""
    if not (_weights.FOLDER.parent.parent / "setup.cfg").is_file():
        raise ValueError(
            "`ship` must be called in a checkout: the zoo is installed, and its own "
            f"weights are not to be changed. Received: {_weights.FOLDER}"
        )
    return _weights.FOLDER / name


def _finished(options):
    """The run in a folder.

    Raises:
        ValueError: if it did not end, or if anything but the seed was not the
            recipe's own.
    """
    from keras_genai import training as runs
    from zoo.entry import Result

    folder = _folder(options)
    result = Result.model_validate_json((folder / "result.json").read_bytes())
    settings, splits = _settings(options, result.seed)
    recipe = settings.fingerprint(settings.build(splits), splits)
    changed = _changed(
        {**recipe, "steps": settings.steps},
        {**runs.RunFolder(folder).stored(), "steps": result.steps},
    )
    if changed:
        raise ValueError(
            f"`--run` must be a run of {options.name} by its own recipe, with any "
            f"seed. Received: {folder}, with another {', '.join(changed)}"
        )
    preset = folder / "preset"
    card = _card(preset, settings.entry, splits, result)
    return _Run(preset, card, settings, splits, result.metric, result.value)


def _shipped(options):
    """What is left of the run whose weights ship.

    Raises:
        ValueError: if none do, or if a run is given, too.
    """
    from keras_genai.files.text import read_text
    from keras_genai.tasks.manifests import CARD

    if options.run_folder is not None:
        raise ValueError(
            "`--run` must not be given with --again, which takes what ships. "
            f"Received: {options.run_folder}"
        )
    record, preset = _weights.record(options.name), _weights.folder(options.name)
    if record is None:
        raise ValueError(
            "`--again` must be of an entry whose weights ship: "
            f"{', '.join(_weights.names())}. Received: {options.name}"
        )
    settings, splits = _settings(options, record.seed)
    card = read_text(preset / CARD)
    return _Run(preset, card, settings, splits, record.metric, record.trained)


def _settings(options, seed):
    """The recipe's settings and its data, which may be passed on."""
    from keras_genai import training as runs
    from zoo import _settings

    entry = zoo.get(options.name)
    settings = _settings.Settings.of(
        entry,
        seed=seed,
        data_dir=options.data_dir,
        **_settings.read_overrides(entry, options.set),
    )
    runs.deterministic(seed)
    splits = settings.splits()
    licence(splits.name)
    return settings, splits


def _folder(options):
    from keras_genai.files.paths import as_path

    given = options.run_folder or _places.TRAINED.format(options.name)
    folder = as_path(given, "--run")
    if not all((folder / name).exists() for name in ("preset", "result.json")):
        raise ValueError(
            "`--run` must be the folder of a finished run; "
            f"`{training(options.name)}` makes one. Received: {folder}"
        )
    return folder


def _changed(recipe, stored):
    """What of a run was not as the recipe has it: sorted names."""
    moved = {"data_dir": stored.get("data_dir")}  # it may be the same data
    recipe = json.loads(json.dumps({**recipe, **moved}))
    return sorted(key for key in recipe if recipe[key] != stored.get(key))


@contextlib.contextmanager
def _replacing(target):
    """Context with an empty folder that takes the place of `target`."""
    from keras_genai.files.folders import replacing_folder
    from keras_genai.tasks import manifests

    known = manifests.Names(*manifests.own_names(target))
    with replacing_folder(target, known) as scratch:
        yield scratch


def _card(preset, entry, splits, result):
    """The text of README.md: where the weights are from, and on which terms."""
    from keras_genai import from_preset
    from zoo import _cards

    trained = from_preset(preset)  # of counts, as many as there are
    facts = {
        "data": splits.name,
        "licence of the data": licence(splits.name),
        "trained": f"{result.steps:,} steps, seed {result.seed}, {result.date}",
        f"{result.metric} as trained": f"{result.value:.4f}",
    }
    return _cards.card(trained, entry, facts, result.sample)


def _record(run, folder, tolerance):
    from keras_genai.tasks import manifests
    from zoo import _smaller
    from zoo._shipped import Shipped

    return Shipped(
        dtype=_smaller.main_dtype(folder),
        size=_size(folder),
        sha256=manifests.read_manifest(folder),
        data=run.splits.name,
        licence=licence(run.splits.name),
        metric=run.metric,
        trained=run.trained,
        shipped=_score(run, folder),
        tolerance=tolerance,
        date=datetime.date.today().isoformat(),
        seed=run.settings.seed,
    )


def _size(folder):
    """int: bytes of all files."""
    return sum(path.stat().st_size for path in folder.iterdir())


def _score(run, folder):
    """The entry's first figure, of the model in a folder."""
    from keras_genai import from_preset

    entry = run.settings.entry
    model = from_preset(folder)
    model.compile(**entry.recipe.compile(steps=run.settings.steps))
    return next(iter(run.settings.evaluate(model, run.splits).values()))


def _check(record):
    """Raises if the weights lost too much."""
    worse = metric(record.metric).worse(record.shipped, record.trained)
    allowed = record.tolerance * abs(record.trained)
    if not worse <= allowed:  # NaN is not
        raise NotAsGoodError(
            f"`--dtype` must keep the score to {allowed:.6f} (--tolerance). Received: "
            f"{record.dtype}, by which {record.metric} is {record.shipped:.6f}, and "
            f"was {record.trained:.6f}; nothing was changed"
        )


def _check_size(folder, name):
    """Raises if all weights that ship became too large."""
    others = [_weights.record(each) for each in _weights.names() if each != name]
    size = _size(folder) + sum(each.size for each in others)
    if size > _weights.MOST_BYTES:
        raise ValueError(
            f"`name` must be of weights that make at most {_weights.MOST_BYTES:,} "
            f"bytes with all that ship. Received: {name}, which makes {size:,}"
        )
