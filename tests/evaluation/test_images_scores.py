import dataclasses
import hashlib
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data import images, video
from keras_genai.data.damage import Shrink
from keras_genai.evaluation import images as distances
from keras_genai.evaluation import restoration
from keras_genai.evaluation.classifier import Frames, Inception, fit_classifier
from keras_genai.modalities import grids
from zoo import _images

DRAWS = np.random.default_rng(0)


def gaussian(count, mean, root):
    """Samples whose mean is exactly `mean` and covariance exactly `root @ root.T`."""
    draws = DRAWS.normal(size=(count, len(mean)))
    draws -= draws.mean(axis=0)
    whitening = np.linalg.inv(np.linalg.cholesky(np.cov(draws, rowvar=False)))
    return draws @ whitening.T @ np.transpose(root) + mean


class Pixels:
    """An extractor whose features are the pixels."""

    name = "pixels"

    def features(self, images):
        scale = 255 if images.dtype == np.uint8 else 1
        return images.reshape(len(images), -1) / scale


class Painter:
    """A conditional model that paints real training digits, half of them wrongly."""

    num_classes = 10

    def __init__(self, splits, wrong=False):
        batches = list(splits.train.epoch())
        self.images = np.concatenate([batch["images"] for batch in batches])
        self.labels = np.concatenate([batch["labels"] for batch in batches])
        self.wrong = wrong

    def generate(self, count=16, labels=None, seed=0):
        draws = np.random.default_rng(seed)
        labels = np.where(np.arange(count) % 2, (labels + 2 * self.wrong) % 10, labels)
        index = [draws.choice(np.flatnonzero(self.labels == one)) for one in labels]
        return self.images[index]


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    first = gaussian(500, [0, 1, 2], np.diag([1.0, 2, 3]))
    second = gaussian(400, [1, 1, 0], np.diag([2.0, 2, 1]))
    # Diagonal covariances: the deviations' distance, squared.
    wanted = (1 + 0 + 4) + (1 + 0 + 4)
    assert math.isclose(distances.frechet_distance(first, second), wanted, rel_tol=1e-9)
    turn = np.linalg.qr(DRAWS.normal(size=(3, 3)))[0]
    turned = distances.frechet_distance(first @ turn, second @ turn)
    assert math.isclose(turned, wanted, rel_tol=1e-9)
    assert distances.frechet_distance(first, first) < 1e-9


def test_the_frechet_distance_agrees_with_the_matrix_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    first, second = DRAWS.normal(size=(60, 8)), DRAWS.gamma(2.0, size=(50, 8))
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(axis=0) - second.mean(axis=0)
    wanted = gap @ gap + np.trace(one + two - 2 * linalg.sqrtm(one @ two).real)
    assert math.isclose(distances.frechet_distance(first, second), wanted, rel_tol=1e-7)


def test_fewer_samples_than_features_are_no_trouble():
    first, second = DRAWS.normal(size=(10, 64)), DRAWS.normal(size=(12, 64))
    assert 0 < distances.frechet_distance(first, second) < np.inf


def test_the_kernel_distance_is_zero_on_average_for_one_distribution():
    found = [
        distances.kernel_distance(*DRAWS.normal(size=(2, 40, 4))) for _ in range(400)
    ]
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert min(found) < 0 < max(found)
    moved = distances.kernel_distance(
        DRAWS.normal(size=(300, 4)), DRAWS.normal(size=(300, 4)) + 1
    )
    assert moved > 100 * error


def test_the_kernel_distance_is_the_mean_over_pairs():
    first, second = DRAWS.normal(size=(4, 3)), DRAWS.normal(size=(5, 3))

    def mean(a, b, skip):
        pairs = [(x, y) for x in range(len(a)) for y in range(len(b))]
        kept = [(x, y) for x, y in pairs if not (skip and x == y)]
        return np.mean([(a[x] @ b[y] / 3 + 1) ** 3 for x, y in kept])

    wanted = mean(first, first, True) + mean(second, second, True)
    wanted -= 2 * mean(first, second, False)
    assert math.isclose(distances.kernel_distance(first, second), wanted, rel_tol=1e-9)


def test_precision_and_recall_of_equal_and_of_disjoint_sets():
    real = DRAWS.normal(size=(700, 5))
    assert distances.precision_recall(real, real) == (1, 1)
    assert distances.precision_recall(real, real + 100) == (0, 0)
    one_spot = real[:1] + 1e-3 * DRAWS.normal(size=(700, 5))
    precision, recall = distances.precision_recall(real, one_spot)
    assert precision == 1
    assert recall < 0.05


