"""A GAN is an ordinary Keras model: stock callbacks, metrics, names, subclasses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gans import cyclegan, dcgan, pix2pix, stylegan2, wgan_gp

from keras_genai.layers.modulated import ModulatedConvolution
from keras_genai.layers.pool import ImagePool
from keras_genai.losses import R1, GradientPenalty, PathLength
from keras_genai.modalities.image import Image, Video
from keras_genai.modalities.text import Label
from keras_genai.networks.dcgan import DCGANDiscriminator
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.tasks.gan import GAN
from keras_genai.tasks.stylegan import Adaptation
from keras_genai.tasks.unpaired import CycleConsistency

SHAPE = (8, 8, 1)
C, A = keras.callbacks, keras.optimizers
PICTURES = {"images": np.random.default_rng(0).random((6, *SHAPE), "float32")}


def make(first="adam", second=None, **config):
    model = dcgan(SHAPE, latent=3, width=2, **config)
    model.compile(first, second)
    return model


def fit(model, *callbacks, epochs=2, pictures=PICTURES):
    return model.fit(
        pictures,
        validation_data=(PICTURES,),
        epochs=epochs,
        callbacks=list(callbacks),
        verbose=0,
    )


@pytest.mark.slow
def test_callbacks_of_learning_rates_change_both():
    model = make(A.Adam(1e-3), A.Adam(4e-3))
    plateau = C.ReduceLROnPlateau("val_loss", 0.5, 0, min_delta=99.0)
    fit(model, plateau, epochs=2)
    rates = [float(each.learning_rate) for each in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [5e-4, 2e-3], rtol=1e-5)
    fit(model, C.LearningRateScheduler(lambda epoch: 1e-5), epochs=1)
    rates = [float(each.learning_rate) for each in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [1e-5, 1e-5], rtol=1e-5)


@pytest.mark.slow
def test_the_loss_is_that_of_both_and_is_looked_at_by_stock_callbacks(tmp_path):
    model = make()
    kept = tmp_path / "best.weights.h5"
    checkpoint = C.ModelCheckpoint(kept, save_best_only=True, save_weights_only=True)
    early = C.EarlyStopping(patience=0, min_delta=99.0)
    logs = fit(model, checkpoint, early, C.CSVLogger(tmp_path / "log.csv"), epochs=4)
    assert len(logs.epoch) == 2
    assert kept.exists()
    both = logs.history["val_generator_loss"][0]
    both += logs.history["val_discriminator_loss"][0]
    assert logs.history["val_loss"][0] == pytest.approx(both, rel=1e-5)
    nothing = {"images": PICTURES["images"] * np.float32("nan")}
    assert len(fit(model, C.TerminateOnNaN(), pictures=nothing).epoch) == 1


@pytest.mark.slow
def test_averages_are_left_in_the_weights_when_fit_ends():
    model = make(A.Adam(0.1, use_ema=True))
    fit(model, epochs=1)
    averages = model.generator_optimizer._model_variables_moving_average
    for weight, average in zip(
        model.generator.trainable_variables, averages, strict=True
    ):
        np.testing.assert_array_equal(weight, average)
    fit(model, C.SwapEMAWeights(swap_on_epoch=True), epochs=1)


@pytest.mark.slow
def test_names_of_metrics_are_those_of_what_evaluate_returns():
    model = pix2pix(SHAPE, SHAPE, width=2, penalty=GradientPenalty())
    model.compile("adam", metrics=["mae", keras.metrics.MeanSquaredError("squared")])
    pictures = {**PICTURES, "condition": PICTURES["images"]}
    found = model.evaluate(pictures, verbose=0)
    assert len(found) == len(model.metrics_names)
    named = model.evaluate(pictures, verbose=0, return_dict=True)
    assert found == pytest.approx([named[n] for n in model.metrics_names], rel=1e-2)
    error = named["mean_absolute_error"]  # of pictures in [0, 1]
    assert error == pytest.approx(named["absolute_error"] / 2, rel=0.2)
    assert model.get_compile_config()["metrics"]
    assert model.train_on_batch(pictures, return_dict=True)["squared"] > 0


def test_one_optimizer_gives_both_the_same_settings():
    model = make(A.SGD(0.3, momentum=0.5))
    first, second = model.generator_optimizer, model.discriminator_optimizer
    assert first is not second
    assert first.get_config() == second.get_config()
    with pytest.raises(ValueError, match="must be two objects"):
        model.compile(first, first)


class Mine(GAN):
    """A stranger's: networks of Keras, a constructor of its own, shapes added to."""

    def __init__(self, image_shape=SHAPE, latent=3, **kwargs):
        generator = keras.Sequential(
            [
                keras.Input((latent,)),
                keras.layers.Dense(64),
                keras.layers.Reshape(SHAPE),
            ]
        )
        discriminator = keras.Sequential(
            [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        super().__init__(generator, discriminator, Image(image_shape), **kwargs)
        self.latent = latent
        self.wanted = image_shape + (1,)  # noqa: RUF005  a list would fail

    def get_config(self):
        return {"image_shape": self.image_shape, "latent": self.latent}

    def draw(self, count, condition=None, training=False):
        noise = keras.random.normal((count, self.latent), seed=self.seeds)
        return self.generator(noise)

    def score(self, images, real, training=False):
        return self.discriminator(images)


def test_a_subclass_is_built_with_its_networks_and_comes_back_from_its_config():
    model = Mine()
    assert model.built
    assert model.count_params() > 0
    plain = {**model.get_config(), "image_shape": [*SHAPE]}
    again = Mine.from_config(plain)
    assert again.wanted == (*SHAPE, 1)
    model.compile("adam", run_eagerly=True)
    fit(model, epochs=1)
    assert model.generate(2).shape == (2, *SHAPE)


def test_any_number_of_pictures_is_one_function_and_a_prefix():
    model = make()
    five = model.generate(5, seed=1)
    for count in (1, 2, 3):
        model.generate(count, seed=1)
    np.testing.assert_allclose(model.generate(3, seed=1), five[:3], atol=1e-6)
    assert len(model._compiled_loops) == 1
    (function,) = model._compiled_loops.values()
    assert function.experimental_get_tracing_count() <= 2


@pytest.mark.parametrize("count", [0, 10**9, 10**12])
def test_a_number_of_pictures_beyond_memory_is_refused(count):
    with pytest.raises(
        ValueError, match=r"`count` must be an int >= 1, at most .* Received"
    ):
        make().generate(count)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: dcgan(SHAPE, width=0), "width"),
        (lambda: dcgan(SHAPE, width=2**31), "width"),
        (lambda: dcgan(SHAPE, latent=0), "latent"),
        (lambda: dcgan(SHAPE, loss="abc"), "loss"),
        (lambda: dcgan(SHAPE, penalty=3), "penalty"),
        (lambda: dcgan("abc"), "shape"),
        (lambda: dcgan((8, 8, 1.5)), "shape"),
        (lambda: dcgan(SHAPE, Label(1)), "num_classes"),
        (lambda: dcgan(SHAPE, discriminator_steps=0), "discriminator_steps"),
        (lambda: wgan_gp(SHAPE, norm="abc"), "norm"),
        (lambda: wgan_gp(SHAPE, penalty=GradientPenalty), "penalty"),
        (lambda: Video(SHAPE), "shape"),
        (lambda: stylegan2(SHAPE, mapping_depth=-1), "mapping_depth"),
        (lambda: stylegan2(SHAPE, adaptation=0.6), "adaptation"),
        (lambda: stylegan2((9, 9, 1)), "image_shape"),
        (lambda: CycleConsistency(weight=-1.0), "weight"),
        (lambda: Adaptation(target=3), "target"),
        (lambda: GradientPenalty(weight="abc"), "weight"),
        (lambda: R1(every=0), "every"),
        (lambda: PathLength(decay=2), "decay"),
        (lambda: ImagePool(0, SHAPE), "size"),
        (lambda: DCGANDiscriminator(image_shape=SHAPE, width=-1), "width"),
        (lambda: ModulatedConvolution(0), "filters"),
        (lambda: pix2pix(SHAPE, (8, 8)), "shape"),
        (
            lambda: PatchDiscriminator(image_shape=SHAPE, condition_shape=(8, 8)),
            "condition_shape",
        ),
        (lambda: pix2pix(SHAPE, SHAPE, l1_weight=-1), "l1_weight"),
        (lambda: pix2pix(SHAPE, SHAPE, dropout=1.0), "dropout"),
        (lambda: cyclegan(SHAPE, SHAPE, num_blocks=-1), "num_blocks"),
        (lambda: cyclegan(SHAPE, SHAPE, pool_size=-1), "pool_size"),
    ],
)
def test_arguments_out_of_range_are_named(make, name):
    with pytest.raises((ValueError, TypeError), match=rf"`{name}` must .*Received"):
        make()


