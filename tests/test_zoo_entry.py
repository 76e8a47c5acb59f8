"""What an entry gives to ordinary Keras code: models and data."""

import dataclasses
import functools
import types

import keras
import numpy as np
import pytest

import zoo
from keras_genai.data import images
from keras_genai.likelihoods import MixtureOfLogistics
from zoo import _settings, _weights
from zoo.entry import showing, unwrapped


def passes(dataset, count=2):
    """The batches of each of several passes, as flat arrays."""
    flat = lambda batch: batch["images"] if isinstance(batch, dict) else batch[0]  # noqa: E731
    return [[flat(batch).numpy() for batch in dataset] for _ in range(count)]


@pytest.mark.parametrize("name", ["ddpm_digits", "ngram_python_docs"])
def test_every_epoch_shows_other_batches_and_a_seed_decides_them(name):
    entry = zoo.get(name)
    first, second = passes(entry.data(seed=1).take(2))
    assert not any(map(np.array_equal, first, second))
    again = passes(entry.data(seed=1).take(2))
    np.testing.assert_array_equal(again, [first, second])
    assert not np.array_equal(first, passes(entry.data(seed=2).take(2), 1)[0])


LEARNED = (
    "attention_multi30k",
    "bart_scitldr",
    "bert_squad",
    "bert_sst2",
    "bert_sst2_mlm",
    "g2p_english",
    "lstm_sst2",
    "t5_scitldr",
    "transformer_multi30k",
)


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_is_not_built_for_the_tokens_of_a_stand_in(name):
    with pytest.raises(ValueError, match=r"`splits` must be given.*entry\.splits\("):
        zoo.get(name).build()


def test_a_fixed_alphabet_and_pictures_need_no_data():
    for name in ("gpt_shakespeare", "cgan_mnist"):
        entry = zoo.get(name)
        assert entry.build(**entry.tiny).built
    assert [n for n in zoo.names("*_shakespeare*") if not zoo.get(n).alphabet] == []


def test_any_callable_is_a_source(tmp_path):
    entry = zoo.get("vae_digits")
    assert unwrapped(entry.source) == (images.digits, {})
    settings = _settings.Settings.of(entry, data="photographs", batch_size=4)
    assert settings.splits().kind("images").shape == (32, 32, 3)

    class Source:
        def __call__(self, batch_size, seed=0, data_dir=None, stand_in=False):
            return "splits"

    own = types.SimpleNamespace(source=Source(), name="mine")
    with pytest.raises(ValueError, match="mine has only its own data"):
        _settings.Settings(own, 1, 1, 0, "float32", data="x").splits()


def test_a_home_folder_is_a_folder_of_data(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {}
    own = types.SimpleNamespace(source=lambda **options: given.update(options))
    settings = _settings.Settings(own, 1, 1, 0, "float32", data_dir="~/my, data")
    settings.splits()
    assert given["data_dir"] == tmp_path / "my, data"


def test_what_shows_pictures_shows_those_that_were_asked_for():
    def show(model, seed, source):
        return source(batch_size=2, stand_in=True)

    own = functools.partial(show, source=images.digits)
    assert showing(own, "mine")(None, seed=0) == "mine"
    plain = lambda model, seed: "drawn"  # noqa: E731
    assert showing(plain, "mine") is plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "gpt_python_docs",
        "lstm_shakespeare",
        "vqvae_digits",
        "stylegan2_digits",
        "seq2seq_dates",
    ],
)
def test_changed_settings_start_from_the_weights_that_the_entry_would_have(name):
    entry = zoo.get(name)
    splits = entry.stand_in()
    settings = _settings.Settings.of(entry, overrides=entry.tiny)
    made = []
    for build in (functools.partial(entry.build, **entry.tiny), settings.build):
        keras.backend.clear_session()  # names are counted
        keras.utils.set_random_seed(3)
        made.append(build(splits))
    plain, checked = made
    assert [v.path for v in checked.variables] == [v.path for v in plain.variables]
    for ours, theirs in zip(checked.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_that_cannot_fit_is_refused_before_it_takes_memory():
    entry = zoo.get("gpt_python_docs")
    overrides = {"width": 2**15, "depth": 40}
    settings = _settings.Settings.of(entry, overrides=overrides)
    with pytest.raises(ValueError, match=r"`--set` must be small.*width=32768"):
        settings.build(entry.stand_in())


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ({"num_classes": 5}, "`num_classes` must be an int >= 10"),
        ({"num_classes": 0}, "`num_classes` must be an int >= 2"),
        ({"num_classes": "abc"}, "`num_classes` must be an int >= 2"),
        ({"image_shape": (9, 9, 1)}, "`image_shape` must have a height and width"),
        (
            {"image_shape": (12, 12, 1), "num_classes": 10},
            r"`image_shape` must be \(8, 8, 1\), as the samples",
        ),
        ({"image_shape": "abc"}, "`image_shape` must be "),
    ],
)
def test_a_model_fits_the_pictures_and_classes_of_its_data(overrides, line):
    entry = zoo.get("dcgan_digits")
    with pytest.raises((TypeError, ValueError), match=line):
        entry.build(**overrides)


def test_a_model_may_know_more_classes_than_its_data_have():
    entry = zoo.get("dcgan_digits")
    assert entry.build(**entry.tiny, num_classes=12).generator.num_classes == 12


def test_a_model_knows_all_tokens_of_its_data():
    entry = zoo.get("gpt_python_docs")
    splits = entry.stand_in()
    least = splits.tokenizer.vocabulary_size
    model = entry.build(splits, **entry.tiny, vocabulary_size=least + 5)
    assert model.vocabulary_size == least + 5
    with pytest.raises(
        ValueError, match=f"`vocabulary_size` must be an int >= {least}"
    ):
        entry.build(splits, vocabulary_size=least - 1)


