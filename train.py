"""Trains an entry of the zoo; the same command goes on where it was stopped.

Examples:
    python train.py                                  the default, in minutes
    python train.py gpt_shakespeare --data-dir DIR   another entry
    python train.py gpt_python_docs --data texts/    your own text files
"""

import argparse
import pathlib
import sys
import tempfile

import zoo
from zoo._quiet import start_tensorflow

DEFAULT = "gpt_python_docs"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main(arguments=None):
    options = parser().parse_args(arguments)
    if options.list:
        for name in zoo.names():
            print(f"{name:24} {zoo.describe(name)}")
        return 0
    try:
        zoo.describe(options.name)  # an unknown name costs no TensorFlow import
    except ValueError as error:
        return fail(error, 2)
    start_tensorflow()
    from keras_genai.training import TrainingError

    try:
        if options.dry_run:
            with tempfile.TemporaryDirectory() as folder:
                train(options, pathlib.Path(folder) / "run", steps=1)
            print("Dry run: one step, a checkpoint, a preset and a sample. All well.")
        else:
            train(options, pathlib.Path(options.out or f"runs/{options.name}"))
    except TrainingError as error:
        return fail(error, error.exit_code)
    except (ValueError, OSError) as error:
        return fail(error, 2)
    except KeyboardInterrupt:  # after the training itself, which saves and says so
        return fail("stopped; the same command goes on from here", 130)
    return 0


def train(options, folder, steps=None):
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
        **_settings.read_overrides(entry, options.set),
        fresh=options.fresh,
        tensorboard=options.tensorboard,
    )
    result = _run.run(entry, settings, folder)
    print(f"\n{result.sample or 'pictures: ' + str(folder / result.picture)}\n")
    print(f"{result.metric}: {result.value:.4f}")
    for name, value in result.other.items():
        print(f"{name}: {value:,.4f}")
    print(f"trained {result.steps:,} steps in {result.seconds:.0f} s, see {folder}")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.exit(fail(message, 2))


def parser():
    parser = Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("name", nargs="?", default=DEFAULT, help=f"entry of the zoo ({DEFAULT})")
    add("--list", action="store_true", help="print the entries and stop")
    add("--steps", type=positive, help="optimizer steps in all (the recipe's)")
    add("--batch-size", type=positive, help="examples a step (the recipe's)")
    add("--seed", type=int, default=0, help="of weights, data and samples (0)")
    add("--precision", choices=PRECISIONS, help="Keras dtype policy (the recipe's)")
    add("--out", help="run folder (runs/NAME)")
    add("--fresh", action="store_true", help="start over in the run folder")
    add("--data", help="your file or folder, tfds:NAME, or a source by name")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of model or data",
    )
    add("--dry-run", action="store_true", help="train one step, save, sample, stop")
    add("--tensorboard", action="store_true", help="also write TensorBoard events")
    return parser


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an int >= 1. Received: {text}")
    return int(text)


def fail(error, code):
    message = " ".join(str(error).split())
    print(f"train.py: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
