"""Optimizers learn on two replicas what they learn on one device, whatever they do.

This file is a program, too; see `tests/two_cpus.py`.
"""

import pytest
from two_cpus import check_training, findings, report, training

# One process runs the program whose findings all tests look at.
pytestmark = pytest.mark.xdist_group("summed")
ROWS, LENGTH, VOCABULARY, BATCHES = 4, 5, 11, 9
EMA = {"use_ema": True, "ema_momentum": 0.9}
NAMES = (
    "each weight clipped",
    "all clipped together",
    "values clipped",
    "averages take over",
    "our own",
    "accumulated",
    "accumulated with all that there is",
    "scaled losses, accumulated",
)


def makers():
    """dict of functions that make an optimizer, by name."""
    from keras.optimizers import SGD, Adam, LossScaleOptimizer

    from keras_genai.optimizers import GradualAdamW

    accumulated = {"gradient_accumulation_steps": 4}
    return {
        "each weight clipped": lambda: SGD(0.1, clipnorm=0.01),
        "all clipped together": lambda: SGD(0.1, global_clipnorm=0.1),
        "values clipped": lambda: SGD(0.1, clipvalue=0.001),
        "averages take over": lambda: SGD(0.1, ema_overwrite_frequency=2, **EMA),
        "our own": lambda: GradualAdamW(0.01, global_clipnorm=1.0),
        "accumulated": lambda: SGD(0.1, **accumulated),
        "accumulated with all that there is": lambda: Adam(
            0.01,
            epsilon=1e-3,
            global_clipnorm=0.1,
            weight_decay=0.1,
            **EMA,
            **accumulated,
        ),
        "scaled losses, accumulated": lambda: LossScaleOptimizer(
            SGD(0.1, global_clipnorm=0.1, **accumulated)
        ),
    }


def compiled(optimizer):
    import keras

    from keras_genai.networks.gpt import GPT
    from keras_genai.tasks.language import CausalLM

    sizes = {"context": 8, "depth": 1, "width": 8, "num_heads": 2}
    model = CausalLM(GPT(vocabulary_size=VOCABULARY, **sizes))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


def fit(model):
    """As many batches as leave something accumulated, and neither is a multiple."""
    import numpy as np
    import tensorflow as tf

    shape = (BATCHES * ROWS, LENGTH + 1)
    tokens = np.random.default_rng(0).integers(1, VOCABULARY, shape).astype("int32")
    data = tf.data.Dataset.from_tensor_slices((tokens[:, :-1], tokens[:, 1:]))
    return model.fit(data.batch(ROWS), shuffle=False, verbose=0)


def skipped(strategy):
    """A weight, and the scale of a loss, after one replica's gradient was infinite."""
    import keras
    import tensorflow as tf

    with strategy.scope():
        model = compiled(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)))
        model.make_train_function()
    weight = model.trainable_variables[0]
    before = weight.numpy()

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        slope = tf.where(tf.equal(replica, 1), float("inf"), 1.0)
        model.optimizer.apply([slope * tf.ones_like(weight)], [weight])

    tf.function(lambda: strategy.run(step))()
    scale = model.optimizer.dynamic_scale / model.optimizer.initial_scale
    return {"change": float(abs(weight.numpy() - before).max()), "scale": float(scale)}


def compare(strategy):
    found = {
        name: training(lambda make=make: compiled(make()), fit, strategy)
        for name, make in makers().items()
    }
    return found | {"skipped": skipped(strategy)}


@pytest.fixture(scope="module")
def found():
    return findings(__file__)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(name, found):
    check_training(found[name], least=1e-3)


@pytest.mark.slow
def test_a_gradient_that_is_infinite_on_one_replica_is_skipped_by_all(found):
    assert found["skipped"] == {"change": 0.0, "scale": 0.5}


if __name__ == "__main__":
    report(compare)
