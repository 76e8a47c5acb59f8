"""Contract of the zoo: every entry builds, trains, saves, comes back and samples."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import zoo
from keras_genai import from_preset
from keras_genai.evaluation.language import score_text
from zoo import _images

ENTRIES = [
    # One process tests all of an entry, so that it is built once.
    pytest.param(name, marks=pytest.mark.xdist_group(name))
    for name in zoo.names()
]


@pytest.fixture(scope="module", params=ENTRIES)
def built(request):
    """An entry, its stand-in data, and its model made small."""
    entry = zoo.get(request.param)
    splits = entry.stand_in(batch_size=2)
    return entry, splits, entry.build(splits, batch_size=2, **entry.tiny)


def test_no_two_weights_start_from_the_same_numbers(built):
    starts = {}
    for variable in built[-1].trainable_variables:
        values = np.ravel(variable)[:8]
        if len(values) == 8 and np.std(values):
            # An initializer used twice draws one stream, whatever it is scaled by.
            key = tuple(np.round(values / np.abs(values).max(), 3))
            assert key not in starts, f"{variable.path} is {starts[key]}"
            starts[key] = variable.path


def test_fit_tells_the_model_that_it_is_training(built):
    entry, _, model = built
    if "dropout" in inspect.signature(entry.model).parameters:
        assert "training" in inspect.signature(model.call).parameters


def test_entry_trains_saves_and_samples(built, tmp_path):
    entry, splits, model = built
    model.compile(**entry.recipe.compile(steps=2))
    history = model.fit(
        splits.train.dataset(), steps_per_epoch=2, shuffle=False, verbose=0
    ).history
    assert all(np.isfinite(values).all() for values in history.values())

    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.count_params() == model.count_params()
    np.testing.assert_array_equal(
        entry.sample(loaded, seed=1), entry.sample(model, seed=1)
    )


@pytest.mark.parametrize("name", zoo.names())
def test_entry_says_what_it_is(name):
    entry = zoo.get(name)
    assert zoo.describe(name).endswith(".")
    assert entry.name == name
    assert entry.paper
    assert set(entry.tiny) <= set(entry.settings)
    if entry.result is not None:
        assert entry.result.seconds > 0
        assert entry.result.commit != "unknown"


def test_listing_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys, zoo\n"
        "assert zoo.names() and zoo.describe(zoo.names()[0])\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pydantic'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_miss_names_the_nearest_entry():
    with pytest.raises(ValueError, match="Did you mean gpt_shakespeare"):
        zoo.get("gpt_shakspeare")


def test_names_follow_a_pattern():
    assert all(name.startswith("gpt_") for name in zoo.names("gpt_*"))
    assert zoo.names("no_such_thing*") == []


def test_an_unknown_argument_of_a_model_is_one_clear_line():
    entry = zoo.get("gpt_python_docs")
    with pytest.raises(ValueError, match="Did you mean width") as caught:
        entry.build(widht=3)
    assert "\n" not in str(caught.value)


def test_a_uniform_model_is_charged_the_logarithm_of_the_vocabulary():
    entry = zoo.get("gpt_shakespeare")
    splits = entry.stand_in()
    model = entry.build(splits, **entry.tiny)
    for variable in model.trainable_variables:
        if "embedding" in variable.path:
            variable.assign(np.zeros(variable.shape))
    text = score_text(model, splits.held_out[:300])
    np.testing.assert_allclose(text.nats_per_character, np.log(65), rtol=1e-6)


@pytest.mark.parametrize("num_classes", [None, 2])
def test_guidance_is_for_models_with_classes(num_classes):
    given = []

    class Model:
        def generate(self, count, seed, labels=None, **options):
            given.append(options)
            return np.zeros((count, 2, 2, 1))

    Model.num_classes = num_classes
    _images.draw(Model(), seed=0, count=4, guidance=1.5)
    _images.generate(Model(), count=4, guidance=1.5)
    assert given == [{} if num_classes is None else {"guidance": 1.5}] * 2
