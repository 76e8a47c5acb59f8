import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from marks import slow_but
from sklearn.datasets import load_sample_images

from keras_genai.data import augmentation, images, pictures
from keras_genai.data.damage import Noise
from keras_genai.data.loading import DataLoader

SHAPES = {
    "digits": (8, 8, 1),
    "mnist": (28, 28, 1),
    "fashion_mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "celeb_a": (64, 64, 3),
    "photographs": (32, 32, 3),
    "tfds:anything": (32, 32, 3),
}
UNLABELLED = ("celeb_a", "photographs")


def steps(loader, count, start=0):
    return [batch["images"].numpy() for batch in loader.dataset(start).take(count)]


def save(folder, name, picture):
    path = pathlib.Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(np.asarray(picture, "uint8")).numpy())


@pytest.mark.parametrize(
    "name", slow_but(("cifar10", "digits", "mnist", "photographs"), SHAPES)
)
def test_every_stand_in_has_the_shape_and_the_classes_of_its_data(name):
    splits = images.source(name)(4, stand_in=True)
    assert splits.sizes["image_shape"] == SHAPES[name]
    assert splits.sizes.get("num_classes") == (None if name in UNLABELLED else 10)
    for loader in (splits.train, splits.validation):
        batch = next(iter(loader.epoch()))
        assert batch["images"].shape[1:] == SHAPES[name]
        assert batch["images"].dtype == "float32"
        assert (
            0 <= tf.reduce_min(batch["images"]) <= tf.reduce_max(batch["images"]) <= 1
        )
        assert ("labels" in batch) == (name not in UNLABELLED)
    assert splits.held_out["images"].dtype == splits.test["images"].dtype == np.uint8
    if splits.sizes.get("num_classes"):
        assert set(splits.test["labels"]) == set(range(10))
        assert splits.test["labels"].dtype == np.int32


def test_digits_are_cut_the_same_way_whatever_the_seed():
    splits = images.digits(64, seed=1)
    assert splits.train.plan.count == 1257
    for part, count in ((splits.held_out, 180), (splits.test, 360)):
        amounts = np.bincount(part["labels"])
        assert len(part["images"]) == count
        assert set(amounts - count // 10) <= {-1, 0, 1}
    again = images.digits(32, seed=2)
    np.testing.assert_array_equal(again.test["images"], splits.test["images"])
    # A change of this sum changes every recorded result on digits.
    assert int(splits.test["images"].astype(int).sum()) == 1_802_336


def test_no_picture_is_in_two_splits():
    for splits in (
        images.digits(64),
        images.photographs(64, image_size=16),
        images.photographs(64, image_size=16, test="flower"),
    ):
        train = np.concatenate(
            [np.round(b["images"] * 255) for b in splits.train.epoch()]
        )
        parts = [
            train.astype("uint8"),
            splits.held_out["images"],
            splits.test["images"],
        ]
        seen = [{picture.tobytes() for picture in part} for part in parts]
        assert not (seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2])


