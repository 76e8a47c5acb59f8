"""A run that goes on with another rate, schedule, scale or optimizer."""

import keras
import numpy as np
import pytest
from linear_run import go, linear

from keras_genai.training import TrainingError


def adam(rate):
    return linear(keras.optimizers.Adam(rate))


@pytest.mark.slow
def test_a_new_learning_rate_is_taken_and_said(tmp_path):
    go(tmp_path, adam(1e-2), steps=4)
    said, model = [], adam(1e-4)
    outcome = go(tmp_path, model, say=said.append)
    assert said[:2] == [
        f"from step 4 on, optimizer.learning_rate was {float(np.float32(1e-2))} and is "
        f"{float(np.float32(1e-4))}",
        "the learning rate goes on from 0.01 at 0.0001",
    ]
    assert outcome.history[-1]["learning_rate"] == pytest.approx(1e-4)


@pytest.mark.slow
def test_a_new_loss_scale_is_taken_and_said(tmp_path):
    def scaled(scale, steps, say=print):
        inner = keras.optimizers.SGD(0.1)
        model = linear(keras.optimizers.LossScaleOptimizer(inner, scale))
        model.optimizer.build(model.trainable_variables)
        go(tmp_path, model, steps=steps, say=say)
        return float(model.optimizer.dynamic_scale)

    scaled(8.0, 4)
    said = []
    assert scaled(4.0, 8, said.append) == 4.0
    assert said[0].endswith("optimizer.initial_scale was 8.0 and is 4.0")


@pytest.mark.slow
def test_another_optimizer_is_refused_because_its_slots_mean_something_else(tmp_path):
    go(tmp_path, linear(keras.optimizers.Adam(0.1)), steps=4)
    with pytest.raises(TrainingError, match=r"`optimizer.class` was Adam and is AdamW"):
        go(tmp_path, linear(keras.optimizers.AdamW(0.1)))


@pytest.mark.slow
def test_a_schedule_that_jumps_with_the_number_of_steps_is_said(tmp_path):
    def cosine(steps, say=print):
        rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
        go(tmp_path, linear(keras.optimizers.SGD(rate)), steps=steps, say=say)

    cosine(8)
    said = []
    cosine(16, said.append)
    assert said[0].endswith("decay_steps was 8 and is 16")
    assert said[1] == "the learning rate goes on from 0 at 0.05"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plateau", "schedule"])
def test_a_rate_that_a_callback_changed_is_kept(kind, tmp_path):
    def rates(folder, steps):
        if kind == "plateau":
            change = keras.callbacks.ReduceLROnPlateau(
                "loss", factor=0.5, patience=1, min_delta=100.0, min_lr=0.04
            )
        else:
            change = keras.callbacks.LearningRateScheduler(lambda n, _: 0.1 / (n + 1))
        said = []
        model = linear(keras.optimizers.SGD(0.1))
        history = go(
            folder, model, steps=steps, callbacks=[change], say=said.append
        ).history
        assert not any("rate" in line for line in said)
        return [record["learning_rate"] for record in history]

    whole = rates(tmp_path / "whole", 16)
    rates(tmp_path / "parts", 12)
    assert rates(tmp_path / "parts", 16) == whole
    assert whole[-1] < whole[0]
