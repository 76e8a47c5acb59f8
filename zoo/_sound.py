"""What the entries of sounds have in common: scores, and sheets that one can hear."""

import functools

import keras
import numpy as np

from keras_genai.evaluation.classifier import fit_classifier
from keras_genai.evaluation.waveforms import floors
from keras_genai.modalities.mel import Mel
from keras_genai.schedules import warmup_cosine
from zoo import _even
from zoo._averaging import averaged
from zoo.entry import Recipe

SECONDS = 0.64  # of a sound that is read; four in five digits are shorter
BANDS, FRAMES = 32, 64  # of what the reader sees
_AT_ONCE = 60  # sounds
_GUIDED = dict(guidance=2.0, temperature=0.9)  # how models draw that can be guided
# What is softer than the steps of mu-law near silence is the same to the reader.
_RANGE = np.log(1e-4), np.log(1e2)


def adam(steps, rate=1e-3):
    """Adam with averaged weights and a falling rate.

    Args:
        steps: int. Length of the run.
        rate: float. The highest learning rate.
    """
    return keras.optimizers.Adam(
        warmup_cosine(rate, 100, steps, final=0.05),
        global_clipnorm=1.0,
        **averaged(steps),
    )


def recipe(steps):
    """How models of waves are trained: four crops a step."""
    return Recipe(
        compile=lambda steps=steps: dict(optimizer=adam(steps), jit_compile=True),
        batch_size=4,
        steps=steps,
        log_every=50,
        validate_every=500,
    )


def draw(model, seed, count=10, seconds=SECONDS, **options):
    """Sounds for a sheet, of all classes and speakers in turn unless they are given.

    Args:
        model: `WaveformModel`.
        seed: int.
        count: int.
        seconds: float, how long each is.
        **options: of `generate`.

    Returns:
        float32 `(count, T)`.
    """
    return model.generate(count, seconds, seed, **_drawn(model, options))


def _drawn(model, options):
    """Options of `generate`: those that were given, and what suits the model else."""
    return {**_GUIDED, **options} if model.can_be_guided else options


def score(model, splits, sounds=600, seed=0, **options):
    """What test sounds cost, beside floors, and what is heard in sounds that it makes.

    Args:
        model: `WaveformModel`.
        splits: `Splits` with `test`.
        sounds: int. How many it makes.
        seed: int.
        **options: of `generate`.

    Returns:
        dict of str to float. `test_nats_per_sample` first, then the floors' in the same
        unit; then how often a classifier, trained on real sounds, hears the digit or
        the speaker that was asked for (`label_accuracy`, `speaker_accuracy`), how often
        where what was asked for is shuffled (`..._shuffled`, which is chance), and how
        often in real test sounds (`..._real`).
    """
    test = splits.test
    waves = _waves(test)
    given = {kind.key: test[kind.key] for kind in model.given if kind.key != "mels"}
    counts = test["samples"]
    nats = np.average(model.score(waves, **given), weights=counts)
    simple = floors(_waves(_training(splits)), waves, model.likelihood)
    figures = {
        "test_nats_per_sample": float(nats),
        **{f"{name}_nats": value for name, value in simple.items()},
    }
    return {**figures, **_heard(model, splits, sounds, seed, options)}


def _heard(model, splits, sounds, seed, options):
    """How often what was asked for is heard, in sounds of all classes and speakers."""
    asked = {kind.key: kind.in_turn(sounds) for kind in model.given}
    options, made = _drawn(model, options), []
    for first in range(0, sounds, _AT_ONCE):
        part = {key: rows[first : first + _AT_ONCE] for key, rows in asked.items()}
        count = min(_AT_ONCE, sounds - first)
        made += [*model.generate(count, SECONDS, seed + first, **options, **part)]
    see = functools.partial(_seen, model.target.rate, model.likelihood)
    seen = see(made)
    train, test = _training(splits), splits.test
    pictures = see(_waves(train)), see(_waves(test))
    figures = {}
    for kind in model.given:
        key, name = kind.key, kind.key.removesuffix("s")
        reader = fit_classifier(
            *(pictures[0], train[key], pictures[1], test[key]),
            num_classes=kind.num_classes,
            seed=seed,
            steps=_even.STEPS_OF_READER,
        )
        read = reader.classify(seen)
        shuffled = np.random.default_rng(seed).permutation(asked[key])
        figures |= {
            f"{name}_accuracy": float(np.mean(read == asked[key])),
            f"{name}_accuracy_shuffled": float(np.mean(read == shuffled)),
            f"{name}_accuracy_real": reader.accuracy,
        }
    return figures


def _seen(rate, likelihood, waves):
    """uint8 `(N, BANDS, FRAMES, 1)`: spectrograms as the reader takes them.

    Real sounds go through the model's codes first, whose hiss would give away others.
    """
    hop = round(SECONDS * rate / FRAMES)
    mel = Mel(rate, 3 * hop, hop, BANDS, floor=float(np.exp(_RANGE[0])))
    length, pictures = FRAMES * hop, []
    for wave in waves:
        wave = likelihood.waves(likelihood.codes(wave[:length])).numpy()
        wave = np.pad(wave, (0, length - len(wave)))
        loudness = (mel(wave[None])[0, :FRAMES].numpy().T - _RANGE[0]) / np.ptp(_RANGE)
        pictures.append(np.round(255 * np.clip(loudness, 0, 1)).astype("uint8"))
    return np.stack(pictures)[..., None]


def _training(splits):
    """The whole recordings that are trained on, as those of `splits.test`."""
    return splits.train.recordings.arrays()


def _waves(arrays):
    return [
        wave[:count]
        for wave, count in zip(arrays["waves"], arrays["samples"], strict=True)
    ]
