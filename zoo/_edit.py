"""A person's own picture, as a trained model would have it: the verb `edit`."""

import inspect

from zoo._command import output_file, write
from zoo._opening import locate, open_model

OUT = "edited.png"


def edit(options):
    """Makes of a picture what is asked for.

    A model that is given pictures makes another one of it: an edited one, one without
    its noise, one of its outlines. A diffusion model that is not adds noise to it, and
    takes that away again. The picture is cropped to the model's shape.
    """
    out = output_file(OUT if options.out is None else options.out, "--out", ".png")
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "edit")
    entry = _entry_of(options.name, model)
    kind = _source(model) or model.target
    images = _read(options.files, kind, entry, options.outlines)
    told = _told(model, options.to)
    write(model.target, out, _made(model, entry, images, told, options))


def _entry_of(name, model):
    from zoo._tasks import entry_of

    return entry_of(name, model.name)


def _source(model):
    """The kind of pictures that a model is given, or `None`."""
    return next((kind for kind in model.given if kind.null is None), None)


def _read(files, kind, entry, outlines):
    """float32 `(N, H, W, C)`: the pictures of files as a model reads them."""
    import numpy as np

    from keras_genai.data.pairs import Edges
    from keras_genai.data.pictures import resize, set_channels, to_float
    from keras_genai.files.paths import as_path
    from keras_genai.files.pictures import read_picture

    *size, channels = kind.shape
    if outlines and channels != 1:
        raise ValueError(
            "`--outlines` must be left out for a model that is not given sketches. "
            f"Received: one of {channels} channels"
        )
    read = []
    for each in files:
        try:
            picture = read_picture(as_path(each, "FILE"))
        except OSError as error:
            raise OSError(f"`FILE` cannot be read: {each}: {error}") from None
        picture = set_channels(picture, 3 if outlines else channels)
        picture = to_float(resize(picture, size))
        if outlines:
            picture = Edges()(picture[None])[0]
        elif entry is not None and entry.reads is not None:
            picture = entry.reads(picture.numpy())
        read.append(np.asarray(picture, "float32"))
    return np.stack(read)


def _told(model, to):
    """dict of arguments of a model's method: what is asked for."""
    kinds = [kind for kind in model.given if kind.null is not None]
    if not kinds:
        if to is not None:
            raise ValueError(
                f"`--to` must be left out for {model.name}, which is told nothing. "
                f"Received: {to}"
            )
        return {}
    kind, names = kinds[0], getattr(kinds[0], "names", None)
    if to is None:
        options = "" if names is None else f": {', '.join(names)}"
        raise ValueError(f"`--to` must be given for {model.name}{options}")
    if names is not None and to not in names:
        raise ValueError(f"`--to` must be of {', '.join(names)}. Received: {to}")
    if names is None and hasattr(kind, "num_classes"):
        if not to.isdecimal() or int(to) >= kind.num_classes:
            raise ValueError(
                f"`--to` must be an int from 0 to {kind.num_classes - 1} for "
                f"{model.name}. Received: {to}"
            )
        to = int(to)
    return {kind.argument: to}


def _made(model, entry, images, told, options):
    """float32 `(N, H, W, C)`: what a model makes of pictures."""
    own = getattr(entry and entry.sample, "keywords", {})
    if _source(model) is None:
        method, starts = model.edit, {"strength": options.strength}
    else:
        method, starts = getattr(model, "translate", None) or model.restore, {}
        if options.strength is not None:
            raise ValueError(
                f"`--strength` must be left out for {model.name}, which is given "
                f"pictures. Received: {options.strength}"
            )
    known = inspect.signature(method).parameters
    wish = {**own, **starts, "seed": options.seed}
    wish = {n: each for n, each in wish.items() if n in known and each is not None}
    return method(images, **wish, **told)
