import collections
import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from marks import slow_but

from keras_genai.data import damage, images, pairs, video

BATCH = tf.constant(np.random.default_rng(0).random((32, 16, 16, 3)), "float32")
SEED = tf.constant([0, 5], "int64")
DAMAGES = {
    "noise": damage.Noise(0.1),
    "some noise": damage.Noise((0.0, 0.5)),
    "blur": damage.Blur(1.0),
    "shrink": damage.Shrink(4),
    "grey": damage.Grey(),
    "either": damage.Either((damage.Grey(), damage.Noise())),
    "each": damage.Each((damage.Blur(), damage.Grey())),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damage_is_a_function_of_pictures_and_seed(kind):
    found = DAMAGES[kind](BATCH, SEED)
    assert found.shape == BATCH.shape
    assert 0 <= tf.reduce_min(found) <= tf.reduce_max(found) <= 1
    assert not np.array_equal(found, BATCH)
    np.testing.assert_array_equal(found, DAMAGES[kind](BATCH, SEED))


def test_noise_has_the_deviation_that_was_asked_for():
    flat = tf.fill((16, 32, 32, 1), 0.5)
    assert abs(np.std(damage.Noise(0.1)(flat, SEED)) - 0.1) < 0.002
    own = np.std(damage.Noise((0.01, 0.2))(flat, SEED), axis=(1, 2, 3))
    assert own.min() < 0.05
    assert own.max() > 0.15


def test_a_blur_keeps_flat_pictures_and_spreads_a_point_as_a_gaussian():
    blur = damage.Blur(1.5)
    flat = tf.fill((1, 16, 16, 3), 0.3)
    np.testing.assert_allclose(blur(flat), flat, atol=1e-6)
    point = tf.one_hot([8 * 17 + 8], 17 * 17)
    spread = blur(tf.reshape(point, (1, 17, 17, 1))).numpy()[0, ..., 0]
    offsets = np.arange(17) - 8.0
    np.testing.assert_allclose(spread.sum(), 1, atol=1e-5)
    variance = (spread.sum(axis=0) * offsets**2).sum()
    np.testing.assert_allclose(variance, 1.5**2, rtol=0.05)  # the tails are cut


def test_shrinking_shows_the_mean_of_each_block():
    found = damage.Shrink(4)(BATCH).numpy()
    np.testing.assert_allclose(
        found[:, 4:8, 8:12], BATCH[:, 4:8, 8:12].numpy().mean((1, 2), keepdims=True)
        + np.zeros((1, 4, 4, 1)), atol=1e-6,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"`factor` must divide.*factor=3, 16 x 16"):
        damage.Shrink(3)(BATCH)


def test_each_picture_gets_its_own_of_several_damages():
    either = damage.Either((damage.Grey(), damage.Shrink(2)))
    found = either(BATCH, SEED).numpy()
    grey = (found == damage.Grey()(BATCH).numpy()).all(axis=(1, 2, 3))
    blocks = (found == damage.Shrink(2)(BATCH).numpy()).all(axis=(1, 2, 3))
    assert (grey ^ blocks).all()
    assert 6 < grey.sum() < 26


def test_held_out_damages_are_fixed_and_training_ones_are_not():
    source = functools.partial(images.photographs, stand_in=True, image_size=16)
    first, second = (source(8, seed, condition=damage.Noise()) for seed in (1, 2))
    assert first.sizes["condition_shape"] == first.sizes["image_shape"] == (16, 16, 3)
    for one, two in ((first.held_out, second.held_out), (first.test, second.test)):
        assert one["condition"].dtype == np.uint8
        np.testing.assert_array_equal(one["condition"], two["condition"])
        assert abs(one["condition"].astype(int) - one["images"]).mean() > 20
    batch = next(iter(first.validation.epoch()))
    same = first.held_out["condition"][: len(batch["condition"])]
    np.testing.assert_array_equal(np.round(batch["condition"] * 255), same)
    steps = first.train.steps_per_epoch
    noise = [
        (batch["condition"] - batch["images"]).numpy()
        for batch in first.train.dataset().skip(steps - 1).take(2)
    ]
    assert not np.array_equal(*noise)


def test_noise_that_is_not_clipped_is_kept_as_it_is():
    source = functools.partial(images.photographs, stand_in=True, image_size=16)
    splits = source(8, condition=damage.Noise(0.2, clip=False))
    batch = next(iter(splits.train.dataset()))
    held_out = next(iter(splits.validation.epoch()))
    for each in (batch, held_out):
        noise = (each["condition"] - each["images"]).numpy()
        assert abs(noise.mean()) < 0.01
        assert abs(noise.std() - 0.2) < 0.01
    test = splits.test["condition"]
    assert test.dtype == np.float32
    assert test.min() < -0.1
    assert test.max() > 1.1
    kind = splits.kind("condition")
    kind.fields["condition"].check("condition", test)
    np.testing.assert_array_equal(kind.read(test), test)
    with pytest.raises(ValueError, match=r"`condition` must be .*finite float.*nan"):
        kind.read(np.full_like(test, np.nan))


@pytest.mark.parametrize("kind", [damage.Either, damage.Each])
def test_several_damages_stay_in_range_if_all_do(kind):
    assert damage.bounded(kind((damage.Noise(), damage.Blur())))
    assert not damage.bounded(kind((damage.Noise(clip=False), damage.Blur())))


def test_grey_wants_colour():
    with pytest.raises(ValueError, match="`Grey` must be given colour pictures"):
        images.digits(2, condition=damage.Grey())


def test_edges_are_where_a_picture_changes():
    half = tf.concat([tf.zeros((1, 8, 4, 3)), tf.ones((1, 8, 4, 3))], axis=2)
    edges = pairs.Edges()(half).numpy()
    assert edges.shape == (1, 8, 8, 1)
    assert edges[0, :, 3:5].min() == 1
    assert edges.sum() == 16
    assert pairs.Edges(threshold=2.0)(half).numpy().sum() == 0
    splits = images.digits(4, condition=pairs.Edges(), stand_in=True)
    assert splits.sizes["condition_shape"] == (8, 8, 1)
    assert set(np.unique(splits.test["condition"])) == {0, 255}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (None, (8, 8, 3)),
        (pairs.Invert(), (8, 8, 1)),
        (pairs.Turn(1), (8, 8, 1)),
        (damage.Blur(1.0), (8, 8, 1)),
    ],
)
def test_unpaired_data_have_no_more_pairs_than_chance(change, shape):
    splits = pairs.changed(16, change=change, stand_in=True)
    assert splits.sizes["image_shape"] == shape
    assert splits.sizes["condition_shape"] == (8, 8, 1)
    change = change or pairs.Colour()
    batch = next(iter(splits.train.dataset(7)))
    assert set(batch) == {"images", "condition"}
    assert batch["images"].shape == (16, *shape)
    pairs_seen, expected = count_pairs(splits.train, change)
    # As good as Poisson's: further than this from its mean less than once in 10,000.
    assert abs(pairs_seen - expected) < 4 * np.sqrt(expected) + 4
    test = change(splits.test["condition"] / np.float32(255), SEED)
    assert abs(np.asarray(test) * 255 - splits.test["images"]).max() < 1
    again = next(iter(pairs.changed(16, change=change, stand_in=True).train.dataset(7)))
    np.testing.assert_array_equal(batch["images"], again["images"])


