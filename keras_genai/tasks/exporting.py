"""What is exported of a model whose `call` is of use in training only."""

import keras
from keras import ops


class Denoiser(keras.Model):
    """The clean pictures that a diffusion model sees in noisy ones.

    Args:
        model: `Diffusion`.

    Call arguments:
        inputs: dict of float32 `noisy` `(B, *sample_shape)` and `time` `(B,)` in
            [0, 1]; and what else the model has: int32 `labels` `(B,)` or `tokens`
            `(B, text_length)`, float32 `condition` `(B, H, W, C')` in [0, 1].

    Returns:
        float32 `(B, *sample_shape)`, in [-1, 1] or a codec's latents.
    """

    def __init__(self, model, **kwargs):
        super().__init__(name=model.name, **kwargs)
        self.model = model
        self.built = True

    def call(self, inputs):
        model, noisy, time = self.model, inputs["noisy"], inputs["time"]
        schedule, prediction = model.schedule, model.prediction
        alpha, sigma = (
            ops.reshape(part(time), (-1, 1, 1, 1))
            for part in (schedule.alpha, schedule.sigma)
        )
        condition = inputs.get("condition")
        if condition is not None:
            condition = 2 * condition - 1
        labels = inputs.get("labels", inputs.get("tokens"))
        scaled = prediction.scale(alpha, sigma) * noisy
        output = model.forward(scaled, time, labels, condition)
        return prediction.clean(ops.cast(output, "float32"), noisy, alpha, sigma)

    def input_specs(self):
        specs = self.model.input_specs()
        del specs["images"]
        shape = (None, *self.model.sample_shape)
        return {
            **specs,
            "noisy": keras.InputSpec("float32", shape=shape),
            "time": keras.InputSpec("float32", shape=(None,)),
        }
