"""Numbers that are not finite stop a run before they are saved."""

import keras
import pytest
import tensorflow as tf
from linear_run import Poisoned, go, linear

from keras_genai.training import TrainingError, checkpoint
from keras_genai.training.callbacks import Clock, NumericGuard


@pytest.fixture
def poisoned():
    return type("S", (), {"train": Poisoned(), "validation": None})


def test_a_loss_that_is_not_finite_stops_the_run(poisoned, tmp_path):
    with pytest.raises(TrainingError, match=r"Stopped at step 6: `loss` is nan") as e:
        go(tmp_path, splits=poisoned, save_every=2)
    assert "the newest checkpoint is step-00000004" in str(e.value)
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-00000004"


def test_poisoned_weights_under_a_finite_loss_are_never_saved(poisoned, tmp_path):
    class Quiet(keras.Sequential):
        def train_step(self, data):
            super().train_step(data)
            return {"loss": tf.constant(0.5)}

    model = Quiet([keras.Input((6,)), keras.layers.Dense(1, name="only")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(TrainingError, match="only/kernel` is not finite"):
        go(tmp_path, model, splits=poisoned, save_every=1)
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-00000005"


def test_a_loss_scale_below_one_stops_the_run(tmp_path):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    model = linear(optimizer)
    optimizer.build(model.trainable_variables)
    guard = NumericGuard(Clock(3, 9, 3), checkpoint.Checkpointer(tmp_path))
    guard.set_model(model)
    guard.on_train_begin()
    guard.on_train_batch_end(0, {"loss": 1.0})
    optimizer.dynamic_scale.assign(0.5)
    with pytest.raises(TrainingError, match=r"the loss scale fell to 0\.5"):
        guard.on_train_batch_end(0, {"loss": 1.0})
