"""What a run writes while it learns, and that the run does not notice."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import training
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.files.text import read_bytes
from keras_genai.modalities.image import Image
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.variational import VAE
from keras_genai.training import checkpoint
from keras_genai.training.samples import Samples

OPTIONS = {"steps": 6, "log_every": 2, "validate_every": 2, "progress": False}


def learn(folder, sampled=True, **options):
    training.deterministic(0)
    pictures = np.random.default_rng(0).random((12, 4, 4, 1), "float32")
    data = DataLoader({"images": pictures}, 4)
    held_out = DataLoader({"images": pictures[:4]}, 4, fixed=True)
    network = DenseAutoencoder(latent_size=2, hidden=(5,))
    model = VAE(network, Image((4, 4, 1)), name="vae")
    model.compile(keras.optimizers.Adam(0.01, use_ema=True), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    seen = []

    def sample(model):
        seen.append([variable.numpy() for variable in model.trainable_variables])
        return model.generate(2, seed=3)

    callbacks = [Samples(folder, sample, 2, 6, **options)] if sampled else []
    splits = Splits(data, held_out)
    training.train(model, splits, folder, callbacks=callbacks, **OPTIONS)
    return model, seen


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    there = importlib.util.find_spec("tensorboard") is not None
    return folder, *learn(folder, tensorboard=there)


def test_a_sample_is_written_at_every_validation_but_the_last(run):
    folder, _, _ = run
    names = sorted(path.name for path in (folder / "samples").iterdir())
    assert names == ["step-00002.png", "step-00004.png"]
    first, second = (read_bytes(folder / "samples" / name) for name in names)
    assert first != second
    assert tf.io.decode_png(first).shape[-1] == 1


@pytest.mark.slow
def test_training_goes_on_as_if_nothing_was_drawn(run, tmp_path):
    _, drawn, _ = run
    plain, _ = learn(tmp_path, sampled=False)
    for one, other in zip(drawn.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_samples_are_of_the_averaged_weights(run, monkeypatch, tmp_path):
    _, _, averaged = run
    monkeypatch.setattr(checkpoint, "averages", lambda model: [])
    _, raw = learn(tmp_path)
    assert len(averaged) == len(raw) == 2
    assert any((a != b).any() for a, b in zip(averaged[0], raw[0], strict=True))


def test_tensorboard_shows_the_samples(run):
    pytest.importorskip("tensorboard")
    folder, _, _ = run
    events = list((folder / "tensorboard").glob("events*"))
    assert any(b"PNG" in read_bytes(path) for path in events)
