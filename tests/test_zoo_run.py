"""A run of an entry: what it is known by, and that nothing learned is ever lost."""

import dataclasses
import functools
import json

import keras
import numpy as np
import pytest

import zoo
from keras_genai import from_preset
from keras_genai.training import RunFolder, TrainingError
from zoo import _run, _settings

TINY = {"latent_size": 2, "hidden": (4,)}


def quick(entry, **changes):
    """An entry that is compiled, trained, scored and drawn in no time."""
    optimizer = keras.optimizers.Adam
    recipe = dataclasses.replace(
        entry.recipe,
        compile=lambda steps: {"optimizer": optimizer(1e-3), "run_eagerly": True},
        steps_per_execution=1,
    )
    return dataclasses.replace(
        entry,
        **{
            "recipe": recipe,
            "evaluate": lambda model, splits: {"loss": 1.0},
            "sample": lambda model, seed: np.zeros((1, 8, 8, 1), "float32"),
            "plot": None,
            **changes,
        },
    )


@pytest.fixture
def entry():
    return quick(zoo.get("vae_digits"))


def go(entry, folder, steps=2, **changes):
    settings = _settings.Settings.of(
        entry, steps=steps, batch_size=4, overrides=TINY, **changes
    )
    said = []
    result = _run.run(entry, settings, folder, said.append)
    return result, said