def test_one_photograph_tests_and_the_other_trains():
    both = images.photographs(64, image_size=32)
    splits = images.photographs(50, image_size=32, test="flower")
    rows, columns = 427 // 32, 640 // 32
    tiles = splits.test["images"].reshape(rows, columns, 32, 32, 3)
    whole = tiles.swapaxes(1, 2).reshape(rows * 32, columns * 32, 3)
    photograph = load_sample_images().images[1]  # china.jpg and flower.jpg
    # Another decoder of JPEG.
    assert abs(whole.astype(int) - photograph[: rows * 32]).mean() < 2
    other = images.photographs(64, image_size=32, test="china")
    assert other.test["images"].shape == splits.test["images"].shape
    trained = {
        picture.tobytes()
        for batch in splits.train.epoch()
        for picture in np.round(batch["images"] * 255).astype("uint8")
    }
    seen = {picture.tobytes() for picture in other.test["images"]}
    assert len(trained) == splits.train.plan.count == 50 * 65
    assert len(trained & seen) == rows * (544 // 32)
    assert not trained & {picture.tobytes() for picture in both.test["images"]}


@pytest.mark.slow
def test_the_pictures_of_a_step_depend_on_seed_and_step_only():
    augment = [augmentation.Flip(), augmentation.Translate(1), augmentation.Contrast()]
    source = functools.partial(images.digits, 64, augment=augment, condition=Noise())
    whole = list(source(seed=3).train.dataset().take(25))
    late = next(iter(source(seed=3).train.dataset(24)))
    for key in ("images", "labels", "condition"):
        np.testing.assert_array_equal(late[key], whole[24][key])
    other = next(iter(source(seed=4).train.dataset(24)))
    assert not np.array_equal(late["images"], other["images"])
    assert not np.array_equal(whole[0]["condition"], whole[19]["condition"])


def test_equal_pictures_are_changed_otherwise_in_every_step():
    grey = np.full((40, 8, 8, 1), 100, "uint8")
    splits = images.arrays(
        16, images=grey, augment=augmentation.Brightness(), condition=Noise()
    )
    first, second = splits.train.dataset().take(2)
    for key in ("images", "condition"):
        assert not np.array_equal(first[key], second[key])
    noise = (first["condition"] - first["images"]).numpy()
    assert len({picture.tobytes() for picture in noise}) == 16


def test_augmentation_changes_training_pictures_alone():
    plain = images.digits(64, stand_in=True)
    splits = images.digits(64, stand_in=True, augment=augmentation.Brightness(0.5))
    assert not np.array_equal(*(steps(each.train, 1) for each in (plain, splits)))
    for each in (plain, splits):
        np.testing.assert_array_equal(
            next(iter(each.validation.epoch()))["images"] * 255,
            plain.held_out["images"],
        )


def test_a_flip_mirrors_and_a_translation_moves():
    batch = tf.constant(np.random.default_rng(0).random((64, 6, 5, 3)), "float32")
    seed = tf.constant([1, 2], "int64")
    flipped = augmentation.Flip()(batch, seed).numpy()
    same = (flipped == batch.numpy()).all(axis=(1, 2, 3))
    assert 16 < same.sum() < 48
    np.testing.assert_array_equal(flipped[~same], batch.numpy()[~same, :, ::-1])

    moved = augmentation.Translate(2)(batch, seed).numpy()
    for before, after in zip(batch.numpy(), moved, strict=True):
        frame = np.pad(before, [(2, 2), (2, 2), (0, 0)])
        places = np.lib.stride_tricks.sliding_window_view(frame, before.shape)
        assert (places == after).all(axis=(-1, -2, -3)).any()
    assert len({picture.tobytes() for picture in moved}) == 64


def test_pictures_are_turned_by_quarters_and_get_other_colours():
    batch = tf.constant(np.random.default_rng(0).random((64, 6, 6, 3)), "float32")
    seed = tf.constant([1, 2], "int64")
    turned = augmentation.Rotate90()(batch, seed).numpy()
    turns = np.stack([np.rot90(batch, count, axes=(1, 2)) for count in range(4)])
    same = (turns == turned).all(axis=(2, 3, 4))  # (4, 64)
    assert (same.sum(axis=0) == 1).all()
    assert same.sum(axis=1).min() > 6
    with pytest.raises(ValueError, match=r"`Rotate90` must .*\(64, 5, 6, 3\)"):
        augmentation.Rotate90()(batch[:, :5], seed)

    coloured = augmentation.ChannelShuffle()(batch, seed).numpy()
    np.testing.assert_array_equal(np.sort(coloured), np.sort(batch))
    first = (coloured[..., :1] == batch.numpy()).all(axis=(1, 2))  # (64, 3)
    assert (first.sum(axis=1) == 1).all()
    assert first.sum(axis=0).min() > 10


def test_a_zoom_shows_a_part_of_a_picture_larger():
    ramp = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 9)] * 2), axis=-1)
    batch = tf.constant(np.repeat(ramp[None], 64, axis=0), "float32")
    near = augmentation.Zoom(4.0)(batch, tf.constant([1, 2], "int64")).numpy()
    steps = np.diff(near[:, 0, :, 0]) * 8  # of the ramp: 1 / factor
    np.testing.assert_allclose(steps, steps[:, :1] * np.ones(8), atol=1e-5)
    factors = np.log2(1 / steps[:, 0])
    assert 0 <= factors.min() < 0.3
    assert 1.7 < factors.max() <= 2
    assert near.min() >= 0
    assert near.max() <= 1
    np.testing.assert_allclose(augmentation.Zoom(1.0)(batch, (1, 2)), batch, atol=1e-6)
    with pytest.raises(ValueError, match=r"`most` must be a number >= 1.*0\.5"):
        augmentation.Zoom(0.5)


KINDS = [
    "Flip",
    "Rotate90",
    "ChannelShuffle",
    "Translate",
    "Zoom",
    "Brightness",
    "Contrast",
]


@pytest.mark.parametrize("kind", [*KINDS, "Brightness", "Contrast"])
def test_augmented_pictures_stay_in_range(kind):
    batch = tf.constant(np.random.default_rng(0).random((16, 8, 8, 3)), "float32")
    found = getattr(augmentation, kind)()(batch, tf.constant([0, 1], "int64"))
    assert found.shape == batch.shape
    assert 0 <= tf.reduce_min(found) <= tf.reduce_max(found) <= 1


