import keras
import numpy as np
import pytest
import tensorflow as tf
from gans import cyclegan, dcgan, pix2pix, stylegan2, video_gan, wgan_gp

from keras_genai import from_preset, losses
from keras_genai.modalities.image import Image, Video
from keras_genai.modalities.text import Label
from keras_genai.networks.cyclegan import CycleGANGenerator
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.networks.unet import UNet
from keras_genai.tasks.paired import Pix2Pix
from keras_genai.tasks.stylegan import Adaptation
from keras_genai.tasks.unpaired import CycleGAN

SHAPE, SKETCH, BATCH = (8, 8, 3), (8, 8, 1), 4
SMALL = {"latent": 4, "width": 2}
MODELS = {
    "dcgan": lambda **k: dcgan(SHAPE, **SMALL, **k),
    "wgan_gp": lambda **k: wgan_gp(SHAPE, norm="layer", **SMALL, **k),
    "video_gan": lambda **k: video_gan((4, *SHAPE), **SMALL, **k),
    "pix2pix": lambda **k: pix2pix(SHAPE, SKETCH, width=2, **k),
    "cyclegan": lambda **k: cyclegan(
        SHAPE, SKETCH, width=2, num_blocks=1, pool_size=6, **k
    ),
    "stylegan2": lambda **k: stylegan2(SHAPE, Label(3), mapping_depth=2, **SMALL, **k),
}
all_models = pytest.mark.parametrize("name", MODELS)


def make(name, compiled=True, **config):
    keras.utils.set_random_seed(0)
    model = MODELS[name](**config)
    if compiled:  # a step or two take less time than their graph
        model.compile(
            keras.optimizers.Adam(0.01, 0.5, use_ema=True),
            keras.optimizers.Adam(0.01, 0.5),
            run_eagerly=True,
        )
    return model


def batch(model, count=BATCH, seed=0):
    random = np.random.default_rng(seed)
    found = {
        "images": random.random((count, *model.image_shape), dtype="float32"),
        "labels": random.integers(0, 3, count).astype("int32"),
    }
    if "condition" in model.fields:
        shape = (count, *model.fields["condition"].shape)
        found["condition"] = random.random(shape, dtype="float32")
    return found


def fit(model, steps=1):
    data = tf.data.Dataset.from_tensors(batch(model)).repeat()
    return model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0).history


def pictures(model, seed=0):
    if "condition" in model.fields:
        return model.translate(batch(model)["condition"])
    return model.generate(BATCH, seed=seed)


@pytest.mark.slow
@all_models
def test_every_weight_that_trains_moves(name):
    model = make(name)
    before = [variable.numpy() for variable in model.trainable_variables]
    fit(model, 2)
    still = [
        variable.path
        for variable, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(variable, old)
    ]
    # A shift of all scores cancels out, where a loss only compares them.
    assert set(still) <= {"dcgan_discriminator/dense/bias"}


@pytest.mark.slow
@all_models
def test_a_preset_draws_the_same_pictures(name, tmp_path):
    model = make(name)
    fit(model)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    found = pictures(model)
    assert found.shape == (BATCH, *model.image_shape)
    assert found.dtype == "float32"
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_array_equal(found, pictures(loaded))
    assert loaded.get_config() == model.get_config()


@all_models
def test_calling_a_model_makes_a_fake_for_every_picture_of_a_batch(name):
    model = make(name, compiled=False)
    found = model(batch(model))
    assert found.shape == (BATCH, *model.image_shape)
    assert found.dtype == "float32"


def test_a_critic_under_a_penalty_does_not_mix_the_pictures_of_a_batch():
    images = batch(make("dcgan", compiled=False))["images"]
    for config in (
        {"penalty": losses.R1(), "norm": None},
        {"norm": "spectral"},
    ):
        model = make("dcgan", compiled=False, **config)
        in_training = "penalty" in config  # where the vector of the other moves on
        both = model.discriminator(images, training=in_training)
        alone = model.discriminator(images[:1], training=in_training)
        np.testing.assert_allclose(both[0], alone[0], rtol=1e-5)


def test_a_critic_under_a_gradient_penalty_refuses_batch_normalisation():
    with pytest.raises(ValueError, match="`norm` of a discriminator must not be of"):
        wgan_gp(SHAPE, norm="batch")


def test_videos_need_four_sizes():
    with pytest.raises(ValueError, match=r"`shape` must be \(frames, height"):
        Video(SHAPE)


