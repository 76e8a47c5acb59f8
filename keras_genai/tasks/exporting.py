"""What is exported of a model: its `call`, or that of a part, or all that it does."""

import importlib

import keras
from keras import ops

# It knows tasks, and not the other way round.
_WRITER = "keras_genai.export.formats"


def export_to(model, path, format, **options):
    """Writes a model for other programs. See `keras_genai.export.formats.export`."""
    return importlib.import_module(_WRITER).export(model, path, format, **options)


class Denoiser(keras.Model):
    """The clean pictures that a diffusion model sees in noisy ones.

    Args:
        model: `Diffusion`.

    Call arguments:
        inputs: dict of float32 `noisy` `(B, *sample_shape)` and `time` `(B,)` in
            [0, 1]; and what the model is given: int32 `labels` `(B,)` and `tokens`
            `(B, length)`, float32 `condition` `(B, H, W, C')` in [0, 1].

    Returns:
        float32 `(B, *sample_shape)`, in [-1, 1] or a codec's latents.
    """

    def __init__(self, model, **kwargs):
        super().__init__(name=model.name, **kwargs)
        self.model = model
        self.built = True

    def call(self, inputs):
        model, time = self.model, inputs["time"]
        levels = [
            ops.reshape(part(time), (-1, 1, 1, 1))
            for part in (model.schedule.alpha, model.schedule.sigma)
        ]
        return model.denoise(inputs["noisy"], time, levels, model.told(inputs))

    def input_specs(self):
        specs = self.model.input_specs()
        del specs[self.model.target.key]
        shape = (None, *self.model.sample_shape)
        return {
            **specs,
            "noisy": keras.InputSpec("float32", shape=shape),
            "time": keras.InputSpec("float32", shape=(None,)),
        }
