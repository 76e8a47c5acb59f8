"""Real and synthetic samples with classes, and what learns from them, for `useful`."""

import dataclasses
import inspect
import io
import json
import math

import numpy as np

from keras_genai.evaluation.classifier import fit_classifier
from keras_genai.evaluation.usefulness import Labelled
from keras_genai.files.plain import read_json
from keras_genai.files.writing import write_bytes, write_text
from keras_genai.progress import watched
from keras_genai.registry import to_plain
from keras_genai.training.content import content_hash
from zoo import _settings
from zoo._command import say
from zoo._memory import check_memory
from zoo._tasks import entry_of

CHUNK = 200  # samples that are drawn, and kept, at once
MOST = 10_000  # samples, unless somebody asks for more
STEPS = 20  # of denoising, where a model has such
LEARNED = "learned.json"


@dataclasses.dataclass(frozen=True)
class Data:
    """Real samples.

    Attributes:
        name: str, of the data.
        noun: str, what several of them are called.
        real, test: `Labelled`.
    """

    name: str
    noun: str
    real: Labelled
    test: Labelled

    @property
    def chance(self):
        """float: the share of the commonest class of the test."""
        return float(np.bincount(self.test.labels).max() / len(self.test))


@dataclasses.dataclass(frozen=True)
class Made:
    """Synthetic samples.

    Attributes:
        samples: `Labelled`.
        labels: str, where their classes are from.
        options: dict, how they were drawn.
    """

    samples: Labelled
    labels: str
    options: dict


def data(kind, options):
    """The real samples with classes that a model learned from: `Data`.

    Args:
        kind: see `zoo._useful_kinds`.
        options: of the command: `name`, `data` and `data_dir`.

    Raises:
        ValueError: if it is not known which they are, if they have no classes, or if
            they are not of the model's size.
    """
    model = kind.model
    entry = entry_of(model.name, options.name)
    if entry is None:
        raise ValueError(
            f"`name` must be of an entry's model, whose data are known. Received: "
            f"{options.name}, a {model.name}"
        )
    changes = {"batch_size": 1, "data": options.data, "data_dir": options.data_dir}
    if options.data is not None:
        changes["source_overrides"] = kind.source()
    splits = _settings.Settings.of(entry, **changes).splits()
    test = splits.held_out if splits.test is None else splits.test
    real, test = (kind.labelled(splits, part) for part in (splits.train.content, test))
    if real is None:
        raise ValueError(
            f"`name` must be of a model of data with classes. Received: {options.name}"
            f", whose data, {splits.name}, have none"
        )
    _check_sizes(model, splits, options)
    return Data(splits.name, model.target.noun, real, test)


def synthetic(kind, data, options, folder):
    """Samples of a model, and what they are said to show: `Made`.

    Those of which nobody knows the classes are read by a classifier of all real
    training samples.

    Args:
        kind: see `zoo._useful_kinds`.
        data: `Data`.
        options: of the command: `count`, `steps`, `guidance` and `seed`.
        folder: path that exists, where they are kept.
    """
    count = min(len(data.real), MOST) if options.count is None else options.count
    size = math.prod(kind.shape) * kind.dtype.itemsize
    check_memory("--count", count, 2 * size * count)
    how = _drawing(kind.model, options)
    samples = _drawn(kind, count, options.seed, how, folder)
    labels = kind.labels(samples, CHUNK)
    said = "labels as the model has them"
    if labels is None:
        say("zoo", "it is not asked for classes: a classifier reads what it draws")
        reader = _reader(data)
        labels = reader.classify(samples)
        said = (
            f"labels read by a classifier of {len(data.real):,} real training pictures "
            f"(accuracy {reader.accuracy:.4f})"
        )
    return Made(Labelled(samples, labels), said, how)


def _reader(data):
    """A classifier of real samples, with `classify` and `accuracy`."""
    real, test = data.real, data.test
    arrays = real.samples, real.labels, test.samples, test.labels
    return fit_classifier(*arrays)


def remembering(learn, folder):
    """`learn` that knows again, from a file in `folder`, what it has done before."""
    path = folder / LEARNED
    known = read_json(path) if path.is_file() else {}

    def remembered(train, test, seed):
        parts = train.samples, train.labels, test.samples, test.labels, seed
        name = content_hash(*parts)
        if name not in known:
            known[name] = learn(train, test, seed)
            write_text(path, json_of(known))
        return known[name]

    return remembered


def json_of(value):
    """A text of JSON, the same for dicts of another order."""
    return json.dumps(value, sort_keys=True, indent=1) + "\n"


def _check_sizes(model, splits, options):
    for name, size in model.target.sizes.items():
        own = splits.sizes.get(name, size)
        if not model.target.fits(name, own):
            raise ValueError(
                f"`--data` must be of this model's size: {name} is {own} in "
                f"{splits.name} and {size} in the model. Received: {options.data}"
            )


def _drawing(model, options):
    """Arguments of `generate` beside how many, by name."""
    known = inspect.signature(model.generate).parameters
    asked = {"steps": options.steps, "guidance": options.guidance}
    for name, value in asked.items():
        if value is not None and name not in known:
            raise ValueError(
                f"`--{name}` must be left out for a {type(model).__name__}, whose "
                f"samples are drawn without. Received: {value}"
            )
    own = {"steps": STEPS}
    own = {
        name: own.get(name, known[name].default) if value is None else value
        for name, value in asked.items()
        if name in known
    }
    return own


def _drawn(kind, count, seed, how, folder):
    """Samples, some at a time, each time kept in a file."""
    model = kind.model
    weights = [weight.numpy() for weight in model.weights]
    of = content_hash(weights, json_of(to_plain(model)), json_of(how), seed)[:16]
    if "progress" in inspect.signature(model.generate).parameters:
        how = {**how, "progress": False}
    say("zoo", f"drawing {count:,} {model.target.noun}")
    parts = []
    for number in watched(range(-(-count // CHUNK)), "batch"):
        path = folder / f"drawn-{of}-{number:04}.npy"
        part = reopened(path, kind.dtype, (CHUNK, *kind.shape))
        if part is None:
            part = kind.draw(CHUNK, seed + number, how)
            write_bytes(path, _encoded(part))
        parts.append(part)
    return np.concatenate(parts)[:count]


def reopened(path, dtype, shape):
    """What was kept in a file, or `None` where there is nothing that fits."""
    if not path.is_file():
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    return array if (array.dtype, array.shape) == (dtype, shape) else None


def _encoded(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