@pytest.mark.parametrize(
    ("name", "pairs", "line"),
    [
        ("gpt_python_docs", ["num_heads=0"], "num_heads"),
        ("gpt_python_docs", ["head_dim=abc"], "head_dim"),
        ("ddpm_digits", ["width=8", "multipliers=('a',)"], "multipliers"),
        ("ddpm_digits", ["width=8", "sample_shape=abc"], "sample_shape"),
        ("vae_digits", ["hidden=()"], "hidden"),
    ],
)
def test_a_value_that_no_model_can_have_is_named(name, pairs, line):
    entry = zoo.get(name)
    overrides = _settings.read_overrides(entry, pairs)
    settings = _settings.Settings.of(entry, **overrides)
    with pytest.raises((ValueError, TypeError), match=line):
        settings.build(entry.stand_in())


def test_a_part_of_a_model_is_another_one_by_the_name_of_its_class():
    entry = zoo.get("wavenet_digits")
    pairs = ["likelihood=MixtureOfLogistics", "likelihood.components=2"]
    overrides = _settings.read_overrides(entry, pairs)["overrides"]
    assert overrides == {"likelihood": MixtureOfLogistics(2)}
    with pytest.raises(ValueError, match="Did you mean MixtureOfLogistics"):
        _settings.read_overrides(entry, ["likelihood=MixtureOfLogistic"])


@pytest.mark.slow
def test_wavenet_of_sixteen_bits_trains_on_what_stands_in():
    entry = zoo.get("wavenet_digits")
    splits = entry.stand_in()
    model = entry.build(splits, **entry.tiny, likelihood=MixtureOfLogistics(2))
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    losses = model.fit(splits.train.take(40), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 1
    assert np.isfinite(model.generate(2, 0.01)).all()


def stages(**changes):
    """An entry of which three functions want models of earlier stages."""

    def feed(model, splits, batch_size, seed, judge):
        return model, splits, batch_size, seed, judge

    entry = zoo.get("vae_digits")
    return dataclasses.replace(
        entry,
        parts=dict(judge="dcgan_digits", trained="vqvae_digits"),
        feed=feed,
        evaluate=lambda model, splits, trained=None: {"loss": trained},
        **changes,
    )


def test_models_of_earlier_stages_go_where_they_are_named():
    entry = stages().with_parts(judge="a judge", trained="a model")
    assert entry.fed("model", "splits", seed=3) == ("model", "splits", 64, 3, "a judge")
    assert entry.evaluate("model", "splits") == {"loss": "a model"}
    assert zoo.get("vae_digits").fed("model", "splits") == "splits"


def test_a_stage_is_one_that_was_trained_here_or_one_that_ships(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_settings, "from_preset", str)
    entry = zoo.get("ddpm_digits_ddpo")

    def taken(**overrides):
        found = _settings.Settings.of(entry, overrides=overrides).parts["policy"]
        return found, capsys.readouterr().err

    shipped = str(_weights.folder("ddpm_digits"))
    said = "zoo: ddpm_digits: taking the weights that ship with the zoo\n"
    assert taken() == (shipped, said)
    for run in ("runs/verify/ddpm_digits", "runs/ddpm_digits"):
        (tmp_path / run / "preset").mkdir(parents=True)
        preset = f"{run}/preset"
        assert taken() == (preset, f"zoo: ddpm_digits: taking the preset in {preset}\n")
    assert taken(policy=shipped) == (shipped, "")


def test_a_stage_that_is_nowhere_is_one_line_that_says_what_to_do(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for overrides, received in (
        ({}, "no preset in runs/vqvae_mnist/preset or runs/verify/vqvae_mnist/preset"),
        ({"codec": "elsewhere"}, "elsewhere, which is not there"),
    ):
        entry = zoo.get("gpt_prior_mnist")
        settings = _settings.Settings.of(entry, overrides=overrides)
        with pytest.raises(ValueError, match=f"Received: {received}") as error:
            settings.parts  # noqa: B018
        assert "train.py vqvae_mnist`, or give another folder" in str(error.value)


def test_parts_may_be_set_and_are_built_only_where_the_task_wants_them():
    entry = stages()
    assert {"judge", "trained", "latent_size"} <= set(entry.settings)
    found = _settings.read_overrides(entry, ["judge=some/folder"])
    assert found["overrides"] == {"judge": "some/folder"}
    assert entry.build(**entry.tiny).built  # no GAN of digits is made for it


def test_what_a_recipe_calls_between_steps_is_part_of_a_run():
    asked = []

    def callbacks(splits, seed, folder):
        asked.append((splits, seed, folder))
        return ["a callback"]

    entry = zoo.get("vae_digits")
    assert _settings.Settings.of(entry).callbacks("splits", None) == []
    recipe = dataclasses.replace(entry.recipe, callbacks=callbacks)
    settings = _settings.Settings.of(dataclasses.replace(entry, recipe=recipe), seed=5)
    assert settings.callbacks("splits", "folder") == ["a callback"]
    assert asked == [("splits", 5, "folder")]


def test_a_card_begins_with_the_paper_and_what_one_should_know():
    entry = zoo.get("gpt_reviews_rloo")
    paper, *notes = entry.head.split("\n\n")
    assert paper == entry.paper
    assert "\n\n".join(notes) == entry.notes
    assert "rewarded by reward_sst2" in entry.notes
    assert "\n" not in zoo.get("vae_digits").head  # a paper alone