def count_pairs(loader, change):
    """Rows of 200 batches that show one picture twice, and how many chance makes."""
    domains = [[], []]
    for batch in loader.dataset().take(200):
        changed = change(batch["condition"], SEED), batch["images"]
        for domain, rows in zip(domains, changed, strict=True):
            domain.extend(np.rint(255 * row).tobytes() for row in rows.numpy())
    seen = sum(one == other for one, other in zip(*domains, strict=True))
    first, second = map(collections.Counter, domains)
    # Over all ways to lay the rows of one domain beside those of the other.
    alike = sum(count * second[row] for row, count in first.items())
    return seen, alike / len(domains[0])


def test_two_folders_are_two_domains(tmp_path):
    for name, grey, count in (("day", 250, 12), ("night", 10, 30)):
        for index in range(count):
            path = pathlib.Path(tmp_path, name, f"{index}.png")
            path.parent.mkdir(exist_ok=True)
            picture = np.full((9, 9, 1), grey, "uint8")
            path.write_bytes(tf.io.encode_png(picture).numpy())
    splits = pairs.folders(
        4, first=tmp_path / "day", second=tmp_path / "night", image_size=8
    )
    assert splits.name == "day_night"
    for batch in (
        next(iter(splits.train.epoch())),
        next(iter(splits.validation.epoch())),
    ):
        assert np.unique(np.round(batch["condition"] * 255)) == [250]
        assert np.unique(np.round(batch["images"] * 255)) == [10]
    assert len(list(splits.train.epoch())) == splits.train.steps_per_epoch == 2


