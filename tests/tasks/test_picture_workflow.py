"""Picture tasks as ordinary Keras models: weights, metrics, evaluation, settings."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from flat import flat

from keras_genai.layers.latent import GaussianSampling, GumbelSoftmax, VectorQuantizer
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.dit import DiT
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.networks.unet import UNet
from keras_genai.networks.vae import ConvolutionalAutoencoder, DenseAutoencoder
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.pixels import PixelModel
from keras_genai.tasks.variational import VAE, EvidenceBound

SHAPE = (8, 8, 1)
DRAWS = np.random.default_rng(0)
IMAGES = DRAWS.random((8, *SHAPE), "float32")
LABELS = np.arange(8) % 3
MAKERS = {
    "VAE": lambda *given: VAE(
        DenseAutoencoder(latent_size=3, hidden=(9,)), Image(SHAPE), *given
    ),
    "VQVAE": lambda: VQVAE(
        QuantizedAutoencoder(num_codes=6, latent_size=4, filters=(4,)), Image(SHAPE)
    ),
    "PixelModel": lambda *given: PixelModel(
        PixelCNN(width=6, depth=1), Image(SHAPE), *given
    ),
    "DiT": lambda *given: Diffusion(
        DiT(patch=4, depth=1, width=8, num_heads=2), Image(SHAPE), *given
    ),
}
kinds = pytest.mark.parametrize("kind", MAKERS)


def make(kind, compiling=None, given=()):
    keras.utils.set_random_seed(0)
    model = MAKERS[kind](*given)
    model.compile("adam", **(compiling or {}))
    return model


def trained(kind, *data, **options):
    """The trainable weights after one epoch, in one long array, and the logs."""
    model = make(kind, given=[Label(3)] if len(data) > 1 else ())
    logs = model.fit(*data, batch_size=8, shuffle=False, verbose=0, **options).history
    return np.concatenate([np.ravel(each) for each in model.trainable_variables]), logs


@pytest.mark.slow
@kinds
def test_weights_of_zero_teach_nothing_and_equal_ones_are_no_weights(kind):
    start = [each.numpy() for each in make(kind).trainable_variables]
    start = np.concatenate([each.ravel() for each in start])
    nothing, _ = trained(kind, IMAGES, sample_weight=np.zeros(8))
    np.testing.assert_array_equal(nothing, start)
    plain, logs = trained(kind, IMAGES)
    assert np.abs(plain - start).max() > 1e-4
    equal, same = trained(kind, IMAGES, sample_weight=np.ones(8))
    np.testing.assert_allclose(equal, plain, atol=1e-5)
    assert same["loss"] == pytest.approx(logs["loss"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["VAE", "PixelModel", "DiT"])
def test_the_weight_of_a_class_is_that_of_its_examples(kind):
    by_class = trained(kind, IMAGES, LABELS, class_weight={1: 0.0, 2: 3.0})
    factors = np.float32([1, 0, 3])[LABELS]
    by_example = trained(kind, IMAGES, LABELS, sample_weight=factors)
    np.testing.assert_array_equal(by_class[0], by_example[0])
    with pytest.raises(ValueError, match="`class_weight` must be `None` where no"):
        make(kind).fit(IMAGES, class_weight={0: 2.0}, verbose=0)


@pytest.mark.slow
@kinds
def test_metrics_are_honoured_and_a_loss_is_refused(kind):
    metric = "sparse_categorical_accuracy" if kind == "PixelModel" else "mae"
    model = make(kind, {"metrics": [metric], "weighted_metrics": [metric]})
    logs = model.fit(
        IMAGES, sample_weight=np.arange(8.0), validation_split=0.25, verbose=0
    ).history
    assert {metric, f"weighted_{metric}", f"val_{metric}"} <= logs.keys()
    with pytest.raises(ValueError, match="`loss` must be `None`"):
        make(kind, {"loss": "mse"})


@pytest.mark.slow
@kinds
def test_a_compiled_model_comes_back_compiled(kind, tmp_path):
    model = make(kind)
    model.train_on_batch(IMAGES)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.train_on_batch(IMAGES) == model.train_on_batch(IMAGES)


@pytest.mark.slow
@kinds
def test_looking_at_a_model_does_not_change_its_training(kind):
    model, watched = make(kind), make(kind)
    expected = [model.train_on_batch(IMAGES) for _ in range(2)]
    found = [watched.train_on_batch(IMAGES)]
    first = watched.evaluate(IMAGES, verbose=0)
    assert first == watched.evaluate(IMAGES, verbose=0)
    watched.predict(IMAGES, verbose=0)
    if kind != "VQVAE":
        options = {"steps": 2} if kind == "DiT" else {}
        watched.generate(2, seed=5, **options)
    if kind in ("VAE", "VQVAE"):
        watched.reconstruct(IMAGES)
    found.append(watched.train_on_batch(IMAGES))
    assert found == expected


@pytest.mark.parametrize("kind", ["VAE", "PixelModel", "DiT"])
def test_counts_share_a_few_functions_and_pictures_do_not_depend_on_them(kind):
    model = make(kind)
    options = {"steps": 2} if kind == "DiT" else {}
    many = model.generate(20, seed=3, **options)

    def traces():
        functions = vars(model)["_compiled_loops"].values()
        return sum(each.experimental_get_tracing_count() for each in functions)

    before = traces()
    for count in (17, 19):
        some = model.generate(count, seed=3, **options)
        np.testing.assert_allclose(some, many[:count], atol=1e-5)
    assert traces() == before


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: GaussianSampling(seed=1),
        lambda: GumbelSoftmax(seed=1),
        lambda: VectorQuantizer(4, 2, seed=1),
    ],
)
def test_a_layer_that_draws_goes_on_where_its_file_ended(make_layer, tmp_path):
    class Holder(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = make_layer()
            if hasattr(self.layer, "codebook") or not self.layer.built:
                self.layer.build()
            self.built = True

    first, second = Holder(), Holder()
    first.layer.seed_generator.next()
    first.save_weights(tmp_path / "one.weights.h5")
    second.load_weights(tmp_path / "one.weights.h5")
    states = (each.layer.seed_generator.state.numpy() for each in (first, second))
    np.testing.assert_array_equal(*states)


@pytest.mark.slow
@kinds
def test_it_runs_where_doubles_are_the_default(kind):
    keras.config.set_floatx("float64")
    try:
        model = make(kind)
        assert np.isfinite(model.fit(IMAGES, verbose=0).history["loss"][0])
        if kind != "VQVAE":
            options = {"steps": 2} if kind == "DiT" else {}
            assert model.generate(2, **options).dtype == np.float32
    finally:
        keras.config.set_floatx("float32")


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="must be 'channels_last'"):
            MAKERS["VQVAE"]()
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_one_clear_line(backend):
    code = "from keras_genai import backend"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert run.returncode
    last = run.stderr.strip().splitlines()[-1]
    assert "ImportError: keras_genai needs" in last
    assert "KERAS_BACKEND=tensorflow" in last


AE, CONVOLUTIONS = (VAE, DenseAutoencoder), (VAE, ConvolutionalAutoencoder)
QUANTIZED, PIXELS = (VQVAE, QuantizedAutoencoder), (PixelModel, PixelCNN)
OF_DIT, OF_UNET = (Diffusion, DiT), (Diffusion, UNet)
SMALL = dict(width=8, multipliers=(1, 2), blocks=1)
BAD = [
    (AE, dict(image_shape="abc"), "image_shape"),
    (AE, dict(image_shape=(8, 0, 1)), "image_shape"),
    (AE, dict(hidden=()), "hidden"),
    (AE, dict(hidden=9), "hidden"),
    (AE, dict(latent_size=2**31), "latent_size"),
    (AE, dict(num_classes="x"), "num_classes"),
    (AE, dict(likelihood="abc"), "likelihood"),
    (AE, dict(objective=EvidenceBound), "objective"),
    (CONVOLUTIONS, dict(filters=("a",)), "filters"),
    (CONVOLUTIONS, dict(hidden=0), "hidden"),
    (QUANTIZED, dict(filters=()), "filters"),
    (QUANTIZED, dict(num_codes=2.5), "num_codes"),
    (QUANTIZED, dict(commitment="x"), "commitment"),
    (PIXELS, dict(depth=-1), "depth"),
    (PIXELS, dict(dropout=1), "dropout"),
    (PIXELS, dict(target="abc"), "target"),
    (OF_DIT, dict(num_heads=0), "num_heads"),
    (OF_DIT, dict(inner_width=0), "inner_width"),
    (OF_DIT, dict(schedule="abc"), "schedule"),
    (OF_DIT, dict(prediction="abc"), "prediction"),
    (OF_DIT, dict(weighting="abc"), "weighting"),
    (OF_DIT, dict(condition_shape="abc"), "condition_shape"),
    (OF_DIT, dict(label_dropout=1), "label_dropout"),
    (OF_DIT, dict(latent_scale=0), "latent_scale"),
    (OF_UNET, SMALL | dict(multipliers=()), "multipliers"),
    (OF_UNET, SMALL | dict(multipliers=("a",)), "multipliers"),
    (OF_UNET, SMALL | dict(blocks=-1), "blocks"),
    (OF_UNET, SMALL | dict(width=2**31), "width"),
    (OF_UNET, SMALL | dict(num_heads=0), "num_heads"),
    (OF_UNET, SMALL | dict(attention_at=(2,)), "attention_at"),
    (OF_UNET, SMALL | dict(dropout=1), "dropout"),
    (OF_UNET, SMALL | dict(codec="abc"), "codec"),
]


@pytest.mark.parametrize(("kind", "settings", "name"), BAD)
def test_a_setting_out_of_range_is_one_clear_line(kind, settings, name):
    with pytest.raises((ValueError, TypeError), match=f"^`{name}` must be ") as caught:
        flat(*kind, *([] if "target" in settings else [Image(SHAPE)]), **settings)
    assert "\n" not in str(caught.value)
