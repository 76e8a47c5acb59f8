"""A run of a linear model: what tests of runs begin with."""

import keras
import tensorflow as tf
from tiny_run import Loader, Splits

from keras_genai import training


def linear(optimizer=None, **compile_options):
    training.deterministic(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(1, name="only")], name="linear"
    )
    model.compile(optimizer or keras.optimizers.Adam(0.1), "mse", **compile_options)
    return model


def go(folder, model=None, splits=Splits, steps=8, **options):
    model = linear() if model is None else model
    options = {"log_every": 4, "progress": False, "say": lambda line: None} | options
    return training.train(model, splits, folder, steps, **options)


class Poisoned(Loader):
    """Batches that are fine up to step 5 and NaN from there on."""

    def dataset(self, start=0):
        def poison(step, batch):
            bad = tf.where(step >= 5, float("nan"), 0.0)
            return batch[0] + bad, batch[1]

        numbers = tf.data.Dataset.counter(start)
        return tf.data.Dataset.zip(numbers, super().dataset(start)).map(poison)