def test_a_named_source_can_be_made_unpaired():
    splits = pairs.source("photographs")(
        2, change=pairs.Invert(), stand_in=True, image_size=8
    )
    assert splits.sizes["image_shape"] == splits.sizes["condition_shape"] == (8, 8, 3)
    coloured = pairs.source("photographs")(2, stand_in=True, image_size=8)
    assert (
        coloured.sizes["image_shape"] == coloured.sizes["condition_shape"] == (8, 8, 3)
    )


@pytest.mark.parametrize("digits", slow_but([1], [1, 2]))
def test_digits_move_and_stay_whole(digits):
    splits = video.moving_digits(16, frames=12, digits=digits, stand_in=True)
    assert splits.sizes["image_shape"] == (12, 32, 32, 1)
    assert splits.sizes.get("num_classes") == (10 if digits == 1 else None)
    batch = next(iter(splits.train.dataset(40)))
    assert batch["images"].shape == (16, 12, 32, 32, 1)
    assert ("labels" in batch) == (digits == 1)
    frames = batch["images"].numpy()[..., 0]
    assert (frames[:, 1:] != frames[:, :-1]).any(axis=(1, 2, 3)).all()
    if digits == 1:
        ink = frames.sum(axis=(2, 3))
        np.testing.assert_allclose(ink, ink[:, :1].repeat(12, axis=1), rtol=1e-4)
    again = video.moving_digits(16, frames=12, digits=digits, stand_in=True)
    same = next(iter(again.train.dataset(40)))
    np.testing.assert_array_equal(same["images"], batch["images"])
    other = video.moving_digits(16, 1, frames=12, digits=digits, stand_in=True)
    np.testing.assert_array_equal(other.test["images"], again.test["images"])
    assert not np.array_equal(next(iter(other.train.dataset(40)))["images"], frames)


def test_a_digit_bounces_off_the_edges():
    move = video.Bounce(frames=60, image_size=24, fastest=3.0)
    videos = move(tf.ones((8, 16, 16)), SEED).numpy()
    assert videos.shape == (8, 60, 24, 24)
    np.testing.assert_array_equal(videos.sum(axis=(2, 3)), 256)
    top = videos.max(axis=3).argmax(axis=2)  # (8, 60)
    assert abs(np.diff(top, axis=1)).max() <= 4  # 3 pixels, rounded twice
    assert {0, 8} <= set(top.ravel())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(frames=0), "`frames` must be an int >= 1"),
        (dict(frames=64, image_size=512), "`frames` times `image_size` squared must"),
        (dict(image_size=16), "`image_size` must be an int above `digit_size`"),
        (dict(digits=3), "`digits` must be 1 or 2"),
    ],
)
def test_moving_digits_check_their_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        video.moving_digits(2, **changes)