def test_digits_on_black_are_padded_and_photographs_are_not():
    plain = images.mnist(2, stand_in=True).test["images"]
    padded = pictures.fit(plain, (32, 32), black=True)
    np.testing.assert_array_equal(padded[:, 2:30, 2:30], plain)
    assert padded.sum() == plain.sum()
    white = np.full((1, 28, 28, 3), 250, "uint8")
    assert pictures.fit(white, (32, 32)).min() == 250
    large = images.digits(2, image_size=(16, 20), stand_in=True)
    assert large.sizes["image_shape"] == (16, 20, 1)
    assert large.test["images"][:, :, :2].max() == 0


def test_shrinking_averages_and_crops_the_centre():
    ramp = np.zeros((6, 12, 1), "uint8")
    ramp[:, 3:9] = np.arange(0, 60, 10)[None, :, None]
    small = pictures.resize(ramp, (2, 2)).numpy()
    np.testing.assert_array_equal(small[..., 0], [[10, 40], [10, 40]])
    checker = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * 255
    flat = pictures.resize(checker.astype("uint8"), (10, 10)).numpy()
    assert abs(flat.astype(float) - 127.5).max() < 10  # nothing aliases


def test_a_folder_of_pictures_has_a_class_for_each_subfolder(tmp_path):
    for index in range(10):
        save(tmp_path, f"cats/{index}.png", np.full((9 + index, 20, 3), 200))
        save(tmp_path, f"dogs/{index}.PNG", np.full((30, 12, 1), 100))
    save(tmp_path, ".thumbnails/0.png", np.zeros((4, 4, 3)))
    splits = images.source(f"folder:{tmp_path}")(4, image_size=8)
    assert splits.sizes["image_shape"] == (8, 8, 3)
    assert splits.sizes.get("num_classes") == 2
    assert splits.train.plan.count == 16
    assert len(splits.held_out["images"]) == len(splits.test["images"]) == 2
    for part in (splits.held_out, splits.test):
        colour = part["images"][:, 0, 0, 0]
        np.testing.assert_array_equal(colour, np.array([200, 100])[part["labels"]])


def test_a_flat_folder_has_no_classes_and_unreadable_files_are_named(tmp_path):
    for index in range(5):
        save(tmp_path, f"{index}.png", np.full((12, 12, 1), 50))
    grey_and_alpha = np.stack([np.full((12, 12), 7), np.zeros((12, 12))], axis=-1)
    save(tmp_path, "clear.png", grey_and_alpha)
    pathlib.Path(tmp_path, "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    pathlib.Path(tmp_path, "empty.gif").write_bytes(b"")
    pathlib.Path(tmp_path, "notes.txt").write_text("not looked at", encoding="utf-8")
    with pytest.warns(UserWarning, match=r"skipped 2 pictures .*broken\.jpg"):
        splits = images.folder(2, path=tmp_path, image_size=8)
    assert splits.sizes.get("num_classes") is None
    assert splits.sizes["image_shape"] == (8, 8, 1)
    assert splits.test is None
    train = next(iter(splits.train.dataset().batch(2)))["images"].numpy() * 255
    both = np.concatenate([np.ravel(train), np.ravel(splits.held_out["images"])])
    assert set(np.round(both)) <= {50.0, 255.0}  # what is transparent is white


def test_jpeg_gif_and_bmp_are_read(tmp_path):
    red = np.zeros((10, 10, 3), "uint8")
    red[..., 0] = 250
    jpeg = tf.io.encode_jpeg(red, quality=100).numpy()
    header = b"BM" + np.array([54 + 320, 0, 54, 40, 10, 10], "<i4").tobytes()
    header += np.array([1, 24], "<i2").tobytes() + np.zeros(6, "<i4").tobytes()
    rows = np.pad(red[..., ::-1].reshape(10, 30), [(0, 0), (0, 2)])
    for index in range(2):
        pathlib.Path(tmp_path, f"{index}.jpeg").write_bytes(jpeg)
        pathlib.Path(tmp_path, f"{index}.bmp").write_bytes(header + rows.tobytes())
    found, labels, classes = pictures.read_folder(tmp_path, (5, 5))
    assert found.shape == (4, 5, 5, 3)
    assert labels is classes is None
    assert abs(found.astype(int) - red[:5, :5]).max() < 6


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, FileNotFoundError, "`path` must be a folder with .png, "),
        ({"a.png": b"?", "b.jpg": b""}, ValueError, "2 unreadable: .*a.png"),
    ],
)
def test_a_folder_without_pictures_is_an_error(tmp_path, files, error, message):
    for name, content in files.items():
        pathlib.Path(tmp_path, name).write_bytes(content)
    with pytest.raises(error, match=message):
        images.folder(2, path=tmp_path)


