"""The command line over the zoo: what there is, what it can do, what it reached."""

import argparse
import pathlib
import shutil
import sys

import zoo
from zoo._chat import chat
from zoo._opening import locate, open_model
from zoo._quiet import start_tensorflow
from zoo._tasks import answer, classify, summarize, translate

NAME = "an entry (trained in runs/NAME, or published), a folder, or a hub name"


def main(arguments=None):
    options = parse(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"zoo: {' '.join(str(error).split())}", file=sys.stderr)
        return getattr(error, "exit_code", 2)


def parse(arguments=None):
    """The options; texts may follow an option, which argparse alone does not allow."""
    known = parser()
    options, rest = known.parse_known_args(arguments)
    if rest and (not hasattr(options, "text") or any(t.startswith("-") for t in rest)):
        known.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.text = [*options.text, *rest]
    return options


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
    add_model(add)
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
    add_model(add)
    add("--temperature", type=float, help="0 is greedy (the model's own way)")
    add("--reply-length", type=int, help="tokens of a reply at most")
    add("--seed", type=int, default=0)
    add_task_verbs(verb)
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


def add_model(add):
    """Which model a verb opens, and how."""
    add("name", help=NAME)
    add("--preset", help="preset folder (runs/NAME/preset)")
    add("--int8", action="store_true", help="8-bit weights: a quarter of the memory")


def add_task_verbs(verb):
    """The verbs of `zoo._tasks`; they have texts, or lines of standard input, to do."""
    texts = {
        translate: ("translate texts", "TEXT"),
        summarize: ("summarise texts", "TEXT"),
        classify: ("sort texts into a model's classes", "TEXT"),
        answer: ("answer questions from a text", "QUESTION"),
    }
    for run, (line, what) in texts.items():
        add = verb(run, line)
        add_model(add)
        one = f"each argument is one (else each line of standard input is a {what})"
        add("text", nargs="*", metavar=what, help=one)
        if run in (translate, summarize):
            add("--prefix", help="text before each text (what the model's files say)")
            add("--max-length", type=int, help="tokens at most (the model's own)")
        if run is translate:
            add("--languages", help="from and to, if a model knows several: en-de")
        if run is answer:
            add(
                "--context", required=True, metavar="FILE_OR_TEXT", help="where to look"
            )
            add("--stride", type=int, help="tokens by which windows overlap")
            add("--allow-none", action="store_true", help="let it find no answer")


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
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "sample", options.int8)
    from keras_genai.samplers.tokens import Greedy, Sample

    if hasattr(model, "image_shape"):
        return draw(model, options)
    if options.prompt is None:
        print(entry_of(options).sample(model, seed=options.seed))
        return
    if not hasattr(model, "generate"):
        raise ValueError(
            f"`--prompt` must be left out for a {type(model).__name__}, which does not "
            f"write. Received: {options.prompt}"
        )
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


def entry_of(options):
    """The entry whose way to sample is used, if nobody says what to continue."""
    if options.name not in zoo.names():
        raise ValueError(
            f"`--prompt` must be given, because {options.name} is not an entry of the "
            "zoo. Received none"
        )
    return zoo.get(options.name)


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
    allowed = {*entry.parts, "folder"}  # what a run starts from
    if not set(overrides["overrides"]) <= allowed:
        raise ValueError(
            f"`--set` must be of {sorted(allowed)}: the recipe is verified. "
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
