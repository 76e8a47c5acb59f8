"""What makes the code of the docs small: entries of the zoo, and how long `fit` is."""

import dataclasses
import functools

import keras
import pytest

import zoo
from keras_genai.data.loader import Loader
from keras_genai.networks.base import Network


def without_xla(compile, steps=2):
    """A recipe's arguments of `compile`, without what takes longer than two steps."""
    return {**compile(steps=steps), "jit_compile": False}


def small(entry):
    """An entry with its tiny model, its stand-in data and two steps of training."""
    recipe = dataclasses.replace(
        entry.recipe,
        compile=functools.partial(without_xla, entry.recipe.compile),
        batch_size=min(entry.recipe.batch_size, 4),
        steps=2,
        steps_per_execution=1,
        validate_every=None,
    )
    figures = {"loss": 0.0}
    if entry.result:
        figures = {entry.result.metric: entry.result.value}
    return dataclasses.replace(
        entry,
        config={**entry.config, **entry.tiny},
        source=functools.partial(entry.source, stand_in=True),
        recipe=recipe,
        # tests/test_zoo.py scores every entry; some take a minute.
        evaluate=lambda model, splits: figures,
    )


def steps_in(x=None, *_, **__):
    """Two steps, or as many as the data have."""
    if isinstance(x, Loader):
        return min(2, len(x))
    known = getattr(x, "num_batches", None)  # of what Keras reads data with
    return 2 if known is None else min(2, known)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A temporary folder in which the zoo is small and `fit` takes two steps."""
    get, fit = zoo.get, keras.Model.fit

    @functools.wraps(fit)
    def short_fit(model, *args, **kwargs):
        if "initial_epoch" not in kwargs or not kwargs["initial_epoch"]:
            kwargs.update(epochs=1, steps_per_epoch=steps_in(*args, **kwargs))
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(zoo, "get", lambda name: small(get(name)))
    monkeypatch.setattr(keras.Model, "fit", short_fit)
    monkeypatch.setattr(Network, "jit_generate", False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
