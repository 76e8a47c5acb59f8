"""Models of waves in the zoo: they are trained and scored whatever their codes are."""

import types

import numpy as np
import pytest

import zoo
from keras_genai.likelihoods import MixtureOfLogistics
from zoo import _sound

PICTURE = (_sound.BANDS, _sound.FRAMES, 1)


class Reader:
    """Sees class 0 in everything, and looks at what it is shown."""

    accuracy = 1.0

    def __init__(self, *parts, num_classes, seed, steps):
        for images, labels in (parts[:2], parts[2:]):
            assert len(self.classify(images)) == len(labels)

    def classify(self, images):
        assert images.dtype == np.uint8
        assert images.shape[1:] == PICTURE
        assert all(np.ptp(image) for image in images)
        return np.zeros(len(images), int)


@pytest.mark.slow
def test_a_model_of_sixteen_bits_is_trained_and_scored(monkeypatch):
    monkeypatch.setattr(_sound, "SECONDS", 0.08)
    monkeypatch.setattr(_sound, "fit_classifier", Reader)
    entry = zoo.get("wavenet_digits")
    splits = entry.stand_in(batch_size=2)
    model = entry.build(splits, **entry.tiny, likelihood=MixtureOfLogistics(2))
    model.compile(**entry.recipe.compile(steps=1))
    (loss,) = model.fit(splits.train, steps_per_epoch=1, verbose=0).history["loss"]
    recordings = splits.train.recordings.take(slice(8))
    test = {name: rows[:3] for name, rows in splits.test.items()}
    few = types.SimpleNamespace(
        train=types.SimpleNamespace(recordings=recordings), test=test
    )
    found = _sound.score(model, few, sounds=4)
    assert next(iter(found)) == "test_nats_per_sample"
    assert np.isfinite([*found.values()]).all()
    # Of 8 bits nothing costs more than ln 256.
    assert np.log(256) < found["test_nats_per_sample"] == pytest.approx(loss, abs=1)
    floors = [found[f"{name}_nats"] for name in ("unigram", "linear_prediction")]
    assert np.log(2**16) > floors[0] > max(floors[1], np.log(256))
    assert found["label_accuracy"] == 1 / 4
    assert found["speaker_accuracy"] == 1 / 2