@pytest.mark.slow
@pytest.mark.parametrize("reason", [ValueError, KeyboardInterrupt])
def test_what_stops_the_scoring_loses_nothing(reason, entry, tmp_path):
    def fail(model, splits):
        raise reason("while scoring")

    with pytest.raises(reason):
        go(dataclasses.replace(entry, evaluate=fail), tmp_path)
    learned = from_preset(tmp_path / "preset").get_weights()
    _, said = go(entry, tmp_path)
    assert said[-1] == f"{tmp_path} is already trained: 2 steps"
    assert json.loads((tmp_path / "result.json").read_text())["value"] == 1.0
    for before, after in zip(
        learned, from_preset(tmp_path / "preset").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    assert "loss" in (tmp_path / "preset" / "README.md").read_text()


@pytest.mark.slow
def test_what_a_model_draws_is_not_drawn_again_where_it_has_learned(entry, tmp_path):
    fed = []

    def feed(model, splits, batch_size, seed):
        fed.append(seed)
        return splits

    drawing = dataclasses.replace(entry, feed=feed)
    go(drawing, tmp_path)
    learned = from_preset(tmp_path / "preset").get_weights()
    again, said = go(drawing, tmp_path)
    assert fed == [0]
    assert said[-1] == f"{tmp_path} is already trained: 2 steps"
    assert again.steps == 2
    for before, after in zip(
        learned, from_preset(tmp_path / "preset").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


@pytest.mark.slow
def test_the_folder_is_locked_until_the_preset_is_saved(entry, tmp_path):
    def intrude(model, splits):
        with (
            pytest.raises(TrainingError, match="Another process"),
            RunFolder(tmp_path).claim({}, fresh=True),
        ):
            pass
        return {"loss": 1.0}

    go(dataclasses.replace(entry, evaluate=intrude), tmp_path)


def test_a_package_that_the_scoring_needs_is_asked_for_first(entry, tmp_path):
    lacking = dataclasses.replace(entry, needs=("no_such_package",))
    with pytest.raises(TrainingError, match=r"scored with no_such_package.*\[eval\]"):
        go(lacking, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_entries_say_what_their_scoring_needs():
    needs = {name: zoo.get(name).needs for name in zoo.names()}
    assert needs["transformer_multi30k"] == ("sacrebleu",)
    assert needs["t5_scitldr"] == ("rouge_score",)
    assert needs["vae_digits"] == ()


@pytest.mark.slow
def test_fresh_removes_all_that_a_run_wrote(entry, tmp_path):
    plotting = dataclasses.replace(entry, plot=lambda model: b"a picture")
    go(plotting, tmp_path)
    assert (tmp_path / "samples" / "plot.png").exists()
    RunFolder(tmp_path).clear()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def fingerprint(entry, **changes):
    settings = _settings.Settings.of(entry, batch_size=4, overrides=TINY, **changes)
    splits = settings.splits()
    return settings.fingerprint(settings.build(splits), splits)


def compiled(**changes):
    return lambda steps: {"optimizer": keras.optimizers.Adam(1e-3), **changes}


def recipes(recipe):
    replace = functools.partial(dataclasses.replace, recipe)
    decay = keras.optimizers.schedules.CosineDecay
    yield replace(compile=compiled(optimizer=keras.optimizers.Adam(1e-4)))
    yield replace(compile=compiled(optimizer=keras.optimizers.AdamW(1e-3)))
    yield replace(compile=compiled(optimizer=keras.optimizers.Adam(decay(1e-3, 9))))
    yield replace(compile=compiled(optimizer=keras.optimizers.Adam(decay(1e-3, 8))))
    yield replace(compile=compiled(loss=keras.losses.Huber(0.5)))
    yield replace(compile=compiled(loss=keras.losses.Huber(0.6)))
    yield replace(keep_best=True, validate_every=50)


@pytest.mark.slow
def test_a_run_is_known_by_all_of_its_entry_but_the_number_of_steps(entry):
    source = functools.partial(entry.source, image_size=10)
    others = [dataclasses.replace(entry, recipe=r) for r in recipes(entry.recipe)]
    others.append(dataclasses.replace(entry, source=source))
    found = [json.dumps(fingerprint(each)) for each in [entry, *others]]
    found.append(json.dumps(fingerprint(entry, data_dir="/elsewhere")))
    found.append(json.dumps(fingerprint(entry, seed=1)))
    assert len(set(found)) == len(found)
    assert fingerprint(entry) == fingerprint(entry, steps=7)


def test_other_data_under_the_same_name_are_another_run(tmp_path):
    entry = zoo.get("gpt_shakespeare")  # of characters: the same ones in both texts
    path = tmp_path / "text.txt"

    def of(text):
        path.write_text(text, "utf-8")
        settings = _settings.Settings.of(
            entry, data=str(path), overrides=dict(depth=1, width=8, num_heads=2)
        )
        splits = settings.splits()
        return settings.fingerprint(settings.build(splits), splits)

    text = "the quick brown fox jumps over the lazy dog. " * 200
    before, other = of(text), of(text.replace("the quick", "the quack", 1))
    renamed = of(text.replace("q", "Q"))
    changed = {key for key in before if before[key] != other[key]}
    assert changed == {"data_hash"}
    changed = {key for key in before if before[key] != renamed[key]}
    assert changed >= {"tokenizer_hash"}


def stage(name, folder, **overrides):
    """Four steps of a small model on the stand-in: the result, and what was said."""
    entry = zoo.get(name)
    compiled = entry.recipe.compile
    recipe = dataclasses.replace(
        entry.recipe, compile=lambda steps: {**compiled(steps), "jit_compile": False}
    )
    entry = dataclasses.replace(
        entry,
        recipe=recipe,
        evaluate=lambda model, splits: {"solved": 1.0},
        sample=lambda model, seed: "3+5*7",
    )
    settings = _settings.Settings.of(
        entry,
        steps=4,
        batch_size=4,
        overrides={**entry.tiny, **overrides},
        source_overrides={"stand_in": True},
    )
    said = []
    return _run.run(entry, settings, folder / name, said.append), said


@pytest.mark.slow
def test_a_policy_goes_on_from_the_preset_of_an_earlier_stage(tmp_path):
    base, _ = stage("gpt_countdown", tmp_path)
    policy = str(tmp_path / "gpt_countdown" / "preset")
    learned, _ = stage("gpt_countdown_grpo", tmp_path, policy=policy)
    assert learned.parameters == base.parameters  # and not those of the reference, too
    folder = tmp_path / "gpt_countdown_grpo"
    drawn = (folder / "samples" / "rollouts.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in drawn] == [0] * 8
    card = (folder / "preset" / "README.md").read_text()
    assert "CausalLM of GPT" in card
    assert "It was rewarded by a parser" in card
    _, said = stage("gpt_countdown_grpo", tmp_path, policy=policy)
    assert said[-1] == f"{folder} is already trained: 4 steps"
    other = from_preset(policy)
    other.weights[0].assign_add(keras.ops.ones_like(other.weights[0]))
    other.save_to_preset(tmp_path / "other")
    with pytest.raises(TrainingError, match="parts"):
        stage("gpt_countdown_grpo", tmp_path, policy=str(tmp_path / "other"))
