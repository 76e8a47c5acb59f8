"""Two processes that learn together learn what one device learns from the same batch.

This file, run as a program, is one of the two.
"""

import contextlib
import sys

import numpy as np
import pytest
from two_workers import run_two

ROWS, LENGTH, VOCABULARY, SHAPE = 4, 5, 11, (8, 8, 1)
NAMES = ("GPT", "PixelCNN", "Pix2Pix")  # a text, a picture and two networks


def makers():
    """dict of `(function that makes a model, inputs, targets)` by name."""
    from keras_genai.modalities.image import Image
    from keras_genai.modalities.text import Label
    from keras_genai.networks.gpt import GPT
    from keras_genai.networks.patchgan import PatchDiscriminator
    from keras_genai.networks.pix2pix import Pix2PixGenerator
    from keras_genai.networks.pixelcnn import PixelCNN
    from keras_genai.tasks.language import CausalLM
    from keras_genai.tasks.paired import Pix2Pix
    from keras_genai.tasks.pixels import PixelModel

    sizes = {"context": 8, "depth": 1, "width": 8, "num_heads": 2}
    draws = np.random.default_rng(0)
    tokens = draws.integers(1, VOCABULARY, (2 * ROWS, LENGTH + 1)).astype("int32")
    pictures = draws.random((2 * ROWS, *SHAPE), "float32")
    return {
        "GPT": (
            lambda: CausalLM(GPT(vocabulary_size=VOCABULARY, **sizes)),
            tokens[:, :-1],
            tokens[:, 1:],
        ),
        "PixelCNN": (
            lambda: PixelModel(PixelCNN(width=6, depth=1), Image(SHAPE), Label(3)),
            {"images": pictures, "labels": np.arange(2 * ROWS) % 3},
            None,
        ),
        "Pix2Pix": (
            lambda: Pix2Pix(
                Pix2PixGenerator(width=2, dropout=0.0),
                PatchDiscriminator(width=2),
                Image(SHAPE),
                Image(SHAPE, "condition"),
            ),
            {"images": pictures, "condition": pictures[::-1].copy()},
            None,
        ),
    }


def learn(make, inputs, targets, scope):
    """What training changes, what is logged, the scores and the answers."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    with scope:
        model = make()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        settings = {"loss": loss, "steps_per_execution": 2}
        settings = {} if targets is None else settings
        model.compile(keras.optimizers.SGD(0.1), **settings)
    before = [each.numpy() for each in model.trainable_variables]
    examples = inputs if targets is None else (inputs, targets)
    data = tf.data.Dataset.from_tensor_slices(examples).batch(ROWS)
    settings = {"validation_data": data, "shuffle": False, "verbose": 0}
    history = model.fit(data, **settings).history
    after = [each.numpy() for each in model.trainable_variables]
    change = [new - old for new, old in zip(after, before, strict=True)]
    odd = keras.tree.map_structure(lambda array: array[:-1], inputs)
    answers = keras.tree.flatten(model.predict(odd, batch_size=ROWS, verbose=0))
    return {
        "change": np.concatenate([each.ravel() for each in change]),
        "logs": np.array([history[name][0] for name in sorted(history)]),
        "scores": np.array(model.evaluate(data, verbose=0)),
        **{f"answers {index}": each for index, each in enumerate(answers)},
    }


def work(path):
    """Learns as one of the workers of `TF_CONFIG`, and writes what came of it."""
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    found = {
        f"{name} {part}": array
        for name, settings in makers().items()
        for part, array in learn(*settings, strategy.scope()).items()
    }
    np.savez(path, **found)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """list of what each of two workers found."""
    folder = tmp_path_factory.mktemp("workers")
    paths = [folder / f"{index}.npz" for index in range(2)]
    run_two(__file__, paths.__getitem__)
    return [np.load(path) for path in paths]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_workers_learn_what_one_device_does(name, found):
    alone = learn(*makers()[name], contextlib.nullcontext())
    assert np.linalg.norm(alone["change"]) > 1e-3
    for worker in found:
        for part, array in alone.items():
            np.testing.assert_allclose(
                worker[f"{name} {part}"], array, atol=1e-5, err_msg=part
            )


if __name__ == "__main__":
    work(sys.argv[1])
