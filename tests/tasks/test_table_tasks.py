"""Models of tables: what they learn, and rows on conditions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import from_preset
from keras_genai.modalities.table import Table
from keras_genai.networks.tabular import TabularAutoencoder, TabularDenoiser
from keras_genai.networks.tabular_copula import Copula
from keras_genai.samplers import multinomial
from keras_genai.samplers.diffusion import DDIM, Heun
from keras_genai.tasks.copula import GaussianCopula
from keras_genai.tasks.table_diffusion import TableDiffusion
from keras_genai.tasks.table_vae import TableVAE

CSV = "age,income,town,married\n" + "".join(
    f"{'' if n % 5 == 4 else 20 + n},{1000.5 + 100 * n},{('Ulm', 'Bonn', '')[n % 3]},"
    f"{'yes' if n % 4 else 'no'}\n"
    for n in range(40)
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "people.csv"
    path.write_text(CSV, "utf-8")
    return path


@pytest.fixture(scope="module")
def table(path):
    return Table.of(path, target="married")


def diffusion(table, **settings):
    return TableDiffusion(TabularDenoiser(hidden=(8,), waves=4), table, **settings)


def vae(table, **settings):
    return TableVAE(TabularAutoencoder(hidden=(8,), latent_size=2), table, **settings)


def copula(table, **settings):
    model = GaussianCopula(Copula(), table, **settings)
    names, *lines = [line.split(",") for line in CSV.strip().split("\n")]
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    model.fit(model.loader(rows), verbose=0)
    return model


MODELS = {"diffusion": diffusion, "vae": vae, "copula": copula}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@every_model
@pytest.mark.parametrize("conditional", [True, False])
def test_rows_are_of_the_table_and_come_again_from_a_seed(make, conditional, table):
    model = make(table, conditional=conditional)
    rows = model.generate(7, seed=3)
    assert rows.dtype == table.dtype
    assert len(rows) == 7
    table.read(rows)  # every value can be in its column
    again, other = model.generate(7, seed=3), model.generate(7, seed=4)
    for name in table.names:
        np.testing.assert_array_equal(rows[name], again[name])
    assert any((rows[name] != other[name]).any() for name in table.names)


@every_model
@pytest.mark.parametrize("conditional", [True, False])
def test_rows_have_exactly_what_was_asked_for(make, conditional, table):
    model = make(table, conditional=conditional)
    where = {"married": "no", "town": "Bonn", "income": (1000, 4000)}
    rows = model.generate(5, where=where, seed=1)
    assert len(rows) == 5
    assert {*rows["married"]} == {"no"}
    assert {*rows["town"]} == {"Bonn"}
    assert (rows["income"] <= 4000).all()
    rows = model.generate(3, where={"town": None, "age": None}, seed=1)
    assert {*rows["town"]} == {""}
    assert np.isnan(rows["age"]).all()


def test_a_class_that_is_told_is_drawn_at_once(table, monkeypatch):
    model = diffusion(table)
    asked = []
    draw = model.draw
    monkeypatch.setattr(
        model,
        "draw",
        lambda labels, count, seed: (
            asked.append(labels) or draw(labels, count, seed, 2)
        ),
    )
    rows = model.generate(4, where={"married": "no"})
    assert {*rows["married"]} == {"no"}
    assert [labels.tolist() for labels in asked] == [[0] * 4]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"size": 1}, "`where` must be one of the columns age, .* Received: 'size'"),
        ({"town": "Rom"}, "`town` must be one of Bonn, Ulm. Received: 'Rom'"),
        ({"married": None}, "`married` must be one of no, yes. Received: none"),
        ({"income": None}, "`where` must be a number for 'income'"),
        ({"income": "much"}, "must be a number or a pair of numbers"),
        ({"income": (5, 1)}, "must be from 1000.5 to 4900.5 for 'income'"),
        ({"income": 1e9}, "must be from 1000.5 to 4900.5 for 'income'"),
        ("married=no", "`where` must be a dict"),
        ({"income": 1234.5678}, "`where` must be what at least one of 200 rows has"),
    ],
)
def test_what_no_row_can_have_is_refused(where, message, table):
    with pytest.raises(ValueError, match=message):
        vae(table).generate(2, where=where)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"count": 0}, ValueError, "`count` must be an int >= 1"),
        ({"count": 10**12}, ValueError, "`count` must be at most"),
        ({"seed": 0.5}, TypeError, "`seed` must be an int"),
        ({"steps": 0}, ValueError, "`steps` must be an int >= 1"),
        ({"sampler": Heun()}, TypeError, "of one denoising a step"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, error, message, table):
    with pytest.raises(error, match=message):
        diffusion(table).generate(**options)


@pytest.mark.slow
def test_numbers_alone_and_words_alone_are_tables_too():
    draws = np.random.default_rng(0)
    numbers = Table.of(draws.normal(size=(30, 2)))
    words = Table.of({"a": [*"xyz"] * 10, "b": [*"uv"] * 15}, target="b")
    for table, conditional in ((numbers, True), (words, True), (words, False)):
        for make in (diffusion, vae):
            model = make(table, conditional=conditional)
            rows = model.generate(4)
            losses = model(table.batch(table.read(rows)))
            assert all(np.isfinite(part).all() for part in losses.values())
    with pytest.raises(ValueError, match="must be at least one column together"):
        diffusion(Table.of({"b": [*"uv"] * 15}, target="b"))


@pytest.mark.parametrize("make", [diffusion, vae])
def test_a_number_that_is_missing_teaches_nothing(make, table, path):
    model = make(table)
    batch = table.batch(table.read(path))
    absent = batch["categories"][:, -1] == 1
    assert absent.any()
    keys = ("error", "nats") if make is diffusion else ("log_likelihood",)
    weight = model.network.trainable_variables[0]  # rows of it belong to numbers
    with tf.GradientTape() as tape:
        found = model({key: part[absent] for key, part in batch.items()})
        loss = sum(tf.reduce_sum(found[key]) for key in keys)
    assert np.isfinite(tape.gradient(loss, weight.value)).all()
    if make is diffusion:
        numbers, _, _, known = model.parts(batch)
        np.testing.assert_array_equal(known[:, 0], 1 - absent.astype("float32"))
        np.testing.assert_array_equal(np.asarray(numbers)[absent, 0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("make", [diffusion, vae])
def test_it_learns_from_a_file_and_comes_back(make, table, path, tmp_path):
    keras.utils.set_random_seed(0)
    model = make(table)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    loader = model.loader(path, batch_size=40)
    losses = model.fit(loader, epochs=10, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.target == table
    for name in table.names:
        np.testing.assert_array_equal(
            loaded.generate(5, seed=1)[name], model.generate(5, seed=1)[name]
        )


@pytest.mark.slow
@pytest.mark.parametrize("make", [diffusion, vae])
def test_a_model_that_stopped_goes_on_as_if_it_had_not(make, table, path, tmp_path):
    def trained(model, epochs):
        model.fit(model.loader(path, 40, shuffle=False), epochs=epochs, verbose=0)
        return model

    def new():
        keras.utils.set_random_seed(1)
        model = make(table)
        model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
        return model

    whole = trained(new(), 4)
    half = trained(new(), 2)
    half.save(tmp_path / "half.keras")
    half = trained(keras.saving.load_model(tmp_path / "half.keras"), 2)
    for one, other in zip(whole.weights, half.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_knows_no_chance(table, path):
    model = diffusion(table)
    model.compile("adam", run_eagerly=True)
    batch = table.batch(table.read(path))
    assert model.evaluate(batch, verbose=0) == model.evaluate(batch, verbose=0)


def test_samplers_of_one_denoising_may_be_chosen(table):
    model = diffusion(table)
    rows = model.generate(3, steps=5, sampler=DDIM())
    assert len(rows) == 3


def test_the_sampler_finds_what_a_perfect_network_says():
    # Two towns, told apart by the income: a denoiser that knows the answer.
    table = Table.of({"x": [0.0, 1.0, 2.0, 3.0], "w": [*"abab"]})
    model = diffusion(table)
    clean = np.float32([[0.5, -1.0, 1.0]])

    class Perfect(tf.Module):
        numbers = 1

        def __call__(self, noisy, categories, time, labels):
            alpha = model.schedule.alpha(time)[:, None]
            sigma = model.schedule.sigma(time)[:, None]
            noise = (noisy - alpha * clean[:, :1]) / tf.maximum(sigma, 1e-6)
            velocity = alpha * noise - sigma * clean[:, :1]
            logits = tf.repeat(100.0 * clean[:, 1:], tf.shape(noisy)[0], axis=0)
            return tf.concat([velocity, logits], axis=1)

    object.__setattr__(model, "network", Perfect())
    numbers, categories = model.draw(None, 8, seed=0, steps=20)
    np.testing.assert_allclose(numbers, 0.5, atol=1e-3)
    assert categories.tolist() == [[1]] * 8


def test_a_copula_has_the_columns_and_the_correlations_of_its_rows():
    draws = np.random.default_rng(0)
    first = draws.normal(size=3_000)
    value = {
        "x": first,
        "y": np.exp(0.8 * first + 0.6 * draws.normal(size=3_000)),
        "w": np.where(first > 0.5, "high", "low"),
    }
    table = Table.of(value)
    model = GaussianCopula(Copula(), table)
    loss = model.fit(model.loader(value, batch_size=100), verbose=0).history["loss"]
    assert loss[0] < 0
    rows = model.generate(3_000, seed=0)
    share = np.mean(rows["w"] == "high")
    assert share == pytest.approx(np.mean(value["w"] == "high"), abs=0.03)
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(rows["y"], quantile) == pytest.approx(
            np.quantile(value["y"], quantile), rel=0.12
        )
    logs = np.corrcoef(rows["x"], np.log(rows["y"]))[0, 1]
    assert logs == pytest.approx(0.8, abs=0.03)
    assert rows["x"][rows["w"] == "high"].mean() > 0.8


def test_a_copula_of_classes_knows_each_by_itself():
    draws = np.random.default_rng(1)
    first = draws.normal(size=2_000)
    sign = np.where(np.arange(2_000) % 2, 1.0, -1.0)
    value = {"x": first, "y": sign * first + 0.3 * draws.normal(size=2_000)}
    value["w"] = np.where(sign > 0, "same", "opposite")
    table = Table.of(value, target="w")
    model = GaussianCopula(Copula(), table)
    model.fit(table.batch(table.read(value)), verbose=0)
    for word, expected in (("same", 0.95), ("opposite", -0.95)):
        rows = model.generate(500, where={"w": word})
        found = np.corrcoef(rows["x"], rows["y"])[0, 1]
        assert found == pytest.approx(expected, abs=0.04)


def test_a_copula_of_few_rows_is_well(table, path):
    batch = table.batch(table.read(path))
    model = GaussianCopula(Copula(), table)
    model.fit({key: part[1:3] for key, part in batch.items()}, verbose=0)
    assert len(model.generate(20)) == 20
    with pytest.raises(ValueError, match="`evaluate` must not be called"):
        model.evaluate(batch)


def test_noise_forgets_categories_evenly():
    sizes = (3, 2)
    clean = np.float32([[0, 1, 0, 1, 0]])
    chances = multinomial.noised(clean, 0.4, sizes)
    np.testing.assert_allclose(chances, [[0.2, 0.6, 0.2, 0.7, 0.3]], atol=1e-6)
    np.testing.assert_allclose(
        multinomial.noised(clean, 0.0, sizes), multinomial.even(sizes), atol=1e-6
    )


def test_the_posterior_is_that_of_bayes():
    sizes, now, after = (3,), 0.3, 0.6
    step = now / after

    def transition(keep):
        return keep * np.eye(3) + (1 - keep) / 3

    for start in range(3):
        for end in range(3):
            joint = transition(after)[start] * transition(step)[:, end]
            found = multinomial.posterior(
                np.float32(np.eye(3)[[end]]),
                np.float32(np.eye(3)[[start]]),
                np.float32(now),
                np.float32(after),
                sizes,
            )
            np.testing.assert_allclose(found[0], joint / joint.sum(), atol=1e-6)


def test_categories_are_drawn_by_their_chances():
    chances = np.tile(np.float32([[0.7, 0.1, 0.2, 1.0, 0.0]]), (20_000, 1))
    uniform = np.random.default_rng(0).random(chances.shape, "float32")
    drawn = np.asarray(multinomial.draw(chances, uniform, (3, 2)))
    shares = np.bincount(drawn[:, 0]) / len(drawn)
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.01)
    assert (drawn[:, 1] == 0).all()


def test_the_bound_of_a_network_that_knows_is_nothing():
    seen = np.float32([[0, 1, 0]])
    ways = [
        multinomial.posterior(np.float32([[1, 0, 0]]), clean, 0.3, 0.5, (3,))
        for clean in (seen, seen)
    ]
    assert multinomial.divergence(*ways, (3,)).numpy().tolist() == [[0.0]]
    even = np.full((1, 3), 1 / 3, "float32")
    other = multinomial.posterior(np.float32([[1, 0, 0]]), even, 0.3, 0.5, (3,))
    assert multinomial.divergence(ways[0], other, (3,)).numpy().item() > 0.1
