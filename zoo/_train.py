"""Training an entry: what `train.py` and `python -m zoo train` share."""

import argparse
import pathlib
import shlex
import tempfile

import zoo
from zoo import _places, _restarts
from zoo._command import Parser, integer, run, sampling
from zoo._list import print_table
from zoo._quiet import start_tensorflow

DEFAULT = "gpt_python_docs"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SEEDS = integer(0, 2**32 - 1)


def main(arguments=None, description=None):
    """Runs `train.py`; returns its exit code."""

    def command():
        parser = Parser(
            prog="train.py",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_options(parser.add_argument)
        return train(parser.parse_args(arguments))

    return run("train.py", command)


def train(options):
    """Trains an entry; the same command goes on where it was stopped.

    Returns:
        int, an exit code.
    """
    if options.list:
        print_table(zoo.names())
        return 0
    zoo.describe(options.name)  # an unknown name costs no TensorFlow import
    if options.restarts and not _restarts.attempt():
        return _restarts.supervised(options.restarts)
    start_tensorflow()
    if options.dry_run:
        with tempfile.TemporaryDirectory() as folder:
            _train(options, pathlib.Path(folder) / "run", steps=1)
        print("Dry run: one step, a checkpoint, a preset and a sample. All well.")
        return 0
    from keras_genai.files.paths import as_path

    own = _places.TRAINED.format(options.name)
    out = own if options.out is None else options.out
    _train(options, as_path(out, "--out"))
    return 0


def _train(options, folder, steps=None):
    from keras_genai.training import workers
    from keras_genai.training.strategy import named

    strategy = named(options.strategy)  # before anything is computed
    from zoo import _run, _settings

    entry = zoo.get(options.name)
    settings = _settings.Settings(
        entry,
        steps=steps or options.steps or entry.recipe.steps,
        batch_size=options.batch_size or entry.recipe.batch_size,
        seed=options.seed,
        precision=options.precision or entry.recipe.precision,
        data=options.data,
        data_dir=options.data_dir,
        **_settings.read_overrides(entry, options.set, options.data),
        fresh=options.fresh and _restarts.attempt() < 2,
        tensorboard=options.tensorboard,
    )
    result = _run.run(entry, settings, folder, strategy=strategy)
    if not workers.is_chief(strategy):
        print(f"{options.name}: this worker is done, the chief has the results")
        return
    print(f"\n{result.sample or f'sample: {folder / result.file}'}\n")
    print(f"{result.metric}: {result.value:.4f}")
    for name, value in result.other.items():
        print(f"{name}: {value:,.4f}")
    print(f"trained {result.steps:,} steps in {result.seconds:.0f} s, see {folder}")
    preset = shlex.quote(str(folder / "preset"))
    print(f"{sampling(options.name)} --preset {preset} makes more")


def add_options(add):
    """The options of training; `add` is `add_argument` of a parser."""
    add("name", nargs="?", default=DEFAULT, help=f"entry of the zoo ({DEFAULT})")
    add("--list", action="store_true", help="print the entries and stop")
    add("--steps", type=integer(1), help="optimizer steps in all (the recipe's)")
    add("--batch-size", type=integer(1), help="examples a step (the recipe's)")
    add("--seed", type=SEEDS, default=0, help="of weights, data and samples (0)")
    add("--precision", choices=PRECISIONS, help="Keras dtype policy (the recipe's)")
    add("--out", help="run folder (runs/NAME)")
    add("--fresh", action="store_true", help="start over in the run folder")
    add("--data", help="your file or folder, tfds:NAME, or a source by name")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    setting = {"metavar": "KEY=VALUE", "help": "of model or data"}
    add("--set", action="append", default=[], **setting)
    add("--dry-run", action="store_true", help="train one step, save, sample, stop")
    add("--strategy", help="mirrored, mirrored:N of N replicas, or multiworker")
    again = "start so many times again when it is killed or loses another worker"
    add("--restarts", type=integer(0, 1000), default=0, help=again)
    add("--tensorboard", action="store_true", help="also write TensorBoard events")
