"""Files of n-grams: all that was counted, and nothing that was not."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from counted import compiled, every_smoothing, fitted, make, scores_of, text

from keras_genai import from_preset, registry
from keras_genai.files.tensors import read_header
from keras_genai.networks.ngram_smoothing import (
    AddK,
)


@every_smoothing
def test_a_saved_model_comes_back_whole(smoothing, tmp_path):
    model = compiled(fitted(smoothing))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.network.smoothing == smoothing
    for name, table in model.network.get_tables().items():
        np.testing.assert_array_equal(loaded.network.get_tables()[name], table)
    tokens = text(30, seed=4)
    np.testing.assert_array_equal(
        scores_of(loaded, tokens),
        scores_of(model, tokens),
    )
    np.testing.assert_array_equal(loaded(tokens[None]), model(tokens[None]))


def test_weight_files_carry_tables_into_a_fresh_and_into_a_fitted_model(tmp_path):
    model = fitted()
    model.save_weights(tmp_path / "tables.weights.h5")
    for other in (make(3), fitted(tokens=text(50, seed=8))):
        other.load_weights(tmp_path / "tables.weights.h5")
        np.testing.assert_array_equal(
            scores_of(other, text()),
            scores_of(model, text()),
        )


def test_a_preset_holds_the_counts_in_as_few_bytes_as_they_need(tmp_path):
    model = fitted()
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    tables = read_header(tmp_path / "preset/model.safetensors")
    assert {table.dtype for table in tables.values()} == {"U8"}
    assert tables.keys() == loaded.get_tables().keys()
    for one, other in zip(loaded.network.levels, model.network.levels, strict=True):
        for name, array in dataclasses.asdict(one).items():
            np.testing.assert_array_equal(array, getattr(other, name))
            assert array.dtype == np.int64


def test_tables_of_nobody_are_refused():
    with pytest.raises(ValueError, match=r"counting_lm has no such tables\."):
        fitted().set_tables({"rnn/counts_0": np.ones(3, "uint8")})


def test_config_is_json_and_rebuilds_the_model():
    model = make(4, AddK(0.25))
    config = json.loads(json.dumps(registry.to_plain(model)))
    loaded = registry.from_plain(config)
    assert (loaded.network.order, loaded.network.smoothing) == (4, AddK(0.25))
    assert loaded.network.get_tables() == {}


def swap(keys):
    return np.concatenate([keys[:1], keys[2:3], keys[1:2], keys[3:]])


DAMAGE = {
    "a missing table": lambda t: t.pop("counts_1"),
    "an unknown table": lambda t: t.update(extra=t["counts_0"]),
    "another dtype": lambda t: t.update(counts_1=t["counts_1"].astype("float32")),
    "another length": lambda t: t.update(counts_1=t["counts_1"][:-1]),
    "a count of zero": lambda t: t.update(counts_1=t["counts_1"] - t["counts_1"]),
    "unsorted keys": lambda t: t.update(predictions_2=swap(t["predictions_2"])),
    "keys out of range": lambda t: t.update(predictions_2=t["predictions_2"] + 10**9),
    "negative keys": lambda t: t.update(contexts_1=t["contexts_1"] - 100),
    "an n-gram without its ending": lambda t: t.update(
        predictions_0=t["predictions_0"][1:], counts_0=t["counts_0"][1:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_tables_are_refused_and_the_model_stays_as_it_was(damage):
    model = fitted()
    before = scores_of(model, text())
    tables = model.network.get_tables()
    tables = {name: table.astype("int64") for name, table in tables.items()}
    damage(tables)
    with pytest.raises(ValueError, match=r"table.* must "):
        model.network.set_tables(tables)
    np.testing.assert_array_equal(scores_of(model, text()), before)
