"""A tiny run with everything on, as a process that can be killed at any event.

`python tiny_run.py` reads one JSON request a line and carries each out in a forked
process of its own, so that TensorFlow is imported only once.
"""

import hashlib
import json
import os
import pathlib
import resource
import signal
import sys
import time
import traceback

import keras
import numpy as np
import tensorflow as tf

from keras_genai import training
from keras_genai.training import callbacks

STEPS, BATCH, COUNT = 28, 4, 26


class Loader:
    """Regression batches, shuffled, as a pure function of the step."""

    batch_size = BATCH
    steps_per_epoch = COUNT // BATCH

    def __init__(self, seed=1):
        random = np.random.default_rng(seed)
        self.x = random.normal(size=(COUNT, 6)).astype("float32")
        self.y = (self.x @ random.normal(size=(6, 1))).astype("float32")

    def dataset(self, start=0):
        def fetch(step):
            index = step * BATCH + tf.range(BATCH, dtype=tf.int64)
            epoch = index // COUNT
            key = tf.stack([tf.fill([BATCH], np.int64(7)), epoch, epoch * 0], axis=1)
            order = tf.raw_ops.RandomIndexShuffle(
                index=index % COUNT,
                seed=tf.cast(key, tf.uint32),
                max_index=tf.fill([BATCH], np.int64(COUNT - 1)),
            )
            return tf.gather(self.x, order), tf.gather(self.y, order)

        return tf.data.Dataset.counter(start).map(fetch).prefetch(2)

    def epoch(self):
        return self.dataset().take(self.steps_per_epoch)


class Splits:
    train = Loader()
    validation = Loader(2)


def schedule(rate):
    return keras.optimizers.schedules.CosineDecay(rate, STEPS)


def scaled_model():
    """Dropout, mixed float16 with loss scaling, averages, schedule, several steps."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation="relu", dtype="mixed_float16"),
            layers.BatchNormalization(),
            layers.Dropout(0.3, seed=3),
            layers.Dense(1, dtype="float32"),
        ]
    )
    inner = keras.optimizers.AdamW(schedule(0.02), use_ema=True, ema_momentum=0.9)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, 2.0**15, 5)
    model.compile(optimizer, "mse", metrics=["mae"], steps_per_execution=2)
    return model


class Adversaries(keras.Model):
    """Two networks, two optimizers, own noise: the state that Keras forgets."""

    def __init__(self):
        super().__init__()
        self.generator = keras.layers.Dense(6, name="generator")
        self.critic = keras.Sequential(
            [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.2, seed=4)],
            name="critic",
        )
        self.seeds = keras.random.SeedGenerator(5)
        self.generator.build((None, 3))
        self.critic.build((None, 6))
        self.trackers = [keras.metrics.Mean(name=f"{n}_loss") for n in ("d", "g")]
        self.built = True

    def compile(self, **kwargs):
        super().compile(optimizer=None, **kwargs)
        self.critic_optimizer = keras.optimizers.Adam(schedule(0.01))
        self.generator_optimizer = keras.optimizers.Adam(0.01, use_ema=True)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.generator_optimizer.build(self.generator.trainable_variables)

    def call(self, real, training=False):
        noise = keras.random.normal((BATCH, 3), seed=self.seeds)
        fake = self.generator(noise)
        apart = tf.reduce_mean(self.critic(real, training=training)) - tf.reduce_mean(
            self.critic(fake, training=training)
        )
        return apart**2

    def train_step(self, data):
        real, _ = data
        pairs = (
            (self.critic, self.critic_optimizer, -1.0),
            (self.generator, self.generator_optimizer, 1.0),
        )
        for tracker, (part, optimizer, sign) in zip(self.trackers, pairs, strict=True):
            with tf.GradientTape() as tape:
                loss = sign * self(real, training=True)
            weights = part.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
            tracker.update_state(loss)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def test_step(self, data):
        self.trackers[0].update_state(self(data[0]))
        return {"d_loss": self.trackers[0].result()}


def compiled_model():
    """Two optimizers, through XLA."""
    model = Adversaries()
    model.compile(jit_compile=True)
    return model


MODELS = {"scaled": scaled_model, "compiled": compiled_model}


def count_events(act, at):
    """Calls `act` at the `at`-th write, rename, sync, removal or finished step."""
    seen = 0

    def counted(function, half=None):
        def call(*arguments, **keywords):
            nonlocal seen
            seen += 1
            if seen == at:
                if half:
                    half(*arguments)
                act()
            return function(*arguments, **keywords)

        return call

    def half_written(file):
        file.write(b"PK\x03\x04 half of an archive")
        file.flush()

    os.fsync = counted(os.fsync)
    os.replace = counted(os.replace)
    pathlib.Path.unlink = counted(pathlib.Path.unlink)
    np.savez = counted(np.savez, half_written)
    stepper = callbacks.Stepper
    stepper.on_train_batch_end = counted(stepper.on_train_batch_end)
    return lambda: seen


class Count(keras.callbacks.Callback):
    """Counts executed steps over all processes, as bytes of a file."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_end(self, batch, logs=None):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("x" * self.model.steps_per_execution)


def run(folder, model, number=None, at=None, file_limit=None, **options):
    """One run to its end, or to signal `number` at event `at`; writes its result."""
    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    seen = count_events(lambda: os.kill(os.getpid(), number), at)
    training.deterministic(0)
    network = MODELS[model]()
    lines = []
    outcome = training.train(
        network,
        Splits,
        folder,
        **{"steps": STEPS, "fingerprint": {"model": model}} | options,
        log_every=4,
        save_every=2,
        validate_every=8,
        keep_best=True,
        callbacks=[training.EarlyStopping(patience=50), Count(f"{folder}.executed")],
        progress=False,
        say=lines.append,
    )
    weights = b"".join(variable.numpy().tobytes() for variable in network.variables)
    return {
        "weights": hashlib.sha256(weights).hexdigest(),
        "compiled": network.jit_compile,
        "best": outcome.best,
        "resumed_from": outcome.resumed_from,
        "events": seen(),
        "says": lines,
    }


def answer(request, after=None):
    """Carries out a request in a process of its own; kills it `after` seconds."""
    result = pathlib.Path(f"{request['folder']}.json")
    child = os.fork()
    if child == 0:
        try:
            result.write_text(json.dumps(run(**request)), encoding="utf-8")
        except training.TrainingError as error:
            result.write_text(json.dumps({"error": str(error)}), encoding="utf-8")
            os._exit(error.exit_code)
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    if after:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        print(answer(**json.loads(line)), flush=True)
