"""A tiny run of a policy, as a process that kills itself amid a rollout's updates.

`python policy_run.py FOLDER STEP KIND` ends before `STEP` is saved; 0 goes to the end
and prints a hash of all weights.
"""

import dataclasses
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import amid_updates
import keras
from toy_pictures import brightness, painter
from toy_strings import REFERENCE, policy, worth

from keras_genai import training
from keras_genai.tasks.advantages import GAE, LeaveOneOut
from keras_genai.tasks.diffusion_tuning import DiffusionTuning
from keras_genai.tasks.objectives import AdaptiveKL
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from keras_genai.training.rollouts import Rollouts

KL = AdaptiveKL(0.15, target=0.1, horizon=100)


@dataclasses.dataclass(frozen=True)
class Splits:
    """What a run needs of data: numbers of completions."""

    train: Any
    validation: Any = None


class Kill(amid_updates.Kill):
    def end(self):
        os.kill(os.getpid(), signal.SIGKILL)


def writer():
    """PPO, whose run has the most state: a critic, and a price that adapts."""
    settings = RolloutSettings(8, 1, 3, stop=(0,))
    model = PolicyTuning(policy(REFERENCE), worth, GAE(), kl=KL, rollouts=settings)
    model.compile(keras.optimizers.Adam(0.1), jit_compile=True)
    return model, [[0]]


def pictures():
    """DDPO."""
    settings = TrajectorySettings(8, 3)
    model = DiffusionTuning(
        painter(), brightness, LeaveOneOut(8), kl=KL, rollouts=settings
    )
    model.compile(keras.optimizers.Adam(0.1))
    return model, [{}]


def start(folder, step, kind):
    """What came of this file as a process: a `subprocess.CompletedProcess`."""
    here = pathlib.Path(__file__)
    paths = [str(here.parents[1]), str(here.parents[2]), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(
        [sys.executable, "-W", "ignore", here, folder, str(step), kind],
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


def run(folder, step, make):
    training.deterministic(0)
    model, prompts = make()
    training.train(
        model,
        Splits(model.loader(4)),
        folder,
        steps=8,
        log_every=8,
        save_every=1,
        callbacks=[Rollouts(prompts, every=4), Kill(step)],
        progress=False,
    )
    weights = b"".join(variable.numpy().tobytes() for variable in model.variables)
    print(hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    kinds = {"writer": writer, "pictures": pictures}
    run(pathlib.Path(sys.argv[1]), int(sys.argv[2]), kinds[sys.argv[3]])
