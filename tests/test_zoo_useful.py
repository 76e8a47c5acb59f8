"""The verb `useful`: what is drawn and kept, what is learned, and what is refused."""

import json
import types

import keras
import numpy as np
import pytest
from PIL import Image as Pictures

import zoo
from keras_genai.evaluation.usefulness import SETTINGS, Labelled, score_usefulness
from keras_genai.modalities.image import Image
from keras_genai.modalities.table import Table
from keras_genai.modalities.text import Label
from zoo import __main__ as command
from zoo import _images, _useful_samples
from zoo._useful_kinds import KINDS, PictureSamples, kind_of
from zoo._useful_table import lines, titled

SEEDS = ["--seeds", "2"]


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """Small models, by the name of their entry."""
    folder = tmp_path_factory.mktemp("useful")
    keras.utils.set_random_seed(0)
    for name in ("cvae_digits", "vae_digits"):
        entry = zoo.get(name)
        entry.build(**entry.tiny).save_to_preset(folder / name)
    return folder


class Learner:
    """Takes the place of what trains a classifier: says how many it learned from."""

    def __init__(self):
        self.learned = []

    def __call__(self, train, test, seed):
        self.learned.append(train)
        return len(train) / 1_000 + seed / 10


@pytest.fixture
def learner(monkeypatch):
    found = Learner()
    monkeypatch.setattr(PictureSamples, "learn", found)
    return found


