"""Two stages: a frozen codec and a model of its codes, in one preset."""

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.data import images
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.gpt import GPT
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.prior import GridPrior, SequencePrior

CODES, CLASSES = 8, 10


@pytest.fixture(scope="module")
def digits():
    return images.digits(16, stand_in=True)


def codec():
    network = QuantizedAutoencoder(num_codes=CODES, latent_size=4, filters=(4, 4))
    return VQVAE(network, Image((8, 8, 1)))


def grid_prior():
    return GridPrior(PixelCNN(width=16, depth=1), codec(), Label(CLASSES))


def sequence_prior():
    gpt = GPT(context=4, depth=1, width=16, num_heads=2)
    return SequencePrior(gpt, codec(), Label(CLASSES))


def make(kind):
    keras.utils.set_random_seed(0)
    return {"grid": grid_prior, "sequence": sequence_prior}[kind]()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grid", "sequence"])
def test_only_the_prior_learns_and_both_travel(kind, digits, tmp_path):
    model = make(kind)
    before = [weight.numpy() for weight in model.codec.weights]
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    batches = digits.train.dataset()
    history = model.fit(
        batches, epochs=2, steps_per_epoch=15, verbose=0, shuffle=False
    ).history
    assert history["loss"][1] < history["loss"][0]
    for weight, old in zip(model.codec.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert not model.codec.trainable_variables

    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    pictures = model.generate(3, labels=[1, 2, 3], seed=4)
    assert pictures.shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(
        loaded.generate(3, labels=[1, 2, 3], seed=4), pictures
    )
    labels = digits.test["labels"]
    np.testing.assert_allclose(
        loaded.score(digits.test["images"], labels),
        model.score(digits.test["images"], labels),
        rtol=1e-6,
    )


@pytest.mark.parametrize("kind", ["grid", "sequence"])
def test_a_code_is_predicted_from_label_and_earlier_codes_only(kind):
    model = make(kind)
    codes = np.int32([[[1, 2], [3, 4]]])
    before = np.array(model.logits_of(codes, np.int32([5]))).reshape(4, CODES)
    codes[0, 1, 0] = 7
    after = np.array(model.logits_of(codes, np.int32([5]))).reshape(4, CODES)
    np.testing.assert_array_equal(after[:3], before[:3])
    assert np.abs(after[3] - before[3]).max() > 1e-6
    other = np.array(model.logits_of(codes, np.int32([6]))).reshape(4, CODES)
    assert np.abs(other[0] - after[0]).max() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grid", "sequence"])
def test_drawn_codes_have_the_chances_that_are_learned(kind):
    model = make(kind)
    labels = np.full(2_000, 3, "int32")
    codes = model.draw_codes(len(labels), labels, seed=0)
    assert codes.shape == (2_000, 2, 2)
    assert codes.max() < CODES
    logits = model.logits_of(codes[:1], labels[:1])[0, 0, 0]
    share = np.bincount(codes[:, 0, 0], minlength=CODES) / len(labels)
    np.testing.assert_allclose(share, keras.ops.softmax(logits), atol=0.04)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`num_codes` must be 8"):
        GridPrior(PixelCNN(num_codes=9, width=4, depth=1), codec())
    sizes = dict(depth=1, width=4, num_heads=1)
    with pytest.raises(ValueError, match="`vocabulary_size` must be an int >= 9"):
        SequencePrior(GPT(vocabulary_size=8, context=4, **sizes), codec())
    with pytest.raises(ValueError, match="have a context of at least 4"):
        SequencePrior(GPT(context=3, **sizes), codec())


def test_nobody_has_to_count_the_codes_of_a_picture():
    sizes = dict(depth=1, width=4, num_heads=1)
    prior = SequencePrior(GPT(**sizes), codec())
    assert prior.network.context == 4
    with pytest.raises(ValueError, match="`context` must be given to gpt"):
        CausalLM(GPT(vocabulary_size=9, **sizes))
