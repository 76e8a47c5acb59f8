"""What a run makes while it learns: a file at every validation, from the same seed."""

import keras
import tensorflow as tf

from keras_genai.modalities.base import target_of
from keras_genai.training.callbacks import apart
from keras_genai.training.errors import writing
from keras_genai.training.folder import STEP


class Samples(keras.callbacks.Callback):
    """Writes a sample of the averaged weights whenever the model was validated.

    The training goes on as if nothing had been drawn. At the end of a run nothing is
    written: what is made of the finished model has a file of its own.

    Args:
        folder: path of the run folder; files are `samples/step-00500` and a suffix.
        sample: function of the model that returns a value of its target modality.
        interval: int. Steps between two lines of the log.
        total: int. Steps of the whole run.
        tensorboard: bool. Whether to show it there, too.
    """

    def __init__(self, folder, sample, interval, total, tensorboard=False):
        super().__init__()
        self.folder = folder
        self.sample = sample
        self.interval = interval
        self.total = total
        self.tensorboard = tensorboard

    def on_epoch_end(self, epoch, logs=None):
        step = (epoch + 1) * self.interval
        validated = any(name.startswith("val_") for name in logs or {})
        if not validated or step >= self.total:
            return
        with apart(self.model):
            value = self.sample(self.model)
        place = self.folder / f"{STEP}{step:05}"
        with writing(place):
            place.parent.mkdir(exist_ok=True)
            target_of(self.model).write(place, value)
        if self.tensorboard:
            self._show(value, step)

    def _show(self, value, step):
        target = target_of(self.model)
        picture = target.picture(value)
        writer = tf.summary.create_file_writer(str(self.folder / "tensorboard"))
        with writer.as_default(step=step):
            if picture is not None:
                tf.summary.image("sample", tf.io.decode_png(picture)[None])
            elif target.said(value):
                tf.summary.text("sample", target.said(value))
        writer.close()
