"""Tones: a kind of sample that no file of the library knows, through all of it.

This file is its own entry of the zoo, called `tones`: the tests copy it to a folder of
entries. Modality, network, task, data and recipe follow, then what is asked of them.
"""

import dataclasses
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import wave

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from keras_genai import from_preset
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.declared import LATER, Size
from keras_genai.files.text import read_bytes
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import Field
from keras_genai.networks.base import Network
from keras_genai.tasks.sample_task import SampleTask
from zoo import __main__ as command
from zoo.entry import Entry, Recipe

LENGTH, RATE, PEAK = 64, 8_000, 32_767


class Signal(Field):
    """Sounds of one length."""

    kinds = "f"

    def __init__(self, length):
        self.shape = (length,)

    @property
    def allowed(self):
        return f"float in [-1, 1] of shape (batch, {self.shape[0]})"

    def span(self):
        return -1, 1


@dataclasses.dataclass(frozen=True)
class Wave(Modality):
    """Sounds, float in [-1, 1], as 16-bit files."""

    length: int

    key, suffix, noun = "waves", ".wav", "sounds"

    @property
    def numbers(self):
        return self.length

    @property
    def fields(self):
        return {self.key: Signal(self.length)}

    @property
    def sizes(self):
        return {"length": self.length}

    def read(self, value, name=None):
        """Sounds of arrays, or of files, as float32 `(N, length)`."""
        if isinstance(value, str | os.PathLike):
            with wave.open(io.BytesIO(read_bytes(value))) as file:
                value = np.frombuffer(file.readframes(file.getnframes()), "<i2") / PEAK
        return np.asarray(value, "float32").reshape(-1, self.length)

    def encode(self, value):
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(np.round(np.ravel(value) * PEAK).astype("<i2").tobytes())
        return buffer.getvalue()


class ToneNetwork(Network):
    """Three layers: sounds to codes and back."""

    length: Size = LATER
    width: Size = 16

    def make(self):
        self.inner = keras.layers.Dense(self.width, "tanh", name="inner")
        self.code = keras.layers.Dense(2, "tanh", name="code")
        self.outer = keras.layers.Dense(self.length, "tanh", name="outer")
        self.inner.build((None, self.length))
        self.code.build((None, self.width))
        self.outer.build((None, 2))

    def call(self, waves):
        return self.outer(self.code(self.inner(waves)))


class ToneModel(SampleTask):
    """Gives back what it hears, and makes sounds of noise."""

    network: ToneNetwork
    target: Wave

    def call(self, inputs):
        return self.network(self.read(inputs)["waves"])

    def compute_loss(self, x=None, y=None, y_pred=None, *_, **__):
        return ops.mean(ops.square(y_pred - self.read(x)["waves"]))

    def metric_inputs(self, x, y_pred):
        return x["waves"], y_pred

    def generate(self, count, seed=0):
        """float32 `(count, length)` in [-1, 1]."""
        codes = np.random.default_rng(seed).uniform(-1, 1, (count, 2))
        return np.asarray(self.network.outer(codes.astype("float32")))


def tones(batch_size, seed=0, data_dir=None, stand_in=False):
    """Sine waves of random pitch and phase."""
    draws = np.random.default_rng(7)
    pitch, phase = draws.uniform(0.05, 0.3, (2, 16 if stand_in else 96, 1))
    waves = np.sin(pitch * np.arange(LENGTH) + 20 * phase).astype("float32")
    train, held_out = {"waves": waves[8:]}, {"waves": waves[:8]}
    return Splits(
        train=DataLoader(train, batch_size, seed=seed),
        validation=DataLoader(held_out, 4, shuffle=False, fixed=True),
        held_out=held_out,
        name="tones",
        kinds=(Wave(LENGTH),),
    )


def score(model, splits):
    return {"reconstruction": model.evaluate(splits.held_out, verbose=0)}


def draw(model, seed, count=3):
    return model.generate(count, seed)


