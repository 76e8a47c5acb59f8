"""Models run without this library, fitted or not, and say what they say here."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gans import dcgan

from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERT
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.networks.unet import UNet
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.variational import VAE

TOKENS = np.random.default_rng(0).integers(0, 11, (3, 6)).astype("int32")
MASK = np.ones((3, 6), "int32")
PICTURES = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")
TEXTS = {"tokens": TOKENS, "tokens_mask": MASK, "segments": 0 * MASK}


def gpt():
    sizes = dict(vocabulary_size=11, context=8, depth=1, width=8, num_heads=2)
    return CausalLM(GPT(**sizes))


def classifier():
    return SequenceClassifier(
        BERT(vocabulary_size=11, context=8, depth=1, width=8, num_heads=2)
    )


def transformer():
    network = EncoderDecoder(
        vocabulary_size=11,
        context=8,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
    )
    return Seq2SeqLM(network)


def vae():
    return VAE(DenseAutoencoder(latent_size=3, hidden=(9,)), Image((8, 8, 1)))


def unet():
    network = UNet(width=8, multipliers=(1,), blocks=1)
    return Diffusion(network, Image((8, 8, 1)), Label(3))


CASES = {
    "gpt": (gpt, TOKENS),
    "classifier": (classifier, TEXTS),
    "transformer": (
        transformer,
        {"inputs": TOKENS, "inputs_mask": MASK, "targets": TOKENS},
    ),
    "vae": (vae, {"images": PICTURES}),
    "unet": (
        unet,
        {
            "noisy": PICTURES,
            "time": np.array([0.1, 0.5, 0.9], "float32"),
            "labels": np.array([0, 1, 2], "int32"),
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_an_export_says_what_the_model_says(name, tmp_path):
    make, inputs = CASES[name]
    model = make()
    model.export(tmp_path / "it", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "it"))  # holds the weights
    for count in (3, 1):
        rows = keras.tree.map_structure(lambda array, n=count: array[:n], inputs)
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
            loaded.serve(rows),
            model.exportable()(rows),
        )


@pytest.mark.slow
def test_a_fitted_model_is_exported_as_it_is_then(tmp_path):
    model = CASES["gpt"][0]()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(TOKENS, TOKENS, verbose=0)
    model.export(tmp_path / "it", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "it"))  # holds the weights
    np.testing.assert_allclose(loaded.serve(TOKENS), model(TOKENS), atol=1e-5)


def test_a_gan_draws_as_many_pictures_as_it_is_given(tmp_path):
    model = dcgan((8, 8, 1), latent=5, width=4)
    model.export(tmp_path / "it", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "it"))  # holds the weights
    drawn = loaded.serve({"images": PICTURES})
    assert drawn.shape == PICTURES.shape
    assert 0 <= float(tf.reduce_min(drawn)) <= float(tf.reduce_max(drawn)) <= 1
