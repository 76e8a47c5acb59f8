"""What a trained model makes: read piece by piece, or written into a file."""

import functools
import inspect

import zoo
from zoo._command import say, write
from zoo._opening import locate, open_model

LENGTH = 48  # tokens of each of several completions
MAX_LENGTH, TEMPERATURE, COUNT = 400, 0.8, 64
WRITING = ("prompt", "max_length", "temperature", "top_k", "top_p")
WISHES = ("count", "label", "prompt", "negative", "where")  # of what is drawn or played
OPTIONS = (*WRITING, "count", "label", "negative", "where")
OPTIONS += ("data", "data_dir", "out")


def sample(options):
    """Lets a trained model write, piece by piece, or draw or play into a file.

    Without options of its own it does what the entry's recorded sample shows.
    """
    place = locate(options.name, options.preset)
    tokens = options.max_length or MAX_LENGTH
    model = open_model(place, options.name, "sample", options.weights, tokens)
    entry = _entry_of(options.name, model)
    asked = {
        name: getattr(options, name)
        for name in OPTIONS
        if getattr(options, name) is not None
    }
    _refuse(model, entry, asked)
    if options.best_of is not None:
        return _write_best(model, entry, asked, options)
    if asked.keys() & {*WRITING} and {*WRITING} <= _options(model):
        return _write(model, entry, asked, options.seed)
    out = _out(model.target, asked)
    value = _sampler(model, entry, asked)(model, seed=options.seed)
    said = model.target.said(value)
    if said:
        print(said)
    if out is not None:
        write(model.target, out, value)


def _entry_of(name, model):
    """The entry whose way to sample is used: the one that made it, else that name."""
    for known in (model.name, name):
        if known in zoo.names():
            return zoo.get(known)
    return None


def _options(model):
    """What may be asked of a model, by its modalities and its task."""
    own = {*model.target.options, *model.options}
    return own.union(*(kind.conditions for kind in model.given))


def _refuse(model, entry, asked):
    """Raises for an option that neither a model's modalities nor its entry can use."""
    known = _options(model)
    if entry is not None and _shows_data(entry.sample):
        known |= {"data", "data_dir"}
    for name in asked:
        if name in known:
            continue
        takes = ", ".join(_flag(each) for each in sorted(known))
        raise ValueError(
            f"`{_flag(name)}` must be left out for a {type(model).__name__}, which "
            f"takes {takes}. Received: {asked[name]}"
        )


def _flag(name):
    return f"--{name.replace('_', '-')}"


def _out(target, asked):
    """The path of the file for a sample, or `None` for what is read on a terminal."""
    from zoo._command import output_file

    if "out" not in asked and target.spoken:
        return None
    name = asked.get("out", f"sample{target.suffix}")
    return output_file(name, "--out", *target.suffixes)


def _write(model, entry, asked, seed):
    """Prints a text while it is made."""
    from keras_genai.samplers.tokens import Greedy, Sample

    prompt = _prompt(entry, asked, next(name for name in WRITING if name in asked))
    temperature = asked.get("temperature", TEMPERATURE)
    sampler = Greedy()
    if temperature:
        sampler = Sample(
            temperature, top_k=asked.get("top_k"), top_p=asked.get("top_p")
        )
    out = _out(model.target, asked)
    pieces = []
    for piece in model.generate(
        prompt,
        max_length=asked.get("max_length", _own_length(model)),
        sampler=sampler,
        seed=seed,
        stream=True,
    ):
        print(piece, end="", flush=True)
        pieces.append(piece)
    print()
    if out is not None:
        model.target.write(out, "".join(pieces))


def _own_length(model):
    """Tokens to write where nothing is asked: `None` for models that say it."""
    return None if hasattr(model, "generation") else MAX_LENGTH


def _write_best(model, entry, asked, options):
    """Prints the best of several texts by a judge, and what all were worth."""
    from zoo._judging import open_judge

    for name in ("top_k", "top_p"):
        if name in asked:
            raise ValueError(
                f"`{_flag(name)}` must be left out with --best-of, which draws from "
                f"all tokens. Received: {asked[name]}"
            )
    if options.judge is None:
        raise ValueError("`--judge` must be given with --best-of. Received none")
    judge = open_judge(options.judge, options.judge_label)
    from keras_genai.tasks.sampling import sampled

    prompt = _prompt(entry, asked, "best_of")
    found = sampled(
        model,
        [prompt],
        judge,
        options.best_of,
        asked.get("max_length", LENGTH),
        options.seed,
        asked.get("temperature", 1.0),
    )
    (best,) = found.best()
    text = prompt + found.completions[best]
    print(text)
    total = found.ratings.total
    say("zoo", f"score {total[best]:.4f}; mean of {len(total)}: {total.mean():.4f}")
    out = _out(model.target, asked)
    if out is not None:
        model.target.write(out, text)


def _prompt(entry, asked, option):
    """What to continue: as it was asked for, or the entry's own."""
    prompt = asked.get("prompt")
    if prompt is None:
        prompt = getattr(entry and entry.sample, "keywords", {}).get("prompt")
    if prompt is None:
        raise ValueError(
            f"`--prompt` must be given with {_flag(option)}. Received none"
        )
    return prompt


def _sampler(model, entry, asked):
    """Function `sample(model, seed)` that does what was asked for."""
    own = _own_way(model, entry)
    known = inspect.signature(own).parameters
    if _shows_data(own):
        from zoo.entry import showing

        own = showing(own, _splits(model, entry, asked))
    wish = _wish(model, asked) if asked.keys() & {*WISHES} else {}
    for name in wish:
        if name not in known and "options" not in known:
            option = next(n for n in WISHES if n in asked)
            raise ValueError(
                f"`{_flag(option)}` must be left out for {model.name}, which shows "
                f"what it makes of data. Received: {asked[option]}"
            )
    return functools.partial(own, **wish)


def _shows_data(own):
    """Whether a `sample` shows what a model makes of data."""
    return "source" in inspect.signature(own).parameters


def _own_way(model, entry):
    """The entry's `sample`, or that of a model of which nothing is recorded."""
    if entry is not None:
        return entry.sample
    if model.target.spoken or not hasattr(model, "generate"):
        what = "prompt" if {*WRITING} <= _options(model) else "name"
        raise ValueError(
            f"`{what}` must be given, because {model.name} is no entry of the zoo. "
            "Received none"
        )

    def generate(model, seed, count=COUNT, **options):
        return model.generate(count=count, seed=seed, **options)

    return generate


def _splits(model, entry, asked):
    """The data that the model is to change: the user's, or the entry's own."""
    from zoo import _settings

    given = {name: asked[name] for name in ("data", "data_dir") if name in asked}
    if given:
        return _settings.Settings.of(entry, **given).splits()
    splits = entry.stand_in()
    for name, size in model.target.sizes.items():
        own = splits.sizes.get(name, size)
        if not model.target.fits(name, own):
            raise ValueError(
                f"`--data` must be given, because {name} is {own} in the data of "
                f"{entry.name} and {size} in this model. Received none"
            )
    return splits


def _wish(model, asked):
    """Arguments of a `sample`: how many, and made from what."""
    from zoo._memory import check_memory

    count = asked.get("count", COUNT)
    # float32, and what a file makes of it
    check_memory("--count", count, 16 * model.target.numbers * count)
    wish = {"count": count}
    for kind in model.given:
        wish |= kind.wished(asked, count)
    if "negative" in asked:
        wish["negative"] = asked["negative"]
    if "where" in asked:  # of rows that are made
        wish |= model.target.wished(asked, count)
    return wish