entry = Entry(
    task=ToneModel,
    networks=dict(network=ToneNetwork),
    config=dict(width=8),
    tiny=dict(width=2),
    source=tones,
    recipe=Recipe(
        compile=lambda steps=40: dict(optimizer=keras.optimizers.Adam(1e-2)),
        batch_size=8,
        steps=40,
        log_every=10,
        validate_every=20,
    ),
    sample=draw,
    evaluate=score,
    paper="None: it is a test",
    family="tones",
    embedded=True,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder whose zoo has this file as an entry."""
    (tmp_path / "entries").mkdir()
    shutil.copy(__file__, tmp_path / "entries/tones.py")
    monkeypatch.setenv(zoo.PLACES, str(tmp_path / "entries"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    assert not command.main([*arguments])


def heard(path):
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_tones_are_trained_scored_written_sampled_and_verified(folder, capsys):
    run("train", "tones")
    assert "reconstruction: " in capsys.readouterr().out
    logged = read_bytes("runs/tones/log.jsonl").decode()
    assert logged.count("\n") == 4
    assert logged.count("val_loss") == 2
    assert "examples_per_second" in logged
    model = from_preset("runs/tones/preset")
    made = model.generate(3, seed=0)
    assert heard("runs/tones/samples/sample.wav").shape == (3 * LENGTH,)
    assert heard("runs/tones/samples/step-00020.wav").shape == (3 * LENGTH,)
    np.testing.assert_allclose(
        model.target.read("runs/tones/samples/sample.wav"), made, atol=1e-4
    )

    run("sample", "tones", "--count", "2", "--seed", "1")
    assert "2 sounds in sample.wav" in capsys.readouterr().out
    assert heard("sample.wav").shape == (2 * LENGTH,)
    assert command.main(["sample", "tones", "--prompt", "a"]) == 2
    assert command.main(["sample", "tones", "--out", "sample.png"]) == 2
    capsys.readouterr()

    run("verify", "tones", "--record")
    assert (folder / "entries/results/tones.wav").exists()
    run("list", "ton*")
    assert "tones" in capsys.readouterr().out
    run("show", "tones")
    assert "reconstruction" in capsys.readouterr().out
    run("results", "tones")
    assert "reconstruction" in capsys.readouterr().out


def test_tones_are_looked_at_before_they_are_learned(folder):
    model = zoo.get("tones").build()
    model.compile("adam")
    loud = np.full((8, LENGTH), 2, "float32")
    with pytest.raises(ValueError, match=r"`waves` must be float in \[-1, 1\]"):
        model.fit(loud, verbose=0)
    with pytest.raises(ValueError, match="of shape"):
        model.fit(loud[:, 1:] / 2, verbose=0)
    model.fit(loud / 2, verbose=0)


PROGRAM = """
import os, signal, sys
import keras
import zoo
from keras_genai import training

class Kill(keras.callbacks.Callback):
    steps = 0
    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

entry = zoo.get("tones")
training.deterministic(0)
splits = entry.splits()
model = entry.build(splits)
model.compile(**entry.recipe.compile())
options = dict(steps=20, log_every=10, save_every=5, progress=False)
training.train(model, splits, sys.argv[1], callbacks=[Kill()], **options)
model.save_to_preset(sys.argv[1] + "/preset")
"""


@pytest.mark.slow
def test_tones_go_on_where_they_were_killed_to_the_same_bits(folder):
    def train(place, killed_after=0):
        arguments = [sys.executable, "-c", PROGRAM, place, str(killed_after)]
        path = os.pathsep.join([str(pathlib.Path(__file__).parents[1])])
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(arguments, env=environment, check=False).returncode

    assert train("one") == 0
    assert train("two", killed_after=13) == -signal.SIGKILL
    assert any((folder / "two/checkpoints").iterdir())
    assert train("two") == 0
    one, two = (read_bytes(f"{run}/preset/model.safetensors") for run in ("one", "two"))
    assert one == two
