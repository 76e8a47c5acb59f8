"""PixelCNN: no pixel sees what follows it, and drawing is what was learned."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flat import flat

from keras_genai import draws
from keras_genai.data import images
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.tasks.pixels import PixelModel


def make(shape=(4, 4, 1), given=(), **changes):
    keras.utils.set_random_seed(0)
    settings = dict(width=16, depth=2, levels=5) | changes
    return flat(PixelModel, PixelCNN, Image(shape), given, **settings)


def logits(model, codes, training):
    keras.utils.set_random_seed(1)
    for block in model.network.blocks:  # dropout draws the same numbers in every call
        block.dropout.seed_generator.state.assign([1, 0])
    return np.array(model.logits_of(codes, training=training))


@pytest.mark.parametrize("training", [False, True])
def test_a_changed_code_changes_only_what_follows_it(training):
    model = make(dropout=0.5)
    codes = np.random.default_rng(0).integers(0, 5, (1, 4, 4)).astype("int32")
    before = logits(model, codes, training).reshape(16, 5)
    for place in (0, 5, 15):
        changed = codes.copy()
        changed[0, place // 4, place % 4] += 1
        changed %= 5
        after = logits(model, changed, training).reshape(16, 5)
        np.testing.assert_array_equal(after[: place + 1], before[: place + 1])
        if place < 15:
            assert np.abs(after[place + 1] - before[place + 1]).max() > 1e-6


@pytest.mark.parametrize(
    "compiled", [pytest.param(True, marks=pytest.mark.slow), False]
)
def test_drawn_codes_are_those_of_a_step_by_step_draw(compiled):
    model = make((3, 2, 1))
    model.jit_generate = compiled  # by XLA
    drawn = model.draw_codes(2, seed=7, temperature=0.5)
    codes = np.zeros((2, 3, 2), "int32")
    for place in range(6):
        row, column = divmod(place, 2)
        now = model.logits_of(codes)[:, row, column] / 0.5
        chances = draws.uniform(draws.key(7), [place, place])
        codes[:, row, column] = draws.categorical(now, chances)
    np.testing.assert_array_equal(drawn, codes)
    other = model.draw_codes(20, seed=1)
    assert len(np.unique(other)) == 5
    np.testing.assert_array_equal(model.draw_codes(2, seed=1), other[:2])


def test_a_model_that_knows_nothing_pays_the_logarithm_of_the_levels():
    model = make()
    for weight in model.network.head.weights:
        weight.assign(tf.zeros(weight.shape))
    pictures = np.zeros((3, 4, 4, 1), "uint8")
    np.testing.assert_allclose(model.score(pictures), np.log(5), rtol=1e-6)


def test_pictures_and_codes_are_two_views_of_the_same():
    model = make()
    codes = np.random.default_rng(0).integers(0, 5, (2, 4, 4))
    pictures = model.decode_tokens(codes)
    np.testing.assert_array_equal(model.tokens_of(pictures), codes)
    binary = make(levels=2, threshold=0.33)
    grey = np.float32([0.32, 0.34]).reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(binary.tokens_of(grey), [[[0, 1]]])


@pytest.mark.slow
def test_it_learns_a_few_digits_by_heart_with_their_labels():
    splits = images.digits(16, stand_in=True)
    model = make((8, 8, 1), Label(10), levels=2, width=32)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    batch = next(iter(splits.train.dataset()))
    data = tf.data.Dataset.from_tensors(batch)
    first = model.evaluate(data, verbose=0, return_dict=True)
    model.fit(data.repeat(), steps_per_epoch=150, verbose=0, shuffle=False)
    last = model.evaluate(data, verbose=0, return_dict=True)
    assert last["loss"] < 0.08 < 0.5 < first["loss"]
    assert last["accuracy"] > 0.95
    nats = model.score(batch["images"], batch["labels"]).mean()
    assert nats == pytest.approx(last["loss"], rel=1e-4)
    drawn = model.generate(2, labels=int(batch["labels"][0]), seed=0)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_bad_arguments_are_one_clear_line():
    with pytest.raises(ValueError, match=r"must be \(height, width, 1\)"):
        make((4, 4, 3))
    with pytest.raises(ValueError, match="`levels` must be an int >= 2"):
        make(levels=1)
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        make().generate(1, temperature=0.0)
    with pytest.raises(ValueError, match="`labels` must be `None`"):
        make().generate(1, labels=1)