@pytest.fixture
def run(presets, tmp_path, monkeypatch, capsys):
    """Runs the verb in an empty folder. Returns its code, lines and errors."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        preset = ["--preset", str(presets / name)] if (presets / name).is_dir() else []
        code = command.main(["useful", name, *preset, *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run


def test_a_table_a_record_and_a_picture_are_made(run, learner, tmp_path):
    code, printed, errors = run("cvae_digits", "--count", 250, *SEEDS)
    assert code is None, errors
    folder = tmp_path / "runs/useful/cvae_digits"
    assert (folder / "useful.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((folder / "useful.json").read_text("utf-8"))
    rows = record["accuracies"]
    assert tuple(rows) == SETTINGS
    assert [row["samples"] for row in rows.values()] == [250, 250, 500, 100, 350, 250]
    assert rows["both"]["values"] == [0.5, 0.6]
    assert record["gain"] == pytest.approx(0.25)
    assert record["labels"] == "labels as the model has them"
    assert (record["test"], record["few"], record["drawing"]) == (360, 100, {})
    assert any("100 real + 250 synthetic" in line for line in printed)
    assert printed[:-1] == [*lines(record)]
    assert len({title for title, _ in titled(record)}) == len(SETTINGS)
    synthetic = learner.learned[SETTINGS.index("synthetic")]
    assert synthetic.samples.shape == (250, 8, 8, 1)
    assert synthetic.samples.dtype == np.uint8
    np.testing.assert_array_equal(synthetic.labels, np.arange(250) % 10)


@pytest.mark.slow
def test_what_was_interrupted_goes_on_and_nothing_is_done_twice(
    run, learner, monkeypatch
):
    drawn, own = [], _images.generate

    def generate(model, count, seed, **options):
        if len(drawn) == 1:
            raise KeyboardInterrupt
        drawn.append(seed)
        return own(model, count, seed, **options)

    monkeypatch.setattr(_images, "generate", generate)
    count = ["--count", 450, *SEEDS]
    assert run("cvae_digits", *count)[0] == 130
    assert drawn == [0]
    drawn[:] = [None, None]  # which lets it go on
    code, whole, errors = run("cvae_digits", *count)
    assert (code, drawn[2:]) == (None, [1, 2]), errors
    times = len(learner.learned)
    first = learner.learned[SETTINGS.index("synthetic")]
    assert times == 2 * len(SETTINGS)
    assert run("cvae_digits", *count)[1] == whole
    assert (len(learner.learned), drawn[2:]) == (times, [1, 2])
    run("cvae_digits", "--count", 450, "--seeds", 1, "--out", "other")
    other = learner.learned[times + SETTINGS.index("synthetic")]
    np.testing.assert_array_equal(other.samples, first.samples)
    run("cvae_digits", *count, "--seed", 1)  # another seed is not mistaken for it
    assert len(learner.learned) > times + len(SETTINGS)


def test_what_is_not_asked_for_a_class_is_read_by_a_classifier(
    run, learner, monkeypatch
):
    def classify(images):
        return np.full(len(images), 3)

    reader = types.SimpleNamespace(classify=classify, accuracy=0.875)
    monkeypatch.setattr(_useful_samples, "fit_classifier", lambda *data: reader)
    code, printed, errors = run("vae_digits", "--count", 120, *SEEDS)
    assert code is None, errors
    assert "a classifier reads what it draws" in errors
    assert (
        "a classifier of 1,257 real training pictures (accuracy 0.8750)" in printed[0]
    )
    assert (learner.learned[SETTINGS.index("synthetic")].labels == 3).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", 5], "`--steps` must be left out for a VAE"),
        (["--guidance", 2], "`--guidance` must be left out for a VAE"),
        (["--real", 2_000], "`--real` must be at most the number of real training"),
        (["--data", "photographs"], "whose data, photographs, have none"),
    ],
)
def test_what_does_not_fit_is_one_line(run, arguments, message):
    code, _, error = run("cvae_digits", *arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def model_of(target, *given):
    return types.SimpleNamespace(target=target, given=given, generate=None)


def test_only_what_a_learner_knows_and_labels_make_is_useful():
    pictures = Image((8, 8, 1))
    assert type(kind_of(model_of(pictures, Label(10)), "one")) is KINDS["pictures"]
    with pytest.raises(ValueError, match="must be of a model that makes pictures"):
        kind_of(model_of(Label(10)), "one")
    with pytest.raises(ValueError, match="whose samples are made from condition"):
        kind_of(model_of(pictures, Image((8, 8, 1), "condition")), "x")
    changing = types.SimpleNamespace(target=pictures, given=())
    with pytest.raises(ValueError, match="made of other samples"):
        kind_of(changing, "one")


def test_ones_own_pictures_take_the_size_of_the_model(tmp_path):
    draws = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number in range(12):
            pixels = draws.integers(0, 256, (20, 24), "uint8")
            Pictures.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    options = types.SimpleNamespace(
        name="cvae_digits", data=f"folder:{tmp_path}", data_dir=None
    )
    model = types.SimpleNamespace(name="cvae_digits", target=Image((8, 8, 1)))
    found = _useful_samples.data(PictureSamples(model), options)
    assert found.real.samples.shape[1:] == (8, 8, 1)
    assert len(found.real) + len(found.test) < 24  # others validate
    assert found.chance == max(np.bincount(found.test.labels)) / len(found.test)
    wide = types.SimpleNamespace(name="cvae_digits", target=Image((8, 8, 3)))
    with pytest.raises(ValueError, match="`--data` must be of this model's size"):
        _useful_samples.data(PictureSamples(wide), options)


def test_a_damaged_file_is_drawn_again(tmp_path):
    path = tmp_path / "drawn.npy"
    assert _useful_samples.reopened(path, np.uint8, (2, 2)) is None
    for content in (b"", b"\x93NUMPY", b"no array"):
        path.write_bytes(content)
        assert _useful_samples.reopened(path, np.uint8, (2, 2)) is None
    np.save(path, np.zeros((2, 2), "uint8"))
    assert _useful_samples.reopened(path, np.uint8, (2, 2)).shape == (2, 2)
    assert _useful_samples.reopened(path, np.uint8, (3, 2)) is None


def test_another_picture_or_seed_is_learned_anew(tmp_path):
    learn = Learner()
    remembered = _useful_samples.remembering(learn, tmp_path)
    one = Labelled(np.zeros((4, 2)), np.arange(4))
    for train, seed in ((one, 0), (one, 0), (one, 1), (one.shuffled(0), 0)):
        remembered(train, one, seed)
    assert len(learn.learned) == 3
    again = _useful_samples.remembering(learn, tmp_path)
    assert again(one, one, 1) == 4 / 1_000 + 1 / 10
    assert len(learn.learned) == 3


def rows_of(count, seed):
    """Rows of a number and a word that it foretells."""
    draws = np.random.default_rng(seed)
    words = np.array(["high", "low"])[draws.integers(0, 2, count)]
    sizes = draws.normal(size=count) + np.where(words == "high", 4.0, -4.0)
    return {"size": sizes, "other": draws.normal(size=count), "word": words}


def test_rows_of_a_table_are_learned_with_the_labels_that_they_are_given():
    table = Table.of(rows_of(200, 0), target="word")
    model = types.SimpleNamespace(target=table, given=())
    model.generate = lambda count, seed: table.read(rows_of(count, seed))
    kind = kind_of(model, "one")
    made = kind.draw(150, 1, {})
    assert (made.dtype, kind.shape) == (kind.dtype, made.shape[1:])
    assert kind.labels(made, 200).tolist() == (made["word"] == "low").tolist()
    splits = types.SimpleNamespace(kind={"rows": table}.get)
    real = kind.labelled(splits, table.batch(table.read(rows_of(200, 2))))
    synthetic = Labelled(made, kind.labels(made, 200))
    found = score_usefulness(synthetic, synthetic, real, kind.learn, 20, 2, False)
    assert found["synthetic"].mean > 0.95
    assert found["few_and_synthetic"].samples == 170
    assert found["shuffled"].mean < 0.8
    target = Table.of(rows_of(9, 0))
    none = types.SimpleNamespace(target=target, given=(), generate=None)
    assert kind_of(none, "one").labelled(splits, {}) is None
