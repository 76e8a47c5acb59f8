"""What synthetic samples are worth to a classifier that is tested on real ones."""

import dataclasses

import numpy as np

from keras_genai.checks import check_integer, check_size
from keras_genai.evaluation.classifier import fit_classifier
from keras_genai.progress import watched

# What a classifier learns from, by name; see `score_usefulness`.
REAL, SYNTHETIC, BOTH, SHUFFLED = "real", "synthetic", "both", "shuffled"
FEW, FEW_AND_SYNTHETIC = "few", "few_and_synthetic"
SETTINGS = (REAL, SYNTHETIC, BOTH, FEW, FEW_AND_SYNTHETIC, SHUFFLED)


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """Samples and their classes.

    Args:
        samples: array `(N, ...)`, or a tensor.
        labels: int `(N,)`, from 0.

    Raises:
        ValueError: if there are none, not as many of one as of the other, or if a label
            is no class.
    """

    samples: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        labels = np.asarray(self.labels)
        kind, shape = labels.dtype.kind, (len(self.samples),)
        if kind not in "iu" or labels.shape != shape or not labels.size:
            raise ValueError(
                "`labels` must be ints, one for each of at least one sample. Received: "
                f"{labels.dtype} of shape {labels.shape} for {len(self)} samples"
            )
        if labels.min() < 0:
            raise ValueError(f"`labels` must be >= 0. Received: {labels.min()}")
        object.__setattr__(self, "samples", np.asarray(self.samples))
        object.__setattr__(self, "labels", labels.astype("int32"))

    def __len__(self):
        return len(self.samples)

    def __add__(self, other):
        """These, and others behind them."""
        return Labelled(
            np.concatenate([self.samples, other.samples]),
            np.concatenate([self.labels, other.labels]),
        )

    def some(self, count, seed):
        """So many of them, as many of each class as there are; all, if there are fewer.

        Args:
            count: int.
            seed: int, which ones.
        """
        order = np.random.default_rng(seed).permutation(len(self))
        rank = np.empty(len(self), int)  # how many of its class come before
        for label in np.unique(self.labels):
            places = order[self.labels[order] == label]
            rank[places] = np.arange(len(places))
        chosen = order[np.argsort(rank[order], kind="stable")][:count]
        return Labelled(self.samples[chosen], self.labels[chosen])

    def shuffled(self, seed):
        """The same samples, each with the label of any of them."""
        order = np.random.default_rng(seed).permutation(len(self))
        return Labelled(self.samples, self.labels[order])


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """How often classifiers were right that learned from one kind of samples.

    Args:
        samples: int. How many they learned from.
        values: tuple of float in [0, 1], one for each seed.
    """

    samples: int
    values: tuple[float, ...]

    @property
    def mean(self):
        """float in [0, 1]."""
        return float(np.mean(self.values))

    @property
    def deviation(self):
        """float: the standard deviation over seeds; 0 of a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0


def score_usefulness(
    real, synthetic, test, learn=None, few=100, seeds=3, progress=None
):
    """Trains classifiers on real and on synthetic samples, and tests them on real ones.

    What they learn from, by name: `real`, as many real samples as there are synthetic
    ones, or all; `synthetic`; `both` of them; `few` real ones; `few_and_synthetic`; and
    `shuffled`, synthetic ones whose labels are those of others, which teach nothing. A
    seed decides which real samples are taken, all classes alike, and how a classifier
    begins and learns. All learn for the same number of steps.

    The model that made the samples has seen all of its own training data. What a few
    real samples gain by it is what somebody gains who has the model, not the data.

    Args:
        real: `Labelled`, real training samples.
        synthetic: `Labelled`.
        test: `Labelled`, real samples that no model has seen.
        learn: callable `learn(train, test, seed)` of two `Labelled` and an int that
            trains a classifier on the former and returns its accuracy on the latter,
            float in [0, 1]; or `None`: `learn_pictures`.
        few: int from 1 to the number of real samples.
        seeds: int. How many classifiers learn from each.
        progress: bool. Whether to show a bar; `None`: if a person watches.

    Returns:
        dict of str to `Accuracy`, the names in the order above.

    Raises:
        TypeError: if a count is no int.
        ValueError: if a count is out of range.

    Reference: Ravuri & Vinyals 2019, Classification Accuracy Score for Conditional
    Generative Models, https://arxiv.org/abs/1905.10887
    """
    check_size("few", few, most=len(real))
    check_integer("seeds", seeds, 1)
    learn = learn or learn_pictures
    rounds = [(seed, name) for seed in range(seeds) for name in SETTINGS]
    values, sizes = {name: [] for name in SETTINGS}, {}
    for seed, name in watched(rounds, "classifier", progress):
        train = training_samples(name, real, synthetic, few, seed)
        sizes[name] = len(train)
        values[name].append(float(learn(train, test, seed)))
    return {name: Accuracy(sizes[name], tuple(values[name])) for name in SETTINGS}


def training_samples(name, real, synthetic, few, seed):
    """What a classifier learns from, see `score_usefulness`.

    Args:
        name: str of `SETTINGS`.
        real, synthetic, few: see `score_usefulness`.
        seed: int.

    Returns:
        `Labelled`.
    """
    if name in (SYNTHETIC, SHUFFLED):
        return synthetic if name == SYNTHETIC else synthetic.shuffled(seed)
    some = real.some(few if name.startswith(FEW) else len(synthetic), seed)
    return some + synthetic if name in (BOTH, FEW_AND_SYNTHETIC) else some


def learn_pictures(train, test, seed):
    """The accuracy of `fit_classifier`: a small convolutional network.

    Args:
        train: `Labelled` uint8 pictures `(N, H, W, C)`.
        test: likewise.
        seed: int.

    Returns:
        float in [0, 1].
    """
    arrays = train.samples, train.labels, test.samples, test.labels
    return fit_classifier(*arrays, seed=seed).accuracy