def test_arrays_become_splits():
    pixels = np.random.default_rng(0).random((50, 6, 7, 3))
    splits = images.arrays(8, images=pixels, labels=np.arange(50) % 2)
    assert splits.sizes["image_shape"] == (6, 7, 3)
    assert splits.sizes.get("num_classes") == 2
    assert np.bincount(splits.test["labels"]).tolist() in ([2, 3], [3, 2])
    assert next(iter(splits.train.dataset()))["images"].shape == (8, 6, 7, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(images=np.zeros((9, 8, 8), "uint8")), r"must be of shape \(N, H, W, C\)"),
        (dict(images=np.zeros((9, 8, 8, 2), "uint8")), "C 1 or 3"),
        (dict(images=np.zeros((0, 8, 8, 1), "uint8")), "none of them 0"),
        (dict(images=np.full((9, 8, 8, 1), 1.5)), r"float in \[0, 1\]. Rec.*to 1.5"),
        (dict(images=np.full((9, 8, 8, 1), np.nan)), "from nan"),
        (dict(images=np.zeros((9, 8, 8, 1), int)), "Received: int64"),
        (dict(labels=[0] * 8), "each of 9 pictures. Received: int64 .8,"),
        (dict(labels=[-1] * 9), "must be one int >= 0"),
        (dict(labels=[0.5] * 9), "Received: float64"),
        (dict(image_size=0), "`image_size` must be an int >= 1, or"),
        (dict(batch_size=9), "`batch_size` must be at most .* 8 pictures of 'arrays'"),
        (dict(images=np.zeros((1, 8, 8, 1), "uint8")), "must be more than 1"),
    ],
)
def test_arrays_that_are_no_pictures_get_one_clear_error(changes, message):
    good = dict(batch_size=2, images=np.zeros((9, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match=message):
        images.arrays(**{**good, **changes})


def test_validation_leaves_few_pictures_out_and_has_one_shape():
    splits = images.digits(128)
    sizes = [len(batch["images"]) for batch in splits.validation.epoch()]
    assert sizes == [90, 90]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("mnst", ValueError, "did you mean 'mnist'"),
        ("tfd:mnist", ValueError, "did you mean 'tfds:...'"),
        ("", ValueError, "`data` must be one of"),
        ("folder:nowhere", FileNotFoundError, "must name a folder that exists"),
    ],
)
def test_an_unknown_source_gets_one_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        images.source(spec)
    assert "\n" not in str(caught.value)


def store(folder, name, rows, features):
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        split_datasets=rows,
        features=tfds.features.FeaturesDict(features),
    )


@pytest.mark.slow
def test_prepared_pictures_of_tensorflow_datasets_are_read_by_name(tmp_path):
    import tensorflow_datasets as tfds

    def row(index, size):
        return {"image": np.full((*size, 3), index, "uint8"), "label": index % 3}

    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(num_classes=3),
    }
    rows = {
        "train": [(str(i), row(i, (8 + i, 8))) for i in range(20)],
        "test": [(str(i), row(i, (8, 9))) for i in range(100, 104)],
    }
    store(tmp_path, "little_pictures", rows, features)
    with pytest.raises(ValueError, match="`image_size` must be given for 'little_p"):
        images.tfds(2, data_dir=tmp_path, name="little_pictures")
    source = functools.partial(images.source("tfds:little_pictures"), image_size=6)
    splits = source(2, data_dir=tmp_path)
    assert splits.name == "little_pictures"
    assert splits.sizes["image_shape"] == (6, 6, 3)
    assert splits.sizes.get("num_classes") == 3
    assert splits.train.plan.count == 18  # the last tenth validates
    assert [len(splits.held_out["images"]), len(splits.test["images"])] == [2, 4]
    np.testing.assert_array_equal(
        splits.test["images"][:, 0, 0, 0] % 3, splits.test["labels"]
    )
    whole = source(2, data_dir=tmp_path, validation=0)
    assert whole.train.plan.count == 20
    np.testing.assert_array_equal(whole.held_out["images"], whole.test["images"])
    few = source(2, data_dir=tmp_path, limit=10)
    assert few.train.plan.count == 9
    with pytest.raises(ValueError, match="`validation` must be between 1 and 19"):
        source(2, data_dir=tmp_path, validation=20)


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(FileNotFoundError, match=r"`data_dir` has no.*'mnist'") as found:
        images.mnist(2, data_dir=tmp_path)
    assert "\n" not in str(found.value)
    with pytest.raises(ValueError, match="must be a data set of TensorFlow Datasets"):
        images.tfds(2, name="no_such_pictures", data_dir=tmp_path)


def test_a_loader_of_objects_is_transformed_too():
    rows = [np.array([index]) for index in range(10)]
    loader = DataLoader(rows, 5, transform=lambda batch, seed: (batch, seed))
    found = list(loader.dataset(3).take(2))
    assert [seed.numpy().tolist() for _, seed in found] == [[0, 3], [0, 4]]
