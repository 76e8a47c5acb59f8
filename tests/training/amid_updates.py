"""Runs that end amid a rollout's updates, and go on."""

import keras
import numpy as np
import pytest


class KilledError(Exception):
    """What ends a run in the middle."""


class Kill(keras.callbacks.Callback):
    """Ends a run in the middle: after so many calls of the train function; 0: never."""

    def __init__(self, calls):
        super().__init__()
        self.left = calls

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.end()

    def end(self):
        raise KilledError


class Process:
    """A compiled model that begins again as if its process had just been started."""

    def __init__(self, model):
        self.model = model
        model.optimizer.build(model.trainable_variables)
        self.state = [*model.variables, *model.optimizer.variables]
        self.start = [variable.numpy() for variable in self.state]

    def begin(self):
        for variable, value in zip(self.state, self.start, strict=True):
            variable.assign(value)
        return self.model


def check_that_it_goes_on_to_the_bit(run, folder):
    """That a run which ended in the middle has the weights and the log of a whole one.

    Args:
        run: function `run(folder, *callbacks)` of 8 steps, two rollouts of four, which
            returns weights and `Outcome`, and writes rollouts.jsonl.
        folder: path.
    """
    whole, _ = run(folder / "whole")
    # At the 7th step the 6th has been saved: two of four with the second rollout.
    with pytest.raises(KilledError):
        run(folder / "cut", Kill(calls=7))
    resumed, outcome = run(folder / "cut")
    assert outcome.resumed_from == 6
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    written = [
        (folder / each / "rollouts.jsonl").read_text() for each in ("whole", "cut")
    ]
    assert written[0] == written[1]