def test_pix2pix_draws_with_dropout_as_the_seed_says():
    model = make("pix2pix", compiled=False)
    condition = batch(model)["condition"]
    first = model.translate(condition, seed=1)
    np.testing.assert_array_equal(first, model.translate(condition, seed=1))
    assert not np.array_equal(first, model.translate(condition, seed=2))


@pytest.mark.slow
def test_pix2pix_learns_to_repeat_one_batch():
    model = make("pix2pix", compiled=False, dropout=0.0)
    model.compile(keras.optimizers.Adam(0.01, 0.5), keras.optimizers.Adam(0.001, 0.5))
    fit(model, 150)
    data = batch(model)
    made = model.translate(data["condition"])
    before = np.abs(data["images"] - data["images"].mean()).mean()
    assert np.abs(made - data["images"]).mean() < 0.7 * before


@pytest.mark.parametrize(("side", "reach"), [(64, 70), (28, 34), (8, 16)])
def test_a_score_sees_a_patch_that_fits_the_picture(side, reach):
    layer = PatchDiscriminator(image_shape=(side, side, 1), width=2)
    sizes = [convolution.strides[0] for convolution in layer.convolutions]
    seen, jump = 1, 1
    for stride in (*sizes, 1):
        seen, jump = seen + 3 * jump, jump * stride
    assert seen == reach


def test_a_patch_far_from_a_change_keeps_its_score():
    layer = PatchDiscriminator(image_shape=(64, 64, 1), width=2)
    images = np.zeros((1, 64, 64, 1), "float32")
    changed = images.copy()
    changed[:, -1, -1] = 1
    difference = np.abs(layer(images) - layer(changed))[0, ..., 0]
    assert difference[-1, -1] > difference[0, 0]


def test_images_and_conditions_are_judged_together():
    model = make("pix2pix", compiled=False)
    data = batch(model)
    found = model.discriminate(data["images"], data["condition"])
    assert found.shape == (BATCH,)
    assert 0 <= found.min() <= found.max() <= 1
    with pytest.raises(ValueError, match="`images` and `condition` must be as many"):
        model.discriminate(data["images"], data["condition"][:2])


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_translators_say_what_to_call_instead_of_generate(name):
    with pytest.raises(ValueError, match="use `translate"):
        make(name, compiled=False).generate(4)


def test_cyclegan_translates_both_ways():
    model = make("cyclegan", compiled=False)
    data = batch(model)
    there = model.translate(data["condition"], to="b")
    back = model.translate(there, to="a")
    assert there.shape == data["images"].shape
    assert back.shape == data["condition"].shape
    assert model.discriminate(there).shape == (BATCH,)
    assert model.discriminate(back, domain="a").shape == (BATCH,)
    with pytest.raises(ValueError, match='`to` must be "a" or "b"'):
        model.translate(there, to="c")


def test_the_cycle_error_is_that_of_going_there_and_back():
    model = make("cyclegan", compiled=False)
    real = model.prepare(batch(model))
    fake = model.draw_fake(real)
    model.generator_loss(real, fake)
    error = model.trackers["cycle_error"].result()
    back_a = model.translated(model.translated(real["a"], to="b"), to="a")
    back_b = model.translated(model.translated(real["b"], to="a"), to="b")
    expected = np.abs(back_a - real["a"]).mean() + np.abs(back_b - real["b"]).mean()
    np.testing.assert_allclose(error, expected, rtol=1e-5)


@pytest.mark.slow
def test_the_pool_belongs_to_the_run_and_not_to_the_model():
    model = make("cyclegan")
    fit(model, 2)
    assert int(model.pool_a.seen) == 6
    assert not any("pool" in path for path in model.preset_weights())


def test_styles_mix_in_training_only():
    model = make("stylegan2", compiled=False)
    condition = {"labels": np.zeros(40, "int32")}
    plain = model.draw_styles(40, condition, mix=False).numpy()
    assert (plain == plain[:, :1]).all()
    mixed = model.draw_styles(40, condition, mix=True).numpy()
    assert (mixed[:, 0] != mixed[:, -1]).any(axis=1).mean() > 0.5
    model = make("stylegan2", compiled=False, mixing=0.0)
    unmixed = model.draw_styles(40, condition, mix=True).numpy()
    assert (unmixed == unmixed[:, :1]).all()


