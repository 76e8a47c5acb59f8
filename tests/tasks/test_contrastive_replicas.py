"""Two replicas choose among all pictures and texts of a batch, as one device does.

This file is a program, too; see `tests/two_cpus.py`.
"""

import pytest
from two_cpus import check_training, findings, report, training

ROWS, LENGTH, VOCABULARY, SHAPE = 8, 5, 11, (8, 8, 3)


def made():
    import keras

    from keras_genai.modalities.image import Image
    from keras_genai.modalities.text import Text
    from keras_genai.networks.gpt import GPT
    from keras_genai.networks.vit import ViT
    from keras_genai.tasks.contrastive import Contrastive

    model = Contrastive(
        ViT(depth=1, width=8, num_heads=2),
        GPT(depth=1, width=8, num_heads=2),
        Image(SHAPE),
        Text(vocabulary_size=VOCABULARY, length=LENGTH),
        embedding_size=4,
    )
    model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
    return model


def fit(model):
    import numpy as np
    import tensorflow as tf

    draws = np.random.default_rng(0)
    tokens = draws.integers(1, VOCABULARY, (ROWS, LENGTH)).astype("int32")
    tokens[-1] = tokens[0]  # equal texts on both replicas
    batch = {"images": draws.random((ROWS, *SHAPE), "float32"), "tokens": tokens}
    data = tf.data.Dataset.from_tensor_slices(batch).batch(ROWS)
    return model.fit(data, verbose=0, shuffle=False)


@pytest.mark.slow
def test_two_replicas_learn_what_one_device_learns():
    check_training(findings(__file__))


if __name__ == "__main__":
    report(lambda strategy: training(made, fit, strategy))
