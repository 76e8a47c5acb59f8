"""GANs on two replicas learn what one device learns from the same batch.

A process that uses TensorFlow already cannot split its CPU in two: this file, run as a
program, trains every model both ways and prints how far apart they are.
"""

import contextlib
import json
import pathlib
import subprocess
import sys

import pytest

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
    from keras_genai import models
    from keras_genai.models.stylegan2 import Adaptation

    small = {"latent": 4, "width": 2}
    return {
        "DCGAN": lambda: models.DCGAN(SHAPE, **small),
        "DCGAN with classes": lambda: models.DCGAN(SHAPE, num_classes=3, **small),
        "WGANGP": lambda: models.WGANGP(SHAPE, discriminator_steps=2, **small),
        "VideoGAN": lambda: models.VideoGAN((2, *SHAPE), **small),
        "StyleGAN2": lambda: models.StyleGAN2(
            SHAPE, mapping_depth=1, adaptation=Adaptation(speed=1e-2), **small
        ),
        "Pix2Pix": lambda: models.Pix2Pix(SHAPE, SHAPE, width=2, dropout=0.0),
        "CycleGAN with a pool": lambda: models.CycleGAN(
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
    if hasattr(model, "condition_shape"):
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


def updates(make, strategy):
    """What two steps of SGD change, and how far the replicas' states are apart."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    with strategy.scope(), noise_that_repeats():
        model = make()
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
        before = [weight.numpy() for weight in model.weights]
        data = tf.data.Dataset.from_tensors(batch(model)).repeat(2)
        model.fit(data, verbose=0)
    change = [w.numpy() - old for w, old in zip(model.weights, before, strict=True)]
    apart = 0.0
    for weight in model.weights:
        local = strategy.experimental_local_results(weight.value)
        first, *others = (each.numpy() for each in local)
        for other in others:
            apart = max(apart, float(np.abs(first - other).max(initial=0.0)))
    return np.concatenate([each.ravel() for each in change]), apart


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


def main():
    import numpy as np
    import tensorflow as tf

    device = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(device, halves)
    one, two = (
        tf.distribute.get_strategy(),
        tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    )
    found = {}
    for name, make in makers().items():
        alone, _ = updates(make, one)
        together, apart = updates(make, two)
        found[name] = {
            "norm": float(np.linalg.norm(alone)),
            "error": float(np.abs(alone - together).max()),
            "apart": apart,
        }
    print(json.dumps(found | {"noise": noise(two)}))


@pytest.fixture(scope="module")
def found():
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, __file__], cwd=root, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(found, name):
    assert found[name]["norm"] > 1e-4
    assert found[name]["error"] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_states_are_the_same_on_all_replicas(found, name):
    assert found[name]["apart"] == 0


@pytest.mark.slow
def test_each_replica_draws_noise_of_its_own_that_the_seed_decides(found):
    assert found["noise"] == {"differs": True, "repeats": True}


if __name__ == "__main__":
    sys.path.insert(0, "")
    main()
