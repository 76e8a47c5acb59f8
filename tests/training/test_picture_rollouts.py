"""Runs of diffusion models that learn from rewards, which go on amid their updates."""

import functools
import os
import signal

import keras
import policy_run
import pytest
from amid_updates import Process, check_that_it_goes_on_to_the_bit
from toy_pictures import brightness, painter

from keras_genai.tasks.advantages import Exponential, LeaveOneOut
from keras_genai.tasks.diffusion_tuning import DiffusionTuning
from keras_genai.tasks.objectives import AdaptiveKL
from keras_genai.tasks.reward_weighted import RewardWeightedRegression
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from keras_genai.training.rollouts import Rollouts
from keras_genai.training.run import train

SETTINGS = TrajectorySettings(pictures=8, steps=3)
TASKS = {
    # A price that adapts is state of a run, too.
    "DDPO": (
        DiffusionTuning,
        dict(advantages=LeaveOneOut(4), kl=AdaptiveKL(0.1, target=0.1, horizon=100)),
    ),
    # So are the draws of noise, which the policy makes.
    "RWR": (RewardWeightedRegression, dict(advantages=Exponential(group=4))),
}


def tuning(name):
    task, given = TASKS[name]
    model = task(painter(), brightness, rollouts=SETTINGS, **given)
    model.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    return model


def run(process, folder, *more):
    """A run of 8 steps, two rollouts of two passes; its weights and its log."""
    model = process.begin()
    outcome = train(
        model,
        policy_run.Splits(model.loader(4)),
        folder,
        steps=8,
        log_every=8,
        save_every=1,
        steps_per_execution=1,
        callbacks=[Rollouts([{}, {}], 4, path=folder / "rollouts.jsonl"), *more],
        progress=False,
        say=lambda line: None,
    )
    return [variable.numpy() for variable in model.variables], outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DDPO", "RWR"])
def test_a_run_that_ended_amid_a_rollouts_updates_goes_on_to_the_bit(name, tmp_path):
    run_again = functools.partial(run, Process(tuning(name)))
    check_that_it_goes_on_to_the_bit(run_again, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of POSIX")
def test_a_killed_process_goes_on_to_the_bit(tmp_path):
    whole = policy_run.start(tmp_path / "whole", 0, "pictures")
    assert whole.returncode == 0, whole.stderr
    cut = policy_run.start(tmp_path / "cut", 7, "pictures")
    assert cut.returncode == -signal.SIGKILL
    resumed = policy_run.start(tmp_path / "cut", 0, "pictures")
    assert "going on from step 6 of 8" in resumed.stdout
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]
