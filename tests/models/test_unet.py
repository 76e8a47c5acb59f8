"""U-Net and DiT: shapes they take, how they start, what they refuse."""

import keras
import numpy as np
import pytest

from keras_genai.models.dit import DiT
from keras_genai.models.unet import UNet

RANDOM = np.random.default_rng(0)


def unet(shape, **changes):
    config = dict(width=8, multipliers=(1, 2), blocks=1, attention_at=(1,))
    return UNet(shape, **{**config, **changes})


def dit(shape, **changes):
    return DiT(shape, **{"patch": 2, "depth": 2, "width": 16, **changes})


@pytest.mark.parametrize("make", [unet, dit])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 24, 3)], ids=str)
def test_the_output_has_the_shape_of_the_picture_and_starts_as_nothing(make, shape):
    model = make(shape)
    noisy = RANDOM.normal(size=(2, *shape)).astype("float32")
    out = model.forward(noisy, np.array([0.2, 0.9], "float32"), None, None)
    assert out.shape == noisy.shape
    assert (out.numpy() == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("make", [unet, dit])
def test_noise_level_label_and_condition_reach_the_output(make):
    keras.utils.set_random_seed(0)
    model = make((8, 8, 1), num_classes=3, condition_shape=(8, 8, 2))
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * RANDOM.normal(size=variable.shape))
    noisy = RANDOM.normal(size=(1, 8, 8, 1)).astype("float32")
    condition = RANDOM.uniform(-1, 1, (1, 8, 8, 2)).astype("float32")

    def run(level=0.5, label=0, condition=condition):
        return model.forward(
            noisy, np.array([level], "float32"), np.array([label]), condition
        ).numpy()

    for other in (run(level=0.51), run(label=1), run(condition=-condition)):
        assert np.abs(run() - other).max() > 1e-4


@pytest.mark.parametrize("make", [unet, dit])
def test_every_weight_is_used_and_named_once(make):
    model = make((8, 8, 1), num_classes=3)
    batch = {"images": RANDOM.uniform(size=(4, 8, 8, 1)), "labels": np.arange(4) % 3}
    out = model({k: keras.ops.convert_to_tensor(v) for k, v in batch.items()})
    assert out["error"].shape == (4,)
    weights = model.preset_weights()
    assert len(weights) == len(model.trainable_variables)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="must have sides divisible by 2"):
        unet((7, 8, 1))
    with pytest.raises(ValueError, match="`patch` must divide the sides"):
        dit((7, 8, 1))
    with pytest.raises(ValueError, match="`width` must be a multiple of 4"):
        dit((8, 8, 1), width=18)
    with pytest.raises(ValueError, match="`num_heads` must divide"):
        unet((8, 8, 1), num_heads=3)


def test_an_odd_width_is_refused_before_anything_is_built():
    with pytest.raises(ValueError, match="`width` must be even"):
        UNet((8, 8, 1), width=1, multipliers=(1,))