@pytest.mark.slow
@pytest.mark.parametrize("is_known", [True, False])
def test_stylegan2_compiles_with_xla_for_batches_of_known_and_unknown_size(is_known):
    pictures = tf.data.Dataset.from_tensors({"images": PICTURES["images"][:2, :4, :4]})
    unknown = {"images": tf.TensorSpec((None, 4, 4, 1))}
    if not is_known:
        pictures = pictures.unbatch().batch(2)
        assert pictures.element_spec == unknown
    model = stylegan2((4, 4, 1), latent=2, width=1, mapping_depth=0)
    model.compile("sgd", jit_compile=True)
    logs = model.fit(pictures, verbose=0)
    assert np.isfinite(logs.history["loss"]).all()
    assert logs.history["generator_penalty"][0] > 0


@pytest.mark.slow
def test_a_pool_takes_batches_of_any_size():
    model = cyclegan(SHAPE, SHAPE, width=2, num_blocks=1, pool_size=9)
    model.compile("adam")
    data = {**PICTURES, "condition": PICTURES["images"]}
    model.fit(data, batch_size=4, epochs=2, verbose=0)
    assert int(model.pool_a.seen) == 9


def test_a_pool_too_small_for_a_batch_of_unknown_size_says_so():
    pool = ImagePool(3, SHAPE)
    swap = tf.function(pool, [tf.TensorSpec((None, *SHAPE))])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`images` must be a batch"
    ):
        swap(PICTURES["images"])


@pytest.fixture
def in_float64():
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    "make",
    [
        lambda: wgan_gp(SHAPE, latent=3, width=2, penalty=GradientPenalty(every=2)),
        pytest.param(
            lambda: stylegan2((4, 4, 1), latent=2, width=1, mapping_depth=0),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_networks_may_be_float64(make):
    model = make()
    model.compile("adam", run_eagerly=True)
    images = PICTURES["images"][:2, : model.image_shape[0], : model.image_shape[1]]
    for _ in range(2):
        assert np.isfinite(model.train_on_batch({"images": images})).all()
    assert "float64" in {each.dtype for each in model.generator.trainable_variables}
