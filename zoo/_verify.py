"""A recipe run again: whether it reaches what is recorded of it."""

import pathlib
import shutil

import zoo
from zoo import _places
from zoo._command import say
from zoo._quiet import start_tensorflow

TOLERANCE = 0.02  # of the recorded figure
FAILED = 1  # exit code


def verify(options):
    """Runs a recipe again; exit code 1 if its first figure is worse than the record.

    It may be worse by the tolerance. A run that was interrupted goes on. One that had
    finished starts over in the folder of verified runs, and elsewhere with --fresh. The
    record stays as it is without --record.
    """
    zoo.describe(options.name)
    start_tensorflow()
    from keras_genai.files.paths import as_path
    from zoo import _run

    entry = zoo.get(options.name)
    records = None if options.record is None else _records(options)
    own = _places.VERIFIED.format(options.name)
    out = own if options.out is None else options.out
    folder = as_path(out, "--out")
    _check_fresh(folder, options)
    result = _run.run(entry, _settings_of(entry, options, folder), folder)
    print(f"{result.metric} is {result.value:.6f} in {result.seconds:.0f} s")
    reached = _compare(entry, result, options.tolerance)
    if records is not None:
        _write(result, records, options.name, folder)
    return None if reached else FAILED


def _check_fresh(folder, options):
    """Raises where a finished run would be lost that somebody may want to keep."""
    if options.out is not None and _has_finished(folder) and not options.fresh:
        raise ValueError(
            "`--out` must be a folder without a finished run, unless --fresh is given, "
            f"which removes it. Received: {options.out}"
        )


def _has_finished(folder):
    from keras_genai.training.folder import RESULT

    return (folder / RESULT).exists()


def _settings_of(entry, options, folder):
    from zoo import _settings

    recorded = entry.result.seed if entry.result else 0
    overrides = _settings.read_overrides(entry, options.set)
    allowed = {*entry.parts, "folder"}  # what a run starts from
    if not set(overrides["overrides"]) <= allowed:
        raise ValueError(
            f"`--set` must be of {sorted(allowed)}: the recipe is verified. "
            f"Received: {options.set}"
        )
    return _settings.Settings.of(
        entry,
        **overrides,
        seed=recorded if options.seed is None else options.seed,
        data_dir=options.data_dir,
        fresh=options.fresh or _has_finished(folder),
    )


def _compare(entry, result, tolerance):
    """Whether a result is as good as the record, but for the tolerance; says so."""
    from zoo._metrics import metric

    old = entry.result
    if old is None:
        print(f"there is no record of {entry.name} to compare it with")
        return True
    print(f"{old.metric} was {old.value:.6f} ({old.commit}, {old.date})")
    if result.metric != old.metric:
        say("zoo", f"the record is of {old.metric}, and this run of {result.metric}")
        return False
    worse = metric(old.metric).worse(result.value, old.value)
    allowed = tolerance * abs(old.value)
    if not worse <= allowed:  # NaN is not
        say("zoo", f"worse by {worse:.6f}, and {allowed:.6f} (--tolerance) is allowed")
        return False
    print(f"as good as the record, to {allowed:.6f} (--tolerance)")
    return True


def _records(options):
    """The folder that records go to, made now; `""` is the one beside the entry's."""
    from keras_genai.files.paths import as_path

    if options.record:
        found = as_path(options.record, "--record")
        if found.exists() and not found.is_dir():
            raise ValueError(f"`--record` must be a folder. Received: {found}")
        found.mkdir(parents=True, exist_ok=True)
        return found
    found = zoo.records(options.name)
    own = found.parent == pathlib.Path(zoo.__file__).parent
    if own and not (found.parent.parent / "setup.cfg").is_file():
        raise ValueError(
            "`--record` must be followed by a folder: zoo is installed, and its own "
            f"records are not to be changed. Received: none, for {found}"
        )
    found.mkdir(exist_ok=True)
    return found


def _write(result, records, name, folder):
    from keras_genai.files.writing import write_text

    if result.file:
        sample = pathlib.Path(folder) / result.file
        file = records / f"{name}{sample.suffix}"
        shutil.copyfile(sample, file)
        result = result.model_copy(update={"file": file.name})
    write_text(records / f"{name}.json", result.model_dump_json(indent=1) + "\n")
    print(f"recorded in {records}")
