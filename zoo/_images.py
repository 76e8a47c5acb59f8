"""What the image entries of the zoo have in common: scores and sheets of samples."""

import math

import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.evaluation import images as distances
from keras_genai.evaluation.classifier import Frames, fit_classifier, fit_turns
from keras_genai.evaluation.restoration import restoration_scores

_CHUNK = 200  # pictures generated at once
_MOST_CLASSES = 16  # more do not fit a sheet


def score(
    model, splits, count=2000, seed=0, classifier=None, extractor=None, **options
):
    """How far a model's pictures are from real ones that it has not seen.

    Args:
        model: object with `generate(count, seed, ...)`.
        splits: `Splits` of its data.
        count: int, pictures to draw. Less count if there are fewer than twice as many
            held-out pictures: see `keras_genai.evaluation.images.score`.
        seed: int, of the pictures and of the classifier.
        classifier: what `train_classifier` returned, or `None`: it is called now.
        extractor: what to measure distances with, or `None`: the classifier.
        **options: arguments of `generate`.

    Returns:
        dict of str to float. `frechet_distance`, `frechet_floor`, `kernel_distance`,
        `precision`, `recall` and more, each with the extractor's name behind; for a
        conditional model also `label_accuracy` (how often a classifier reads the
        class that was asked for) and `classifier_accuracy` (on real test pictures).
    """
    classifier = classifier or train_classifier(splits, seed)
    fakes, labels = generate(model, count, seed, **options)
    videos = fakes.ndim == 5
    reader = Frames(classifier) if videos else classifier
    figures = distances.score(extractor or reader, held_out(splits), fakes)
    num_classes = splits.sizes.get("num_classes")
    if num_classes is None:
        return figures
    read = reader.classify(fakes)
    if labels is not None:
        figures["label_accuracy"] = float(np.mean(read == labels))
    else:
        figures["class_entropy"] = distances.class_entropy(read, num_classes)
    return {**figures, "classifier_accuracy": classifier.accuracy}


def score_restoration(restore, splits, count=256, seed=0, factor=None):
    """How well a model restores held-out pictures, beside the plain baselines.

    Args:
        restore: callable `restore(condition, seed)` from float32 damaged pictures
            `(N, H, W, C)` to restored ones.
        splits: `Splits` whose pictures come with a `"condition"`.
        count: int, pictures at most.
        seed: int.
        factor: int or `None`. See `keras_genai.evaluation.restoration`.

    Returns:
        dict of str to float, `psnr` first.
    """
    arrays = splits.held_out if splits.test is None else splits.test
    truth, damaged = arrays["images"][:count], arrays["condition"][:count]
    condition = to_float(damaged).numpy()
    restored = [
        np.asarray(restore(condition[first : first + _CHUNK], seed + first))
        for first in range(0, len(condition), _CHUNK)
    ]
    return restoration_scores(np.concatenate(restored), truth, damaged, factor)


def draw(model, seed, count=64, **options):
    """Pictures for a sheet of samples.

    Args:
        model: object with `generate(count, seed, ...)`.
        seed: int.
        count: int, about how many. Those of a conditional model make a square in
            which every row is of one class, unless `labels` are given.
        **options: arguments of `generate`.

    Returns:
        float32 `(N, H, W, C)` or `(N, F, H, W, C)` in [0, 1].
    """
    labels = options.pop("labels", None)
    if not getattr(model, "num_classes", None):
        labels = None
    elif labels is None:
        labels = sheet_labels(model.num_classes, count)
    count = count if labels is None else len(labels)
    return _in_chunks(model, count, seed, labels, options)


def sheet_labels(num_classes, count):
    """Labels of a square sheet in which every row is of one class, int32 `(N,)`.

    N is near `count`; with more than 16 classes only the first ones are shown.
    """
    side = max(1, math.isqrt(count))
    if num_classes <= _MOST_CLASSES:
        side = max(side // num_classes, 1) * num_classes
    shown = min(num_classes, side)
    return np.repeat(np.arange(side, dtype="int32") * shown // side, side)


def generate(model, count, seed=0, **options):
    """Many pictures, some at a time; those of a conditional model of all classes.

    Returns:
        `(pictures, labels)`: float32 `(count, ...)` and int32 `(count,)`, or `None`
        without labels.
    """
    labels = None
    if getattr(model, "num_classes", None):
        labels = np.arange(count, dtype="int32") % model.num_classes
    return _in_chunks(model, count, seed, labels, options), labels


def _in_chunks(model, count, seed, labels, options):
    """Pictures that are generated some at a time, each time with a seed of its own."""
    if not getattr(model, "num_classes", None) and not _reads_texts(model):
        # An entry's guidance is not for a model of a user's pictures without classes.
        options = {name: each for name, each in options.items() if name != "guidance"}
    chunk, drawn = min(count, _CHUNK), []
    for number, first in enumerate(range(0, count, chunk)):
        own = dict(options)
        if labels is not None:  # the last chunk is as large as the others
            own["labels"] = np.resize(labels[first : first + chunk], chunk)
        drawn.append(model.generate(count=chunk, seed=seed + number, **own))
    return np.concatenate(drawn)[:count]


def _reads_texts(model):
    return "prompts" in (kind.argument for kind in getattr(model, "given", ()))


def train_classifier(splits, seed=0, **options):
    """The classifier that reads a data set's pictures, or the frames of its videos.

    It learns from the training data, and without classes how pictures are turned.

    Args:
        splits: `Splits`.
        seed: int.
        **options: arguments of `fit_classifier`.

    Returns:
        `keras_genai.evaluation.classifier.Classifier`.
    """
    images, labels = _as_pictures(*_training_arrays(splits))
    test = splits.held_out if splits.test is None else splits.test
    test_images, test_labels = _as_pictures(test["images"], test.get("labels"))
    if labels is None:
        return fit_turns(images, test_images, seed=seed, **options)
    return fit_classifier(
        images,
        labels,
        test_images,
        test_labels,
        num_classes=splits.sizes["num_classes"],
        seed=seed,
        **options,
    )


def held_out(splits):
    """All pictures that do not train, uint8 `(N, ...)`."""
    validation = splits.held_out["images"]
    if splits.test is None or splits.test["images"] is validation:
        return validation
    return np.concatenate([validation, splits.test["images"]])


def _training_arrays(splits):
    """uint8 pictures of one epoch and, with classes, int32 labels."""
    images, labels = [], []
    for batch in splits.train.epoch():
        images.append(np.round(batch["images"].numpy() * 255).astype("uint8"))
        if splits.kind("labels") is not None:
            labels.append(batch["labels"].numpy())
    return np.concatenate(images), np.concatenate(labels) if labels else None


def _as_pictures(images, labels):
    """The frames of videos, each with the label of its video."""
    if images.ndim == 4:
        return images, labels
    frames = images.reshape(-1, *images.shape[2:])
    return frames, None if labels is None else np.repeat(labels, images.shape[1])
