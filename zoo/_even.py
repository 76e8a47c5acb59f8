"""What the entries have in common that learn to paint even digits.

A diffusion model of all digits is rewarded for even ones by a classifier that learned
from one half of the training pictures. What it has learned is judged by a classifier of
another kind that learned from the other half. That it still paints all five of them is
asked of nobody; so how many there are is a figure, too.
"""

import dataclasses
import functools

import numpy as np

from keras_genai.data import embedded_images, images
from keras_genai.data.extras import require
from keras_genai.evaluation import images as distances
from keras_genai.evaluation.classifier import fit_classifier
from keras_genai.samplers.diffusion import Ancestral
from keras_genai.tasks.diffusion_tuning import DiffusionTuning
from keras_genai.tasks.picture_sampling import best_pictures
from keras_genai.tasks.reward_weighted import RewardWeightedRegression
from zoo import _alignment, _images, _policies
from zoo.entry import kept

EVEN = (0, 2, 4, 6, 8)
STEPS = 10  # of denoising, where it learns and where it is scored
SCORED = 500  # pictures
SEED = 20_000  # of these draws, which no training makes
STEPS_OF_READER = 500
# For cards of presets.
NOTES = """\
It was rewarded by a classifier of digits for pictures of even ones. `even` is the share
by another kind of classifier, which learned from other pictures; `entropy` is of which
even digits they are, at most log 5, 1.609, where all five are as many. The reward is
being hacked where `even_by_reader` is far above `even`, or where `entropy` falls.
Nothing rewarded pictures that look real: the distances say how far from those they
are."""


def digits(batch_size, seed=0, data_dir=None, *, stand_in=False):
    """Scikit-learn's digits, to be painted of any kind. See `images.digits`."""
    found = images.digits(batch_size, seed, data_dir, stand_in=stand_in)
    return dataclasses.replace(found, prompts=({},))


def rewarded(policy, advantages, objective, kl, rollouts, dtype=None, name=None):
    """`_policies.rewarded` by the reader, of a `Diffusion` of digits."""
    return _policies.rewarded(
        *(policy, even, advantages, objective, kl, rollouts, dtype, name),
        tuning=DiffusionTuning,
    )


def imitating(policy, advantages, rollouts, dtype=None, name=None):
    """`RewardWeightedRegression` of a copy of a policy.

    Args:
        policy, dtype, name: see `_policies.rewarded`.
        advantages, rollouts: see `RewardWeightedRegression`.
    """
    return RewardWeightedRegression(
        _alignment.fine_tuned(policy, dtype=dtype, name=name),
        rewards=even,
        advantages=advantages,
        rollouts=rollouts,
        name=name,
    )


def even(images):
    """The probability that each picture is of an even digit, as the reader sees it."""
    return reader().probabilities(images)[:, EVEN].sum(axis=1)


@functools.cache
def reader():
    """The `Classifier` that rewards, of one half of the training pictures."""
    test = embedded_images.digits()["test"]
    return fit_classifier(
        *_half(0),
        test["images"],
        test["labels"],
        num_classes=10,
        seed=1,
        steps=STEPS_OF_READER,
        name="reader",
    )


@functools.cache
def judge():
    """A support vector machine of the other half."""
    machine = require("sklearn.svm", "the judge of digits").SVC(C=10.0)
    pictures, labels = _half(1)
    return machine.fit(_flat(pictures), labels)


def draw(model, seed, count=100, labels=None):
    """Pictures, as the model learned to make them.

    Args:
        model: `Diffusion`, or a task that has one.
        seed: int.
        count: int.
        labels: int or ints `(count,)`, or `None`: of any kind.
    """
    how = dict(steps=STEPS, sampler=Ancestral(), seed=seed, labels=labels)
    return kept(model).trajectories(count, **how).images


def score(model, splits, policy=None):
    """How many pictures are of even digits, and of how many different ones.

    Args:
        model: a task that paints.
        splits: `Splits` of `digits`.
        policy: `Diffusion` that it began as, or `None`.

    Returns:
        dict of `even`, the share by the judge; `entropy`, in nats, of which even digits
        they are, at most log 5; `even_by_reader`, the mean reward; distances from real
        even digits, see `keras_genai.evaluation.images.score`; `even_by_default`, the
        share with the sampler of `generate`; with a policy the first three of it and
        of the best of 4 of its pictures; and how often judge and reader are right.
    """
    pictures = draw(model, SEED, SCORED)
    figures = _figures(pictures)
    if policy is not None:
        best = best_pictures(policy, [{}] * SCORED, even, 4, seed=SEED, steps=STEPS)
        others = {"before": draw(policy, SEED, SCORED), "best_of_4": best}
        for name, made in others.items():
            found = _figures(made)
            figures |= {f"{key}_{name}": value for key, value in found.items()}
    usual = kept(model).generate(SCORED, guidance=0.0, seed=SEED, progress=False)
    figures["even_by_default"] = _figures(usual)["even"]
    # What is trained on are rows of rollouts by now, and no pictures.
    extractor = _images.train_classifier(images.digits(batch_size=64))
    figures |= distances.score(extractor, _even_ones(splits), pictures)
    test = splits.test
    right = judge().predict(_flat(test["images"])) == test["labels"]
    return {
        **figures,
        "judge_accuracy": float(right.mean()),
        "reader_accuracy": reader().accuracy,
    }


def _figures(pictures):
    digits = judge().predict(_flat(pictures))
    good = digits[digits % 2 == 0]
    return {
        "even": len(good) / len(digits),
        "entropy": distances.class_entropy(good // 2, len(EVEN)) if len(good) else 0.0,
        "even_by_reader": float(even(pictures).mean()),
    }


def _even_ones(splits):
    """uint8 pictures of even digits that no model has seen."""
    return np.concatenate(
        [
            part["images"][part["labels"] % 2 == 0]
            for part in (splits.held_out, splits.test)
        ]
    )


def _half(which):
    """Every second training picture and its label."""
    train = embedded_images.digits()["train"]
    return train["images"][which::2], train["labels"][which::2]


def _flat(pictures):
    """float32 `(N, H * W)` in [0, 1] of uint8 or float pictures."""
    scale = 255.0 if pictures.dtype == np.uint8 else 1.0
    return pictures.reshape(len(pictures), -1).astype("float32") / scale
