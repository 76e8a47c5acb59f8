"""Pictures by words: what they shall show, what they shall not, and edits by words."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_genai.layers.convolution import convolution
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.registry import register
from keras_genai.samplers.diffusion import DDIM, Ancestral, Level
from keras_genai.tasks.denoising import denoiser
from keras_genai.tasks.diffusion import Diffusion

pytestmark = pytest.mark.usefixtures("eager")
ONE, TWO = ([[first, 2, 0]] for first in (1, 3))
NONE = [[0, 0, 0]]
SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).random((2, *SHAPE), "float32")
OPTIONS = dict(steps=2, sampler=DDIM(), seed=1)


@register
class TwoConvolutions(DenoisingNetwork):
    """Two convolutions, and what is told as a vector."""

    def make(self):
        self.make_told(16, 16)
        self.first = convolution(16, "first", self.dtype_policy)
        self.first.build((None, None, None, self.input_channels))
        self.last = convolution(self.sample_shape[-1], "last", self.dtype_policy)
        self.last.build((None, None, None, 16))

    def call(self, noisy, time, condition, training=False):
        x = self.first(self.joined(noisy, condition))
        x = x * (1 + self.tell(time, condition).embedding[:, None, None])
        return self.last(ops.silu(x))


def stirred(given, **changes):
    """A model whose zero-initialised weights are not zero any more."""
    keras.utils.set_random_seed(0)
    model = Diffusion(TwoConvolutions(), Image(SHAPE), given, **changes)
    draws = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign_add(0.2 * draws.normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return stirred(given=Text(vocabulary_size=6, length=3))


def apart(first, second):
    return np.abs(first - second).max()


def test_guidance_leads_away_from_what_is_not_wanted():
    model = stirred(given=(Label(3), Text(vocabulary_size=6, length=3)))
    noisy = np.random.default_rng(0).normal(size=(1, *SHAPE)).astype("float32")
    level = Level(*(np.float32(each) for each in (0.6, 0.6, 0.8)))
    asked = {"labels": np.array([1]), "tokens": np.array(ONE)}
    against = {"labels": np.array([3]), "tokens": np.array(TWO)}

    def seen(given):
        told = model.told(given)
        return model.denoise(noisy, level.time[None], level[1:], told).numpy()

    free = model._free(asked, 3.0, TWO)
    assert {key: value.tolist() for key, value in free.items()} == {
        "labels": [3],  # any class
        "tokens": TWO,
    }
    guided = denoiser(model, {"condition": asked, "guidance": 1.1, "free": free})
    wanted = seen(against) + 1.1 * (seen(asked) - seen(against))
    np.testing.assert_allclose(guided(noisy, level), wanted.clip(-1, 1), atol=1e-5)
    assert apart(wanted, seen(asked)) > 1e-4


def test_nothing_is_led_away_from_what_is_asked_for(model):
    plain = model.generate(2, prompts=ONE, **OPTIONS)
    same = model.generate(2, prompts=ONE, negative=ONE, guidance=3.0, **OPTIONS)
    np.testing.assert_allclose(same, plain, atol=1e-5)
    guided = model.generate(2, prompts=ONE, guidance=3.0, **OPTIONS)
    any_text = model.generate(2, prompts=ONE, negative=NONE, guidance=3.0, **OPTIONS)
    np.testing.assert_allclose(any_text, guided, atol=1e-5)
    other = model.generate(2, prompts=ONE, negative=TWO, guidance=3.0, **OPTIONS)
    assert apart(other, guided) > 1e-4
    each = model.generate(
        2, prompts=ONE, negative=[*ONE, *TWO], guidance=3.0, **OPTIONS
    )
    np.testing.assert_allclose(each[0], same[0], atol=1e-5)
    np.testing.assert_allclose(each[1], other[1], atol=1e-5)


def test_pictures_are_edited_by_words(model):
    options = dict(strength=0.5, **OPTIONS)
    one = model.edit(IMAGES, prompts=ONE, **options)
    two = model.edit(IMAGES, prompts=TWO, **options)
    assert apart(one, two) > 1e-4
    same = model.edit(IMAGES, prompts=ONE, negative=ONE, guidance=3.0, **options)
    np.testing.assert_allclose(same, one, atol=1e-5)
    other = model.edit(IMAGES, prompts=ONE, negative=TWO, guidance=3.0, **options)
    assert apart(other, one) > 1e-4


def test_a_part_is_painted_by_words_and_the_rest_stays(model):
    mask = np.zeros(SHAPE[:2], bool)
    mask[:, 4:] = True
    options = dict(steps=2, seed=1, resample=1, sampler=Ancestral())
    one = model.inpaint(IMAGES, mask, prompts=ONE, **options)
    two = model.inpaint(IMAGES, mask, prompts=TWO, **options)
    for made in (one, two):
        np.testing.assert_array_equal(made[:, :, :4], IMAGES[:, :, :4])
    assert apart(one, two) > 1e-4
    same = model.inpaint(
        IMAGES, mask, prompts=ONE, negative=ONE, guidance=3.0, **options
    )
    np.testing.assert_allclose(same, one, atol=1e-5)


def test_what_is_restored_is_led_away_from_words():
    kinds = Text(vocabulary_size=6, length=3), Image((8, 8, 2), "condition")
    model = stirred(given=kinds)
    damaged = np.random.default_rng(0).random((2, 8, 8, 2), "float32")
    plain = model.restore(damaged, prompts=ONE, **OPTIONS)
    same = model.restore(damaged, prompts=ONE, negative=ONE, guidance=3.0, **OPTIONS)
    np.testing.assert_allclose(same, plain, atol=1e-5)
    other = model.restore(damaged, prompts=ONE, negative=TWO, guidance=3.0, **OPTIONS)
    assert apart(other, plain) > 1e-4


def test_who_cannot_be_led_away_says_so(model):
    with pytest.raises(ValueError, match="`negative` must be `None` for a model that"):
        model.generate(2, negative=ONE)  # guidance is 1
    with pytest.raises(ValueError, match="`negative` must be `None` for a model that"):
        stirred(Label(3)).generate(2, negative=ONE, guidance=2.0)
    with pytest.raises(ValueError, match=r"`negative` must be one, .* 2\. Received: 3"):
        model.generate(2, negative=[*ONE, *TWO, *TWO], guidance=2.0)
    with pytest.raises(ValueError, match="`negative` must be a str"):
        model.generate(2, negative="a word", guidance=2.0)


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        (dict(given=Text(vocabulary_size=6, length=3)), ("negative",)),
        (dict(given=Text(vocabulary_size=6, length=3), label_dropout=0.0), ()),
        (dict(given=Label(3)), ()),
    ],
)
def test_the_command_line_offers_what_a_model_can_do(changes, options):
    assert stirred(**changes).options == options