def test_a_fake_is_precise_within_the_distance_to_the_third_neighbour():
    real = np.arange(10.0)[:, None]
    fake = np.array([[12.0], [12.5], [-3.0], [-3.5]])  # the ends reach 3 out
    assert distances.precision_recall(real, fake)[0] == 0.5


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((5, 2)), np.zeros((5, 3)), "must be of shapes"),
        (np.zeros((1, 2)), np.zeros((5, 2)), "at least 2"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "must be finite"),
        (np.zeros((3, 2)), np.zeros((5, 2)), "`neighbours` must be"),
    ],
)
def test_features_that_do_not_fit_are_an_error(first, second, message):
    with pytest.raises(ValueError, match=message):
        distances.precision_recall(first, second)


def test_class_entropy_is_the_logarithm_of_the_number_of_classes_at_most():
    assert math.isclose(distances.class_entropy(np.arange(40) % 8, 8), math.log(8))
    assert distances.class_entropy(np.zeros(9, int), 8) == 0


def test_a_score_has_the_floor_beside_it_and_the_extractor_in_its_name():
    splits = images.digits(64)
    real = _images.held_out(splits)
    fake = images.digits(100).train.epoch()
    figures = distances.score(Pixels(), real, next(iter(fake))["images"].numpy())
    assert figures["pictures"] == 100
    floor = figures["frechet_floor_pixels"]
    assert 0.5 * floor < figures["frechet_distance_pixels"] < 2 * floor
    noise = DRAWS.random((100, 8, 8, 1))
    bad = distances.score(Pixels(), real, noise)
    assert bad["frechet_floor_pixels"] == floor
    assert bad["frechet_distance_pixels"] > 10 * floor
    assert bad["precision_pixels"] == 0
    assert bad["kernel_distance_pixels"] > 10 * abs(bad["kernel_floor_pixels"])
    assert not any("fid" in name for name in bad)


@pytest.mark.slow
def test_a_small_classifier_reads_digits_and_scores_a_model():
    splits = images.digits(64)
    classifier = _images.train_classifier(splits, steps=300)
    painter = Painter(splits, wrong=True)
    figures = _images.score(painter, splits, 120, classifier=classifier)
    assert figures["classifier_accuracy"] > 0.95
    assert 0.46 < figures["label_accuracy"] < 0.54
    floor = figures["frechet_floor_cnn_v1"]
    assert figures["frechet_distance_cnn_v1"] < 2 * floor
    assert figures["pictures"] == 120


@pytest.mark.slow
def test_the_classifier_is_a_function_of_its_seed():
    arrays = images.digits(64).test
    data = (arrays["images"], arrays["labels"]) * 2
    one, two = (fit_classifier(*data, seed=3, steps=4) for _ in range(2))
    np.testing.assert_array_equal(
        one.features(arrays["images"]), two.features(arrays["images"])
    )
    assert one.features(arrays["images"]).shape == (360, 128)
    assert one.model.dtype_policy.name == "float32"


@pytest.mark.slow
def test_pictures_without_classes_are_scored_by_their_turns():
    splits = images.digits(64)
    splits = dataclasses.replace(splits, kinds=(splits.kind("images"),))
    classifier = _images.train_classifier(splits, steps=60)
    assert classifier.name == "turns_v1"
    assert classifier.num_classes == 4
    assert classifier.accuracy > 0.4  # chance is 0.25


@pytest.mark.slow
def test_videos_are_scored_by_their_frames():
    splits = video.moving_digits(64, frames=3, stand_in=True)
    classifier = _images.train_classifier(splits, steps=2)
    frames = Frames(classifier)
    videos = splits.test["images"]
    found = frames.features(videos)
    assert found.shape == (16, 256)
    still = np.repeat(videos[:, :1], 3, axis=1)
    assert frames.features(still)[:, 128:].max() < 1e-5
    assert frames.classify(videos).shape == (16,)
    assert distances.score(frames, _images.held_out(splits), videos)["pictures"] == 16


def test_inception_wants_the_file_that_was_named(tmp_path):
    path = tmp_path / "weights.h5"
    with pytest.raises(FileNotFoundError, match="`path` must be a file"):
        Inception(path, "0" * 64)
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(ValueError, match=f"must be that of weights.h5, {digest}"):
        Inception(path, "0" * 64)


