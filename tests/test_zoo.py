"""Contract of the zoo: every entry builds, trains, saves, comes back and samples."""

import functools
import inspect
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import toy_recordings

import zoo
from keras_genai import from_preset
from keras_genai.data import chorales
from keras_genai.data.loading import Stream
from keras_genai.evaluation.language import score_text
from keras_genai.files.wav import encode_wav
from keras_genai.modalities.notes import Notes
from zoo import __main__ as command
from zoo import _even, _images, _reviews
from zoo._settings import Settings
from zoo.entry import kept, unwrapped

# Among the fast tests, some of the quickest; all others run with -m slow.
FAST = ("beta_vae_digits", "ngram_names")
# One process tests all of an entry, so that it is built once.
ENTRIES = [
    pytest.param(
        name,
        marks=[
            pytest.mark.xdist_group(name),
            *([] if name in FAST else [pytest.mark.slow]),
        ],
    )
    for name in zoo.names()
]


@pytest.fixture(scope="module", autouse=True)
def poor_reader():
    """How well the reader of digits reads is no part of the contract."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_even, "STEPS_OF_READER", 5)
        yield


@pytest.fixture(scope="module", params=ENTRIES)
def built(request):
    """An entry, its stand-in data, and its model made small."""
    entry = zoo.get(request.param)
    splits = entry.stand_in(batch_size=2)
    entry, model = small(entry, splits)
    if model.counts_tokens:  # which nothing can be asked before
        model.fit_tokens(splits.train.content)
    return entry, entry.fed(model, splits, batch_size=2), model


def small(entry, splits):
    """An entry with untrained models of earlier stages, and its model made small."""
    parts = {}
    if entry.family == "alignment":
        for field, name in entry.parts.items():
            parts[field] = small(zoo.get(name), splits)[1]
    known = {name: part for name, part in parts.items() if name in entry.settings}
    model = entry.build(splits, batch_size=2, **entry.tiny, **known)
    return entry.with_parts(**parts), model


def callbacks(entry, splits):
    make = entry.recipe.callbacks
    return [] if make is None else make(splits, 0, None)


@pytest.fixture(scope="module")
def preset(built, tmp_path_factory):
    """The preset of an entry's small model."""
    folder = tmp_path_factory.mktemp("contract") / "preset"
    built[-1].save_to_preset(folder)
    return folder


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
    arguments = inspect.signature(type(model).call).parameters
    assert "training" in arguments or "dropout" not in entry.settings


def test_entry_builds_by_itself_or_says_what_it_needs(built):
    entry, splits, model = built
    if splits.tokenizer is None or entry.embedded or entry.alphabet:
        alone = entry.build(batch_size=2, **entry.tiny)
        if splits.tokenizer is not None and not entry.embedded:
            assert alone.tokenizer.to_json() == splits.tokenizer.to_json()
        assert type(alone) is type(model)
    else:
        with pytest.raises(ValueError, match="`splits` must be given"):
            entry.build(**entry.tiny)


def test_every_epoch_shows_its_own_batches(built):
    entry, splits, model = built
    shown = [bytes_of(splits.train.take(3)) for _ in range(2)]
    again = entry.fed(model, entry.stand_in(batch_size=2), batch_size=2).train
    assert [bytes_of(again.take(3)) for _ in range(2)] == shown
    # A model that carries states reads one text from its begin to its end.
    assert shown[0] != shown[1] or isinstance(splits.train, Stream)


def bytes_of(dataset):
    return [
        np.asarray(leaf).tobytes()
        for batch in dataset
        for leaf in tf.nest.flatten(batch)
    ]


def assert_same(value, other):
    """Raises unless two samples are equal: arrays, texts, or lists of sounds."""
    if isinstance(value, list):
        for each, twin in zip(value, other, strict=True):
            np.testing.assert_array_equal(each, twin)
    else:
        np.testing.assert_array_equal(value, other)


def test_entry_trains_saves_and_samples(built, tmp_path):
    entry, splits, model = built
    # A graph takes longer than all the rest; the slow tests compile by the recipe.
    settings = entry.recipe.compile(steps=4)
    model.compile(**{**settings, "jit_compile": False, "run_eagerly": True})
    history = model.fit(
        splits.train.take(2),
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=callbacks(entry, splits),
    ).history
    assert all(np.isfinite(values).all() for values in history.values())

    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.count_params() == kept(model).count_params()
    kept(model).jit_generate = loaded.jit_generate = False
    sample = few(entry)
    assert_same(sample(loaded, seed=1), sample(model, seed=1))


def few(entry):
    """An entry's `sample` that draws ten pictures instead of a whole sheet."""
    if "count" not in inspect.signature(entry.sample).parameters:
        return entry.sample
    return functools.partial(entry.sample, count=10)


@pytest.mark.slow
def test_entry_trains_as_its_recipe_says(built):
    entry, splits, _ = built
    model = small(entry, entry.stand_in(batch_size=2))[1]
    model.compile(**entry.recipe.compile(steps=2))
    losses = model.fit(
        splits.train.take(2),
        shuffle=False,
        verbose=0,
        callbacks=callbacks(entry, splits),
    ).history
    assert all(np.isfinite(values).all() for values in losses.values())


