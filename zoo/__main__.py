"""The command line over the zoo: list, show, sample, chat, verify, results."""

import argparse
import pathlib
import shutil
import sys

import zoo
from zoo._chat import chat
from zoo._quiet import start_tensorflow


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"zoo: {' '.join(str(error).split())}", file=sys.stderr)
        return getattr(error, "exit_code", 2)


def parser():
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(run, text):
        sub = verbs.add_parser(run.__name__, help=text, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub.add_argument

    add = verb(list, "name the entries")
    add("pattern", nargs="?", default="*", help="shell pattern, for instance 'gpt*'")
    add = verb(show, "print what an entry is and what it reached")
    add("name")
    add = verb(sample, "let a trained model write")
    add("name", help="an entry, trained in runs/NAME")
    add("--preset", help="preset folder (runs/NAME/preset)")
    add("--prompt", help="what to continue (the entry's own)")
    add("--max-length", type=int, default=400, help="in tokens, prompt included (400)")
    add("--temperature", type=float, default=0.8, help="0 is greedy (0.8)")
    add("--top-k", type=int, help="keep the k likeliest tokens")
    add("--top-p", type=float, help="keep the likeliest tokens that sum to p")
    add("--seed", type=int, default=0)
    add("--count", type=int, default=64, help="pictures (64)")
    add("--label", type=int, help="the class of all pictures (each in turn)")
    add("--out", default="sample.png", help="where pictures go (sample.png)")
    add = verb(chat, "talk with a trained language model")
    add("name", help="an entry, trained in runs/NAME")
    add("--preset", help="preset folder (runs/NAME/preset)")
    add("--temperature", type=float, help="0 is greedy (the model's own way)")
    add("--reply-length", type=int, help="tokens of a reply at most")
    add("--seed", type=int, default=0)
    add = verb(verify, "run a recipe and record what it reaches")
    add("name")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    add("--out", help="run folder (runs/verify/NAME)")
    add("--seed", type=int, help="(the recorded one, else 0)")
    setting = {"metavar": "KEY=VALUE", "help": "preset folder of an earlier stage"}
    add("--set", action="append", default=[], **setting)
    add = verb(results, "print the measured results as Markdown")
    add("pattern", nargs="?", default="*", help="shell pattern")
    add("--picture", help="also draw them into this PNG")
    return parser


def list(options):
    """Names the entries that match a pattern, with their first line."""
    for name in zoo.names(options.pattern):
        print(f"{name:24} {zoo.describe(name)}")


def show(options):
    """Prints an entry: its text, settings, and measured result."""
    start_tensorflow()
    entry = zoo.get(options.name)
    print((pathlib.Path(zoo.__file__).parent / f"{options.name}.py").read_text())
    print(entry.result.model_dump_json(indent=1) if entry.result else "Not measured.")


def sample(options):
    """Lets a trained model write, piece by piece, or draw into a file."""
    zoo.describe(options.name)  # an unknown name ends here, with the nearest
    folder = pathlib.Path(options.preset or f"runs/{options.name}/preset")
    if not folder.is_dir():
        raise ValueError(
            f"There is no preset in {folder}. Train one first: "
            f"python train.py {options.name}"
        )
    start_tensorflow()
    from keras_genai import from_preset
    from keras_genai.samplers.tokens import Greedy, Sample

    model = from_preset(folder)
    if hasattr(model, "image_shape"):
        return draw(model, options)
    if options.prompt is None:
        print(zoo.get(options.name).sample(model, seed=options.seed))
        return
    sampler = Greedy()
    if options.temperature:
        sampler = Sample(options.temperature, top_k=options.top_k, top_p=options.top_p)
    pieces = model.generate(
        options.prompt,
        max_length=options.max_length,
        sampler=sampler,
        seed=options.seed,
        stream=True,
    )
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def draw(model, options):
    """Writes pictures that a model generates into one PNG."""
    from keras_genai.evaluation.pictures import png

    chosen = {} if options.label is None else {"labels": options.label}
    pictures = model.generate(options.count, seed=options.seed, **chosen)
    pathlib.Path(options.out).write_bytes(png(pictures))
    print(f"{len(pictures)} pictures in {options.out}")


def verify(options):
    """Runs a recipe, compares it with its record, and records it.

    A run that was interrupted goes on; one that had finished starts over.
    """
    start_tensorflow()
    from zoo import _run, _settings
    from zoo.entry import RESULTS

    entry = zoo.get(options.name)
    old = entry.result
    seed = options.seed if options.seed is not None else old.seed if old else 0
    folder = pathlib.Path(options.out or f"runs/verify/{options.name}")
    overrides = _settings.read_overrides(entry, options.set)
    if not set(overrides["overrides"]) <= set(entry.parts):
        raise ValueError(
            f"`--set` must be of {sorted(entry.parts)}: the recipe is verified. "
            f"Received: {options.set}"
        )
    settings = _settings.Settings.of(
        entry,
        **overrides,
        seed=seed,
        data_dir=options.data_dir,
        fresh=(folder / "result.json").exists(),
    )
    result = _run.run(entry, settings, folder)
    if old:
        print(f"{old.metric} was {old.value:.6f} ({old.commit}, {old.date})")
    print(f"{result.metric} is {result.value:.6f} in {result.seconds:.0f} s")
    RESULTS.mkdir(exist_ok=True)
    if result.picture:
        picture = RESULTS / f"{options.name}.png"
        shutil.copyfile(folder / result.picture, picture)
        result = result.model_copy(update={"picture": picture.name})
    (RESULTS / f"{options.name}.json").write_text(
        result.model_dump_json(indent=1) + "\n"
    )


def results(options):
    """Prints the measured results, the best first, with what each wrote."""
    start_tensorflow()
    from zoo import _results

    print("\n".join(_results.table(options.pattern)))
    if options.picture:
        _results.picture(options.picture, options.pattern)


if __name__ == "__main__":
    sys.exit(main())
