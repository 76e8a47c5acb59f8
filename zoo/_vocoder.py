"""What entries have in common that make waves of spectrograms: source, score, sheet."""

import functools

import numpy as np

from keras_genai.data import sounds, speech
from keras_genai.layers.mel import LogMel
from keras_genai.layers.phase_retrieval import griffin_lim
from keras_genai.modalities.mel import Mel

# As `_speaking.SPEECH`, so that what speaks can be heard through a vocoder.
MEL = Mel(speech.RATE, window=256, hop=80, bands=40, floor=1e-5)
SHOWN = 8  # sounds of a sheet
_AT_ONCE = 60  # sounds
# Other windows, bands and places than any vocoder has been told.
_LISTENER = LogMel(MEL.rate, window=200, hop=50, bands=32, floor=1e-4)


def score(model, splits):
    """How far test sounds are from what is made of their spectrograms.

    Args:
        model: `WaveformModel` that is given a `Mel`.
        splits: `Splits` with `test`.

    Returns:
        dict of float. `log_mel_distance`, the mean absolute difference of log-mels that
        nobody was told, in nats; `log_mel_distance_griffin_lim`, of what Griffin and
        Lim's method makes of the same spectrograms; `log_mel_distance_other`, to
        another test sound; and `test_nats_per_sample` of the sounds themselves.
    """
    waves = _waves(splits.test)
    mels = _kind(model).read(waves)
    again = [griffin_lim(_kind(model), mel[None])[0] for mel in mels]
    nats = model.score(waves)
    return {
        "log_mel_distance": distance(revoiced(model, mels), waves),
        "log_mel_distance_griffin_lim": distance(again, waves),
        "log_mel_distance_other": distance(waves[1:] + waves[:1], waves),
        "test_nats_per_sample": float(np.average(nats, weights=splits.test["samples"])),
    }


def distance(made, waves):
    """Mean absolute difference of log-mels, over all frames and bands, in nats.

    Args:
        made: list of float32 `(T,)`. What is longer than its counterpart is cut, and
            what is shorter is followed by silence.
        waves: as many.

    Returns:
        float.
    """
    total = count = 0
    for one, wave in zip(made, waves, strict=True):
        one = np.pad(one[: len(wave)], (0, max(0, len(wave) - len(one))))
        mels = _LISTENER(np.stack([one, wave])).numpy()
        total += np.abs(mels[0] - mels[1]).sum(dtype="float64")
        count += mels[0].size
    return float(total / count)


def revoiced(model, mels, seed=0):
    """Waves that a model makes of spectrograms, those of similar length together.

    Args:
        model: see `score`.
        mels: list of float32 `(F, bands)`.
        seed: int.

    Returns:
        list of float32 `(T,)`, a hop for each frame.
    """
    order = np.argsort([len(mel) for mel in mels], kind="stable")
    found = [None] * len(mels)
    for first in range(0, len(mels), _AT_ONCE):
        chosen = order[first : first + _AT_ONCE]
        made = model.generate(mels=[mels[i] for i in chosen], seed=seed + first)
        for index, wave in zip(chosen, made, strict=True):
            found[index] = wave[: len(mels[index]) * _kind(model).hop]
    return found


def draw(model, seed, count=SHOWN, source=None):
    """Test sounds made anew of their spectrograms; else of made-up ones.

    Returns:
        list of float32 `(T,)`.
    """
    source = source or functools.partial(sounds.spoken_digits, stand_in=True)
    waves = _waves(source(batch_size=2).test)[:count]
    return revoiced(model, _kind(model).read(waves), seed)


def _kind(model):
    return next(kind for kind in model.given if kind.key == "mels")


def _waves(part):
    pairs = zip(part["waves"], part["samples"], strict=True)
    return [wave[:count] for wave, count in pairs]