@pytest.mark.slow
def test_entry_is_scored_and_drawn(built, monkeypatch):
    entry, splits, model = built
    # How well the reader of the pictures reads is no part of the contract.
    reader = functools.partial(_images.train_classifier, steps=20)
    monkeypatch.setattr(_images, "train_classifier", reader)
    monkeypatch.setattr(_reviews, "STEPS_OF_JUDGE", 2)
    monkeypatch.setattr(_even, "SCORED", 8)
    # Nor is what hundreds of pictures say of a model that learned nothing.
    all_of_them = _images.generate
    monkeypatch.setattr(
        _images,
        "generate",
        lambda model, count, *args, **options: all_of_them(
            model, min(count, 40), *args, **options
        ),
    )
    model.compile(**{**entry.recipe.compile(steps=2), "jit_compile": False})
    figures = entry.evaluate(model, splits)
    assert figures
    assert not any(np.isinf(value) for value in figures.values())
    if entry.plot is not None:
        assert entry.plot(model).startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_preset_is_sampled_on_the_command_line(built, preset, tmp_path, capsys):
    entry, _, model = built
    out = tmp_path / f"sheet{model.target.suffix}"
    arguments = ["sample", entry.name, "--preset", str(preset), "--out", str(out)]
    if few(entry) is not entry.sample and entry.name not in FAST:
        arguments += ["--count", "10"]
    assert not command.main(arguments), capsys.readouterr().err
    assert capsys.readouterr().out.strip()
    assert out.stat().st_size


def own_pictures(folder):
    """Two classes of 30 pictures each."""
    draw = np.random.default_rng(0)
    for label in ("left", "right"):
        (folder / label).mkdir()
        for number in range(30):
            picture = draw.integers(0, 256, (16, 16, 3), "uint8")
            path = folder / label / f"{number}.png"
            path.write_bytes(tf.io.encode_png(picture).numpy())
    return f"folder:{folder}"


def own_text(folder):
    path = folder / "my words, 2.txt"
    path.write_text("Ein Käse, zwei Käse.\n" * 400, "utf-8")
    return str(path)


def own_pairs(folder):
    path = folder / "my pairs, 2.tsv"
    path.write_text("".join(f"eins {n}\tone {n}\n" for n in range(200)), "utf-8")
    return str(path)


def own_music(folder):
    for number, piece in enumerate(chorales.canons(pieces=(4, 0, 0))["train"]):
        path = folder / f"my piece, {number}.mid"
        path.write_bytes(Notes(4).encode(piece[None]))
    return f"folder:{folder}"


def own_sounds(folder):
    """Two classes of eight sounds each."""
    draw = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        (folder / label).mkdir()
        for number in range(8):
            wave = draw.uniform(-0.5, 0.5, 300)
            path = folder / label / f"{number}.wav"
            path.write_bytes(encode_wav(wave, 16_000))
    return f"folder:{folder}"


def own_table(folder):
    """A CSV file of a number that may be missing, a word, and a class."""
    path = folder / "my rows, 2.csv"
    rows = [
        f"{n if n % 7 else ''},{'ab'[n % 2]},{'yes' if n % 3 else 'no'}"
        for n in range(60)
    ]
    path.write_text("\n".join(["size,kind,good", *rows]) + "\n", "utf-8")
    return f"csv:{path}"


def own_recordings(folder):
    return f"folder:{toy_recordings.write(folder)}"


def own_captions(folder):
    """Thirty pictures, each with what it shows beside it."""
    draw = np.random.default_rng(0)
    for number in range(30):
        picture = draw.integers(0, 256, (16, 16, 3), "uint8")
        path = folder / f"{number}.png"
        path.write_bytes(tf.io.encode_png(picture).numpy())
        path.with_suffix(".txt").write_text(f"Bild {number}", "utf-8")
    return f"folder:{folder}"


OWN = {
    "keras_genai.data.captions": own_captions,
    "keras_genai.data.emoji": own_captions,
    "keras_genai.data.chorales": own_music,
    "keras_genai.data.emoji_sketches": own_pictures,
    "keras_genai.data.images": own_pictures,
    "keras_genai.data.pairs": own_pictures,
    "keras_genai.data.sounds": own_sounds,
    "keras_genai.data.speech": own_recordings,
    "keras_genai.data.tables": own_table,
    "keras_genai.data.text": own_text,
    "keras_genai.data.translation": own_pairs,
}


@pytest.mark.slow
def test_entry_learns_from_the_users_own_data(built, tmp_path):
    entry = built[0]
    given = OWN.get(unwrapped(entry.source)[0].__module__)
    if given is None:
        with pytest.raises(ValueError, match="must"):
            Settings.of(entry, data="no such data").splits()
        return
    settings = Settings.of(entry, data=given(tmp_path), batch_size=2)
    splits = settings.splits()
    own = entry.build(splits, batch_size=2, **entry.tiny)
    own.compile(**entry.recipe.compile(steps=2))
    fed = entry.fed(own, splits, batch_size=2)
    losses = own.fit(
        fed.train.take(2), shuffle=False, verbose=0, callbacks=callbacks(entry, fed)
    ).history
    assert all(np.isfinite(values).all() for values in losses.values())


@pytest.mark.parametrize("name", zoo.names())
def test_entry_says_what_it_is(name):
    entry = zoo.get(name)
    assert zoo.describe(name).endswith(".")
    assert entry.name == name
    assert entry.paper
    # Of what was aligned nobody can know what for.
    assert entry.notes.endswith(".") or entry.family != "alignment"
    assert set(entry.tiny) <= {name.partition(".")[0] for name in entry.settings}
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
