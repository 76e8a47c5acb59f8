"""U-Net and DiT: shapes they take, how they start, what they refuse."""

import keras
import numpy as np
import pytest
from marks import slow_but

from keras_genai.declared import LATER
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.dit import DiT
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion

RANDOM = np.random.default_rng(0)


def unet(shape, **changes):
    config = dict(width=8, multipliers=(1, 2), blocks=1, attention_at=(1,))
    return UNet(sample_shape=shape, **{**config, **changes})


def dit(shape, **changes):
    return DiT(sample_shape=shape, **{"patch": 2, "depth": 2, "width": 16, **changes})


@pytest.mark.parametrize("make", [unet, dit])
@pytest.mark.parametrize(
    "shape",
    slow_but([(8, 8, 1), (32, 24, 3)], [(8, 8, 1), (28, 28, 1), (32, 24, 3)]),
    ids=str,
)
def test_the_output_has_the_shape_of_the_picture_and_starts_as_nothing(make, shape):
    model = make(shape)
    noisy = RANDOM.normal(size=(2, *shape)).astype("float32")
    out = model(noisy, np.array([0.2, 0.9], "float32"), {})
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
        told = {"labels": np.array([label]), "condition": condition}
        return model(noisy, np.array([level], "float32"), told).numpy()

    for other in (run(level=0.51), run(label=1), run(condition=-condition)):
        assert np.abs(run() - other).max() > 1e-4


@pytest.fixture(scope="module", params=[unet, dit])
def reader(request):
    """Function from tokens to what a network that reads them makes of one picture."""
    keras.utils.set_random_seed(0)
    model = request.param((8, 8, 1), vocabulary_size=9)
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * RANDOM.normal(size=variable.shape))
    noisy, time = RANDOM.normal(size=(1, 8, 8, 1)), np.array([0.5], "float32")

    def read(*tokens):
        told = {"tokens": np.array([tokens], "int32")}
        return model(noisy.astype("float32"), time, told).numpy()

    return read


@pytest.mark.slow
def test_a_text_is_read_in_its_order_and_each_of_its_tokens(reader):
    text = (3, 1, 4, 5, 2)
    said = reader(*text)
    for first, second in ((0, 1), (1, 3), (3, 4)):
        other = list(text)
        other[first], other[second] = text[second], text[first]
        assert np.abs(reader(*other) - said).max() > 1e-4
    for place in range(len(text)):
        other = list(text)
        other[place] = 7
        assert np.abs(reader(*other) - said).max() > 1e-4


@pytest.mark.slow
def test_what_is_padding_says_nothing(reader):
    np.testing.assert_allclose(reader(3, 1, 4, 0, 0), reader(3, 1, 4), atol=1e-5)
    np.testing.assert_allclose(reader(0, 0, 0, 0, 0), reader(0), atol=1e-5)
    assert np.abs(reader(0, 0) - reader(3, 0)).max() > 1e-4


def test_what_a_network_was_built_for_must_be_told():
    noisy, time = np.zeros((1, 8, 8, 1), "float32"), np.zeros(1, "float32")
    with pytest.raises(
        ValueError, match="`condition` must have 'labels', as this UNet was"
    ):
        unet((8, 8, 1), num_classes=3)(noisy, time, {})


def test_it_turns_pictures_into_others_of_nothing_noisy():
    model = unet((8, 8, 3), condition_shape=(8, 8, 1))
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * RANDOM.normal(size=variable.shape))
    nothing = np.zeros((2, 8, 8, 3), "float32"), np.zeros(2, "float32")
    sketches = RANDOM.uniform(-1, 1, (2, 8, 8, 1)).astype("float32")
    made = model(*nothing, {"condition": sketches}).numpy()
    assert made.shape == (2, 8, 8, 3)
    assert np.abs(made[0] - made[1]).max() > 1e-4


@pytest.mark.parametrize("make", [unet, dit])
def test_every_weight_is_used_and_named_once(make):
    model = Diffusion(make(LATER), Image((8, 8, 1)), Label(3))
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


def test_another_picture_must_be_of_the_same_size():
    with pytest.raises(ValueError, match="`condition_shape` must have the sides"):
        unet((8, 8, 1), condition_shape=(4, 8, 1))


def test_an_odd_width_is_refused_before_anything_is_built():
    with pytest.raises(ValueError, match="`width` must be even"):
        UNet(sample_shape=(8, 8, 1), width=1, multipliers=(1,))
