"""A tiny run of a policy, as a process that kills itself amid a rollout's updates.

`python policy_run.py FOLDER STEP` ends before `STEP` is saved; 0 goes to the end and
prints a hash of all weights.
"""

import dataclasses
import hashlib
import os
import pathlib
import signal
import sys
from typing import Any

import keras
from toy_strings import REFERENCE, policy, worth

from keras_genai import training
from keras_genai.tasks.advantages import GAE
from keras_genai.tasks.objectives import AdaptiveKL
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.training.rollouts import Rollouts


@dataclasses.dataclass(frozen=True)
class Splits:
    """What a run needs of data: numbers of completions."""

    train: Any
    validation: Any = None


class Kill(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def run(folder, step):
    """PPO, whose run has the most state: a critic, and a price that adapts."""
    training.deterministic(0)
    model = PolicyTuning(
        policy(REFERENCE),
        worth,
        GAE(),
        kl=AdaptiveKL(0.15, target=0.1, horizon=100),
        rollouts=RolloutSettings(8, 1, 3, stop=(0,)),
    )
    model.compile(keras.optimizers.Adam(0.1), jit_compile=True)
    training.train(
        model,
        Splits(model.loader(4)),
        folder,
        steps=8,
        log_every=8,
        save_every=1,
        callbacks=[Rollouts([[0]], every=4), Kill(step)],
        progress=False,
    )
    weights = b"".join(variable.numpy().tobytes() for variable in model.variables)
    print(hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    run(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
