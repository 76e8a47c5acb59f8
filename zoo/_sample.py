"""What a trained model makes: text piece by piece, or pictures in a file."""

import functools
import inspect
import math

import zoo
from zoo._opening import locate, open_model

MAX_LENGTH, TEMPERATURE = 400, 0.8
WRITING = ("prompt", "max_length", "temperature", "top_k", "top_p")
DRAWING = ("count", "label")


def sample(options):
    """Lets a trained model write, piece by piece, or draw into a file.

    Without options of its own it does what the entry's recorded sample shows.
    """
    place = locate(options.name, options.preset)
    tokens = options.max_length or MAX_LENGTH
    model = open_model(place, options.name, "sample", options.int8, tokens)
    entry = _entry_of(options.name, model)
    draws = hasattr(model, "image_shape")
    writes = hasattr(model, "generate") and not draws
    _refuse(options, model, () if writes else WRITING, "write")
    _refuse(options, model, DRAWING if not draws else (), "draw")
    if writes and _given(options, WRITING):
        return _write(model, entry, options)
    if draws:
        return _draw(model, entry, options)
    if entry is None:
        what = "prompt" if writes else "name"
        raise ValueError(
            f"`{what}` must be given, because {options.name} is no entry of the zoo "
            f"and {model.name} is none. Received none"
        )
    print(entry.sample(model, seed=options.seed))


def _entry_of(name, model):
    """The entry whose way to sample is used: the one that made it, else that name."""
    for known in (model.name, name):
        if known in zoo.names():
            return zoo.get(known)
    return None


def _given(options, names):
    return [name for name in names if getattr(options, name) is not None]


def _refuse(options, model, names, verb):
    """Raises for an option that a model has no use for."""
    for name in _given(options, names):
        raise ValueError(
            f"`--{name.replace('_', '-')}` must be left out for a "
            f"{type(model).__name__}, which does not {verb}. "
            f"Received: {getattr(options, name)}"
        )


def _write(model, entry, options):
    from keras_genai.samplers.tokens import Greedy, Sample

    prompt = options.prompt
    if prompt is None:
        prompt = getattr(entry and entry.sample, "keywords", {}).get("prompt")
    if prompt is None:
        option = _given(options, WRITING)[0].replace("_", "-")
        raise ValueError(f"`--prompt` must be given with --{option}. Received none")
    temperature = TEMPERATURE if options.temperature is None else options.temperature
    sampler = Greedy()
    if temperature:
        sampler = Sample(temperature, top_k=options.top_k, top_p=options.top_p)
    pieces = model.generate(
        prompt,
        max_length=options.max_length or MAX_LENGTH,
        sampler=sampler,
        seed=options.seed,
        stream=True,
    )
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def _draw(model, entry, options):
    from keras_genai.evaluation.pictures import png
    from keras_genai.files.writing import write_bytes
    from zoo._command import output_file
    from zoo._memory import check_memory

    out = output_file(options.out, "--out")
    if options.count is not None:
        size = 16 * math.prod(model.image_shape)  # float32, and what PNG makes of it
        check_memory("--count", options.count, options.count * size)
    pictures = _sampler(model, entry, options)(model, seed=options.seed)
    write_bytes(out, png(pictures))
    print(f"{len(pictures)} pictures in {options.out}")


def _sampler(model, entry, options):
    """Function `sample(model, seed)` that does what was asked for."""
    from zoo import _images
    from zoo.entry import showing

    own = _images.draw if entry is None else entry.sample
    known = inspect.signature(own).parameters
    for name in _given(options, DRAWING):
        if "count" not in known:
            raise ValueError(
                f"`--{name}` must be left out for {entry.name}, which shows pictures "
                f"of the data. Received: {getattr(options, name)}"
            )
    if "source" in known:
        return showing(own, _splits(model, entry, options))
    if not _given(options, DRAWING):
        return own
    return functools.partial(own, **_wish(model, options))


def _splits(model, entry, options):
    """The pictures that the model is to change: the user's, or the entry's own."""
    from zoo import _settings

    if options.data is not None or options.data_dir is not None:
        given = {"data": options.data, "data_dir": options.data_dir}
        return _settings.Settings.of(entry, **given).splits()
    splits = entry.stand_in()
    if splits.image_shape != tuple(model.image_shape):
        raise ValueError(
            f"`--data` must be given, because the pictures of {entry.name} are "
            f"{splits.image_shape} and those of this model {tuple(model.image_shape)}. "
            "Received none"
        )
    return splits


def _wish(model, options):
    """Arguments of the entry's `sample`: how many pictures, and of which classes."""
    import numpy as np

    count = 64 if options.count is None else options.count
    classes = getattr(model, "num_classes", None)
    if options.label is None:
        labels = np.arange(count) % classes if classes else None
    elif classes is None:
        raise ValueError(
            f"`--label` must be left out for {model.name}, which has no classes. "
            f"Received: {options.label}"
        )
    else:
        labels = np.full(count, options.label)
    return {"count": count} if labels is None else {"count": count, "labels": labels}
