import numpy as np
import pytest

from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator, num_stages


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("shape", "stages"),
    [((8, 8), 2), ((28, 28), 2), ((32, 32), 3), ((64, 64), 4), ((12, 8), 2)],
)
def test_pictures_are_halved_at_least_twice_and_down_to_four_pixels(shape, stages):
    assert num_stages(*shape) == stages


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (12, 8, 3), (3, 8, 8, 1)])
def test_stacks_fit_pictures_and_videos_of_many_shapes(shape):
    generator = DCGANGenerator(image_shape=shape, width=2, latent=5)
    images = generator(draw(2, 5), training=True)
    assert images.shape == (2, *shape)
    assert np.abs(images).max() <= 1
    score = DCGANDiscriminator(image_shape=shape, width=2, norm="layer")
    assert score(images).shape == (2,)


def test_sizes_that_are_no_multiple_of_four_are_refused():
    with pytest.raises(ValueError, match="`image_shape` must have a height and width"):
        DCGANGenerator(image_shape=(10, 8, 1), width=2)


def test_a_projection_discriminator_scores_a_picture_by_its_class():
    layer = DCGANDiscriminator(
        image_shape=(8, 8, 1), width=4, num_classes=3, norm="spectral"
    )
    images = np.repeat(draw(1, 8, 8, 1), 3, axis=0)
    assert len(np.unique(layer(images, {"labels": np.arange(3)}))) == 3