@pytest.mark.parametrize(
    ("num_classes", "count", "shape"),
    [(10, 64, (10, 10)), (2, 64, (8, 8)), (3, 64, (6, 6)), (100, 64, (8, 8))],
)
def test_every_row_of_a_sheet_is_of_one_class(num_classes, count, shape):
    labels = _images.sheet_labels(num_classes, count).reshape(shape)
    assert (labels == labels[:, :1]).all()
    assert labels.max() == min(num_classes, shape[0]) - 1
    assert (np.bincount(labels[:, 0]) == shape[0] // (labels.max() + 1)).all()


def test_drawing_asks_for_every_class():
    splits = images.digits(64)
    found = _images.draw(Painter(splits), seed=0, count=64)
    assert found.shape == (100, 8, 8, 1)
    drawn, labels = _images.generate(Painter(splits), 250)
    assert drawn.shape == (250, 8, 8, 1)
    np.testing.assert_array_equal(labels, np.arange(250) % 10)


def test_a_grid_shows_every_picture_enlarged():
    found = grids.grid(np.arange(6, dtype="uint8")[:, None, None, None] * 40, 3, 4)
    assert found.shape == (11, 16, 1)
    inside = found[1:-1, 1:-1, 0]
    np.testing.assert_array_equal(inside[0, ::5], [0, 40, 80])
    np.testing.assert_array_equal(inside[5:, 10:14], 200)
    assert found[0].max() == found[0].min() == 128  # the gap
    assert max(grids.grid(np.zeros((64, 8, 8, 3))).shape) <= 520


def test_videos_are_rows_of_frames():
    frames = np.linspace(0, 1, 8).reshape(2, 4, 1, 1, 1)
    found = grids.grid(frames, enlarge=1, gap=0)
    np.testing.assert_array_equal(found[..., 0], np.round(frames[..., 0, 0, 0] * 255))


@pytest.mark.parametrize("shape", [(9, 9, 1), (4, 9, 9, 3), (2, 3, 9, 9, 1)])
def test_a_png_holds_the_picture(shape):
    picture = DRAWS.random(shape)
    decoded = tf.io.decode_png(grids.png(picture)).numpy()
    whole = grids.as_bytes(picture) if len(shape) == 3 else grids.grid(picture)
    np.testing.assert_array_equal(decoded, whole)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 8, 8)), "must be of shape"),
        (np.zeros((0, 8, 8, 1)), "must be of shape"),
        (np.full((2, 8, 8, 1), np.nan), "must be finite"),
    ],
)
def test_what_is_no_picture_is_not_drawn(bad, message):
    with pytest.raises(ValueError, match=message):
        grids.grid(bad)


def test_psnr_of_a_known_error():
    truth = np.full((3, 16, 16, 3), 0.2)
    error = 51 / 255
    wanted = -20 * math.log10(error)
    assert math.isclose(wanted, restoration.psnr(truth + error, truth), rel_tol=1e-5)
    assert restoration.psnr(truth, truth) > 50
    assert math.isclose(restoration.ssim(truth, truth), 1, rel_tol=1e-6)


def test_a_median_removes_single_wrong_pixels():
    flat = np.full((1, 9, 9, 1), 0.5, "float32")
    spotted = flat.copy()
    spotted[0, 4, 4] = 1
    spotted[0, 0, 0] = 0
    np.testing.assert_array_equal(restoration.median_filter(spotted), flat)


def test_restoration_is_compared_with_the_best_baseline():
    splits = images.photographs(8, condition=Shrink(4), stand_in=True)

    def restore(condition, seed):
        small = condition[:, ::4, ::4]
        return restoration.bicubic(small, 4)

    figures = _images.score_restoration(restore, splits, factor=4)
    assert math.isclose(figures["psnr"], figures["psnr_bicubic"], rel_tol=1e-4)
    assert abs(figures["psnr_gain"]) < 1e-3
    assert figures["psnr_bicubic"] > figures["psnr_copy"] + 0.3
    assert figures["ssim"] > figures["ssim_copy"]
    with pytest.raises(ValueError, match="must have one shape"):
        restoration.restoration_scores(*[np.zeros((2, n, 8, 1)) for n in (8, 8, 9)])
