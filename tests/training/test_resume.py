"""Real processes are killed at seeded random moments; nothing may differ after."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import tiny_run
from amid_updates import Kill, KilledError, Process

from keras_genai import training
from keras_genai.training.log import TIMING_FIELDS

STEPS = 28
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def server():
    """A process that has TensorFlow imported and forks one child per request."""
    here = pathlib.Path(__file__)
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    paths = [str(here.parents[2]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", here.parent / "tiny_run.py"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


class Run:
    """One run folder, and everything a test asks about it."""

    def __init__(self, server, folder, model):
        self.server = server
        self.folder = folder
        self.model = model

    def go(self, after=None, **options):
        """Starts the run, waits for it to end or die, returns the exit code."""
        request = {"folder": str(self.folder), "model": self.model, **options}
        print(
            json.dumps({"request": request, "after": after}),
            file=self.server.stdin,
            flush=True,
        )
        return int(self.server.stdout.readline())

    @property
    def result(self):
        return json.loads(self.folder.with_suffix(".json").read_text())

    @property
    def log(self):
        lines = (self.folder / "log.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [
            {name: r[name] for name in r if name not in TIMING_FIELDS} for r in records
        ]

    @property
    def checkpoints(self):
        return sorted((self.folder / "checkpoints").glob("step-*"))

    @property
    def state(self):
        """Hash of all arrays and every counter of the newest checkpoint."""
        manifest = json.loads((self.checkpoints[-1] / "manifest.json").read_text())
        content = manifest["content"]
        return content["sha256"], content["extra"]["callbacks"]

    @property
    def executed(self):
        return self.folder.with_suffix(".executed").stat().st_size


def uninterrupted(server, tmp_path_factory, model):
    run = Run(server, tmp_path_factory.mktemp(model) / "whole", model)
    assert run.go() == 0
    assert run.executed == STEPS
    return run


@pytest.fixture(scope="module")
def scaled(server, tmp_path_factory):
    """Dropout, shuffling, float16 loss scaling, averages, schedule, two at a time."""
    return uninterrupted(server, tmp_path_factory, "scaled")


@pytest.fixture(scope="module")
def compiled(server, tmp_path_factory):
    """Two optimizers, own noise, dropout, averages, through XLA."""
    whole = uninterrupted(server, tmp_path_factory, "compiled")
    assert whole.result["compiled"] is True
    return whole


def assert_identical(run, whole):
    assert run.result["weights"] == whole.result["weights"]
    assert run.result["best"] == whole.result["best"]
    assert run.state == whole.state
    assert run.log == whole.log


def learn(process, folder, *callbacks):
    """A run of 12 steps: its weights, its `Outcome`, its log."""
    model = process.begin()
    outcome = training.train(
        model,
        tiny_run.Splits,
        folder,
        steps=12,
        log_every=4,
        save_every=2,
        validate_every=8,
        keep_best=True,
        callbacks=[training.EarlyStopping(patience=50), *callbacks],
        progress=False,
        say=lambda line: None,
    )
    log = [
        {name: record[name] for name in record if name not in TIMING_FIELDS}
        for record in outcome.history
    ]
    return [variable.numpy() for variable in model.variables], outcome, log


def test_a_run_that_ended_amid_an_interval_goes_on_to_the_same_bits(tmp_path):
    process = Process(tiny_run.scaled_model())
    whole, expected, log = learn(process, tmp_path / "whole")
    with pytest.raises(KilledError):  # before the 8th step is saved
        learn(process, tmp_path / "cut", Kill(calls=4))
    weights, outcome, written = learn(process, tmp_path / "cut")
    assert outcome.resumed_from == 6
    assert written == log
    assert outcome.best == expected.best
    for one, other in zip(weights, whole, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "latest"),
    [
        ("scaled", [0.5]),
        ("scaled", [0.3, 0.6]),
        ("compiled", [0.5]),
    ],
)
def test_killed_at_random_moments_the_run_ends_with_the_same_bits(
    kind, latest, server, tmp_path, request
):
    whole = request.getfixturevalue(kind)
    moments = random.Random(kind)
    events = whole.result["events"]
    run = Run(server, tmp_path / "killed", kind)
    for last in latest:  # a share of the run
        # Early events of a restart repeat few steps; so the run gets on.
        at = moments.randrange(3, int(last * events))
        assert run.go(number=signal.SIGKILL, at=at) in (-signal.SIGKILL, 0)
    assert run.go() == 0
    assert run.result["resumed_from"] > 0
    assert_identical(run, whole)


@pytest.mark.slow
def test_killed_inside_a_write_the_run_goes_on_from_the_checkpoint_before(
    server, scaled, tmp_path
):
    run = Run(server, tmp_path / "killed", "scaled")
    at = 60
    while not list((run.folder / "checkpoints").glob(".stale-step-*/state.npz")):
        assert run.go(number=signal.SIGKILL, at=at) == -signal.SIGKILL
        at = 5
    before = int(run.checkpoints[-1].name.removeprefix("step-"))
    assert run.go() == 0
    assert run.result["resumed_from"] == before
    assert_identical(run, scaled)


@pytest.mark.slow
def test_one_changed_byte_costs_one_checkpoint_and_is_reported(
    server, scaled, tmp_path
):
    run = Run(server, tmp_path / "damaged", "scaled")
    assert run.go(steps=18) == 0
    older, newest = run.checkpoints[-2:]
    damage(newest / "state.npz")
    assert run.go() == 0
    assert run.result["resumed_from"] == int(older.name.removeprefix("step-"))
    assert run.result["says"][0] == (
        f"checkpoint {newest.name} is damaged (sha256 of state.npz differs); "
        f"going on from {older.name}"
    )

    assert run.result["weights"] == scaled.result["weights"]
    assert run.log == scaled.log


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_saves_and_says_how_to_continue(
    server, scaled, tmp_path
):
    run = Run(server, tmp_path / "stopped", "scaled")
    assert run.go(number=signal.SIGINT, at=50) == 128 + signal.SIGINT
    step = int(run.checkpoints[-1].name.removeprefix("step-"))
    assert run.result["error"] == (
        f"Stopped and saved at step {step} of 28; the same command goes on from there"
    )
    assert run.go() == 0
    assert run.executed == STEPS
    assert_identical(run, scaled)


@pytest.mark.slow
def test_a_disk_that_refuses_ends_the_run_with_one_line_and_intact_checkpoints(
    server, tmp_path
):
    run = Run(server, tmp_path / "full", "scaled")
    assert run.go(steps=10) == 0
    kept = [path.name for path in run.checkpoints]
    assert run.go(file_limit=4_000) == 1
    assert run.result["error"].startswith("Cannot write")
    assert run.result["error"].endswith("the newest checkpoint is step-00000010")
    assert [path.name for path in run.checkpoints] == kept
    assert not list((run.folder / "checkpoints").glob(".*"))


@pytest.mark.slow
def test_another_configuration_is_refused_in_one_line(server, scaled):
    before = sorted(scaled.folder.rglob("*"))
    assert scaled.go(fingerprint={"model": "scaled", "data": {"name": "x"}}) == 2
    assert "data.name is absent there and x here" in scaled.result["error"]
    assert "--fresh" in scaled.result["error"]
    assert sorted(scaled.folder.rglob("*")) == before