def test_stylegan2_augments_what_the_discriminator_sees_and_nothing_else():
    model = make("stylegan2", compiled=False, adaptation=Adaptation(None, 0.7))
    real = model.prepare(batch(model))
    fake = model.draw_fake(real)
    plain = float(model.discriminator_loss(real, fake))
    assert float(model.discriminator_loss(real, fake)) == plain
    assert float(model.discriminator_loss(real, fake, training=True)) != plain
    assert float(model.augmentation.probability) == np.float32(0.7)
    assert not any("augmentation" in path for path in model.preset_weights())


@pytest.mark.slow
def test_path_length_and_r1_come_lazily_and_change_the_running_mean():
    model = make("stylegan2")
    logs = fit(model)
    assert logs["generator_penalty"][0] > 0
    assert logs["discriminator_penalty"][0] > 0
    mean = float(model.path_mean)
    assert mean > 0
    logs = fit(model)
    assert logs["generator_penalty"] == logs["discriminator_penalty"] == [0.0]
    assert float(model.path_mean) == mean


def test_the_discriminator_of_stylegan2_sees_how_much_a_batch_varies():
    model = make("stylegan2", compiled=False)
    images = batch(model)["images"]
    condition = {"labels": np.zeros(BATCH, "int32")}
    alike = np.repeat(images[:1], BATCH, axis=0)
    varied = model.discriminator(images, condition)[0]
    assert abs(varied - model.discriminator(alike, condition)[0]) > 1e-4


def test_the_discriminator_of_stylegan2_sees_how_much_a_class_varies():
    model = make("stylegan2", compiled=False)
    pair = batch(model)["images"][:2]
    labels = np.array([0, 0, 1, 1], "int32")
    # Every class is one picture, as if that were the whole batch.
    both = model.discriminator(np.repeat(pair, 2, axis=0), {"labels": labels})
    alone = model.discriminator(np.repeat(pair[:1], 2, axis=0), {"labels": labels[:2]})
    np.testing.assert_allclose(both[:2], alone, rtol=1e-5)


def test_networks_of_one_class_are_called_after_their_fields():
    model = make("cyclegan", compiled=False)
    parts = {path.partition("/")[0] for path in model.preset_weights()}
    names = {f"{side}_{of}" for side in ("generator", "discriminator") for of in "ab"}
    assert parts == names
    again = CycleGAN.from_config(model.get_config())
    assert again.preset_weights().keys() == model.preset_weights().keys()


def test_built_networks_of_one_name_are_refused():
    def generator(**options):
        shapes = {"image_shape": SHAPE, "condition_shape": SHAPE}
        return CycleGANGenerator(**shapes, width=2, num_blocks=1, **options)

    judges = [PatchDiscriminator(width=2) for _ in range(2)]
    kinds = Image(SHAPE), Image(SHAPE, "condition")
    with pytest.raises(ValueError, match="`name` of each network must be its own"):
        CycleGAN(generator(), generator(), *judges, *kinds)
    model = CycleGAN(generator(name="one"), generator(), *judges, *kinds)
    assert model.generator_a.name == "one"


@pytest.mark.parametrize("given", [(), Label(3), (Image(SHAPE, "a"), Label(3))])
def test_translators_are_given_one_picture(given):
    parts = Pix2PixGenerator(condition_shape=SHAPE), PatchDiscriminator()
    with pytest.raises(ValueError, match="`given` must be one Image"):
        Pix2Pix(*parts, Image(SHAPE), given)


@pytest.mark.slow
def test_a_denoiser_is_the_generator_of_translators():
    kinds = Image(SHAPE), Image(SKETCH, "sketch")
    denoisers = [UNet(width=8, multipliers=(1, 2), blocks=1) for _ in range(3)]
    paired = Pix2Pix(denoisers.pop(), PatchDiscriminator(width=2), *kinds)
    judges = [PatchDiscriminator(width=2) for _ in range(2)]
    unpaired = CycleGAN(*denoisers, *judges, *kinds)
    random = np.random.default_rng(0)
    data = {
        "images": random.random((BATCH, *SHAPE), "float32"),
        "sketch": random.random((BATCH, *SKETCH), "float32"),
    }
    for model in (paired, unpaired):
        model.compile("adam", run_eagerly=True)
        model.fit(data, verbose=0)
        made = model.translate(data["sketch"])
        assert made.shape == data["images"].shape
        assert not np.array_equal(made, model.translate(1 - data["sketch"]))
