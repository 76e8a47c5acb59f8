"""What a person watches during a run: a progress bar, TensorBoard."""

import contextlib
import importlib.util
import math
import sys
import time

import keras
import tensorflow as tf

from keras_genai.training.compiled import learning_rates
from keras_genai.training.errors import TrainingError


class Progress(keras.callbacks.Callback):
    """A progress bar on a terminal, an occasional line anywhere else.

    Args:
        clock: `Clock`.
        stream: text stream; `None` for the standard output.
        pause: float. Seconds between two lines when it is not a terminal.
    """

    def __init__(self, clock, stream=None, pause=20.0):
        super().__init__()
        self.clock = clock
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty()
        self.pause = 0.1 if self.terminal else pause
        self.last = -math.inf
        self.open = False

    def on_train_begin(self, logs=None):
        self.first_step = self.clock.step
        self.first_time = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self.first_time is None:
            # The first call compiles; a rate that includes it would mislead.
            self.first_step, self.first_time = self.clock.step, now
        if now - self.last >= self.pause or self.clock.step >= self.clock.total:
            self.last = now
            self._write(now, logs or {})

    def close(self):
        """Ends the line of the bar, if one is open."""
        if self.open:
            with contextlib.suppress(OSError, ValueError):
                self.stream.write("\n")
            self.open = False

    def _write(self, now, logs):
        step, total = self.clock.step, self.clock.total
        text = f"{step:>{len(str(total))}}/{total} "
        if self.terminal:
            done = 24 * step // total
            text += "[" + "=" * done + " " * (24 - done) + "] "
        text += " ".join(f"{n} {v:.4f}" for n, v in logs.items() if n.endswith("loss"))
        if step > self.first_step:
            rate = (step - self.first_step) / max(now - self.first_time, 1e-9)
            text += f"  {rate:.3g} steps/s  {_duration((total - step) / rate)} left"
        # A run goes on without its terminal, or without the reader of its pipe.
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"\r{text}\x1b[K" if self.terminal else f"{text}\n")
            self.stream.flush()
            self.open = self.terminal


def require_tensorboard():
    """Raises `TrainingError` unless the tensorboard package is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise TrainingError(
            "`--tensorboard` needs a package that is not installed: "
            'python -m pip install "keras_genai[tensorboard]"',
            exit_code=2,
        )


class TensorBoard(keras.callbacks.Callback):
    """Writes every log value for TensorBoard, by step.

    Args:
        folder: path for the event files.
        clock: `Clock`.
    """

    def __init__(self, folder, clock):
        super().__init__()
        self.clock = clock
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_end(self, epoch, logs=None):
        with self.writer.as_default(step=self.clock.step):
            for name, value in ((logs or {}) | learning_rates(self.model)).items():
                tf.summary.scalar(name, value)
        self.writer.flush()


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
