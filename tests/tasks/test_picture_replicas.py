"""Picture tasks on two replicas learn what one device learns from the same batch.

This file is a program, too; see `tests/two_cpus.py`.
"""

import pytest
from two_cpus import check_training, findings, report, training

# One process runs the program whose findings all tests look at.
pytestmark = pytest.mark.xdist_group("picture_replicas")
ROWS, SHAPE, CODES, CLASSES = 4, (8, 8, 1), 6, 3
NAMES = (
    "DenseAutoencoder",
    "ConvolutionalAutoencoder",
    "VQVAE",
    "PixelModel",
    "GridPrior",
    "SequencePrior",
    "UNet",
    "DiT",
    "latent UNet",
    "video UNet",
)


def makers():
    """dict of functions that make a model, by name."""
    from keras_genai.modalities import Image, Label, Video
    from keras_genai.networks import (
        GPT,
        ConvolutionalAutoencoder,
        DenseAutoencoder,
        DiT,
        PixelCNN,
        QuantizedAutoencoder,
        UNet,
    )
    from keras_genai.tasks.codec import VQVAE
    from keras_genai.tasks.diffusion import Diffusion
    from keras_genai.tasks.pixels import PixelModel
    from keras_genai.tasks.prior import GridPrior, SequencePrior
    from keras_genai.tasks.variational import VAE, ImportanceBound

    image, label = Image(SHAPE), Label(CLASSES)

    def codec():
        network = QuantizedAutoencoder(num_codes=CODES, latent_size=4, filters=(4, 4))
        return VQVAE(network, image)

    def sequence_prior():
        gpt = GPT(context=4, depth=1, width=8, num_heads=2)
        return SequencePrior(gpt, codec(), label)

    def unet(target=image, given=label, **options):
        network = UNet(width=8, multipliers=(1,), blocks=1)
        return Diffusion(network, target, given, label_dropout=0.0, **options)

    return {
        "DenseAutoencoder": lambda: VAE(
            DenseAutoencoder(latent_size=3, hidden=(9,)), image, label
        ),
        "ConvolutionalAutoencoder": lambda: VAE(
            ConvolutionalAutoencoder(latent_size=3, filters=(4, 4), hidden=5),
            image,
            objective=ImportanceBound(3),
        ),
        "VQVAE": codec,
        "PixelModel": lambda: PixelModel(PixelCNN(width=6, depth=1), image, label),
        "GridPrior": lambda: GridPrior(PixelCNN(width=8, depth=1), codec(), label),
        "SequencePrior": sequence_prior,
        "UNet": unet,
        "DiT": lambda: Diffusion(
            DiT(patch=4, depth=1, width=8, num_heads=2), image, label, label_dropout=0.0
        ),
        "latent UNet": lambda: unet(codec=codec()),
        "video UNet": lambda: unet(Video((2, 4, 4, 1)), ()),
    }


def fix_noise():
    """Every draw of training is what it is for any row of any batch."""
    import keras
    import tensorflow as tf

    from keras_genai.tasks.diffusion import Diffusion

    def normal(shape, dtype=None, seed=None):
        row = tf.random.stateless_normal(shape[1:], (1, 2), dtype=dtype)
        return tf.broadcast_to(row, shape)

    def draw(self, shape, training):
        return tf.fill(shape[:1], 0.4), normal(shape, "float32")

    keras.random.normal = normal
    Diffusion._draw = draw


def compared(make, strategy, weighted):
    """Two batches, on one device and on two."""
    import keras
    import numpy as np
    import tensorflow as tf

    def compiled():
        model = make()
        model.compile(keras.optimizers.SGD(0.1))
        return model

    def fit(model):
        draws = np.random.default_rng(0)
        batch = {
            "images": draws.random((2 * ROWS, *model.image_shape), "float32"),
            "labels": np.arange(2 * ROWS) % CLASSES,
        }
        if not getattr(model, "num_classes", None):
            batch.pop("labels")
        weights = (draws.random(2 * ROWS), draws.random(2 * ROWS, "float32"))
        element = (batch, *weights) if weighted else batch
        data = tf.data.Dataset.from_tensor_slices(element).batch(ROWS)
        return model.fit(data, shuffle=False, verbose=0)

    return training(compiled, fit, strategy)


def own_noise(strategy):
    """Latents that two replicas draw, twice from one seed."""
    import numpy as np
    import tensorflow as tf

    from keras_genai.layers.latent import GaussianSampling

    drawn = []
    for _ in range(2):
        with strategy.scope():
            layer = GaussianSampling(seed=3)

        @tf.function
        def draw(layer=layer):
            zeros = tf.zeros((2, 3))
            return strategy.run(lambda: layer(zeros, zeros))

        drawn.append(np.stack(strategy.experimental_local_results(draw())))
    first, again = drawn
    return float(np.abs(first[0] - first[1]).min()), float(np.abs(first - again).max())


def compare(strategy):
    found = {"noise": own_noise(strategy)}
    fix_noise()
    for name, make in makers().items():
        weighted = name in ("DenseAutoencoder", "VQVAE", "PixelModel", "DiT")
        found[name] = compared(make, strategy, weighted)
    return found


@pytest.fixture(scope="module")
def found():
    return findings(__file__)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(name, found):
    check_training(found[name])


@pytest.mark.slow
def test_replicas_draw_numbers_of_their_own_that_repeat_from_the_seed(found):
    apart, changed = found["noise"]
    assert apart > 1e-4
    assert changed == 0


if __name__ == "__main__":
    report(compare)
