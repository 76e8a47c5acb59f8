"""GANs on two replicas learn what one device learns from the same batch.

This file is a program, too; see `tests/two_cpus.py`.
"""

import contextlib

import pytest
from two_cpus import check_training, findings, report, training

# One process runs the program whose findings all tests look at.
pytestmark = pytest.mark.xdist_group("gan_replicas")
ROWS, SHAPE = 4, (8, 8, 1)
NAMES = (
    "DCGAN",
    "DCGAN with classes",
    "WGANGP",
    "VideoGAN",
    "StyleGAN2",
    "Pix2Pix",
    "CycleGAN with a pool",
)


def makers():
    """dict of functions that make a model, by name."""
    from gans import cyclegan, dcgan, pix2pix, stylegan2, video_gan, wgan_gp

    from keras_genai.modalities.text import Label
    from keras_genai.tasks.stylegan import Adaptation

    small = {"latent": 4, "width": 2}
    return {
        "DCGAN": lambda: dcgan(SHAPE, **small),
        "DCGAN with classes": lambda: dcgan(SHAPE, Label(3), **small),
        "WGANGP": lambda: wgan_gp(SHAPE, discriminator_steps=2, **small),
        "VideoGAN": lambda: video_gan((2, *SHAPE), **small),
        "StyleGAN2": lambda: stylegan2(
            SHAPE, mapping_depth=1, adaptation=Adaptation(speed=1e-2), **small
        ),
        "Pix2Pix": lambda: pix2pix(SHAPE, SHAPE, width=2, dropout=0.0),
        "CycleGAN with a pool": lambda: cyclegan(
            SHAPE, SHAPE, width=2, num_blocks=1, pool_size=12
        ),
    }


def batch(model):
    import numpy as np

    # Halves alike: StyleGAN2 looks at the deviation within what it is shown at once.
    pictures = np.random.default_rng(0).random((ROWS, *model.image_shape), "float32")
    pictures = np.concatenate([pictures, pictures])
    found = {"images": pictures}
    if model.num_classes:
        found["labels"] = np.arange(2 * ROWS) % 2
    if "condition" in model.fields:
        found["condition"] = pictures[::-1].copy()
    return found


@contextlib.contextmanager
def noise_that_repeats():
    """Every second row of noise is the same, on any number of devices."""
    import keras
    import numpy as np
    import tensorflow as tf

    stock = {name: getattr(keras.random, name) for name in ("normal", "uniform")}

    def fixed(name):
        def draw(shape, *args, **kwargs):
            rows = getattr(np.random.default_rng(1), name)(size=(2, *shape[1:]))
            return tf.gather(tf.constant(rows, "float32"), tf.range(shape[0]) % 2)

        return draw

    for name in stock:
        setattr(keras.random, name, fixed(name))
    yield
    for name, function in stock.items():
        setattr(keras.random, name, function)


def compared(make, strategy):
    """Two steps of SGD, on one device and on two."""
    import keras
    import tensorflow as tf

    def compiled():
        model = make()
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
        return model

    def fit(model):
        data = tf.data.Dataset.from_tensors(batch(model)).repeat(2)
        return model.fit(data, verbose=0)

    with noise_that_repeats():
        return training(compiled, fit, strategy)


def noise(strategy):
    """The first rows that each replica draws, from one seed twice."""
    import keras
    import numpy as np
    import tensorflow as tf

    found = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = makers()["DCGAN"]()
        draw = tf.function(lambda model=model: strategy.run(lambda: model.draw(2)))
        found.append([np.array(d) for d in strategy.experimental_local_results(draw())])
    (one, two), (one_again, two_again) = found
    again = np.array_equal(one, one_again) and np.array_equal(two, two_again)
    return {"differs": not np.allclose(one, two), "repeats": bool(again)}


def compare(strategy):
    found = {name: compared(make, strategy) for name, make in makers().items()}
    return found | {"noise": noise(strategy)}


@pytest.fixture(scope="module")
def found():
    return findings(__file__)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(found, name):
    check_training(found[name])


@pytest.mark.slow
def test_each_replica_draws_noise_of_its_own_that_the_seed_decides(found):
    assert found["noise"] == {"differs": True, "repeats": True}


if __name__ == "__main__":
    report(compare)
