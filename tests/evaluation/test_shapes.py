"""Distances of objects of points, and what can be counted and measured on furniture."""

import numpy as np
import pytest

from keras_genai.data.furniture import designs, pieces
from keras_genai.evaluation import furniture, shapes
from keras_genai.evaluation.shapes import chamfer_distances, shape_scores

DRAWS = np.random.default_rng(0)


def test_distances_are_those_of_the_definition(monkeypatch):
    first, second = DRAWS.random((5, 7, 3)), DRAWS.random((4, 9, 3))
    squares = np.square(first[:, None, :, None] - second[None, :, None]).sum(axis=-1)
    expected = squares.min(axis=3).mean(axis=2) + squares.min(axis=2).mean(axis=2)
    for most in (2**24, 1, 3 * 7 * 9):  # all at once, one by one, some
        monkeypatch.setattr(shapes, "_MOST", most)
        found = chamfer_distances(first, second)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    shuffled = first[:, DRAWS.permutation(7)]
    np.testing.assert_allclose(chamfer_distances(shuffled, second), expected, rtol=1e-5)
    assert np.abs(np.diag(chamfer_distances(first, first))).max() == 0


def test_small_distances_far_from_the_middle_are_not_lost():
    objects = np.ones((1, 4, 3), "float32")
    moved = objects + np.float32(1e-4)
    assert chamfer_distances(objects, moved)[0, 0] == pytest.approx(6e-8, rel=1e-2)


def boxes(count, seed):
    """Points in boxes of random sides."""
    draws = np.random.default_rng(seed)
    return draws.random((count, 64, 3)) * draws.uniform(0.2, 1, (count, 1, 3))


def test_scores_tell_copies_fakes_and_a_single_object_apart():
    real = boxes(40, 0)
    same, other = shape_scores(boxes(40, 1), real), shape_scores(boxes(40, 1) + 1, real)
    assert 0.3 < same["nearest_neighbour_accuracy"] < 0.7
    assert same["coverage"] > 0.4
    assert other["nearest_neighbour_accuracy"] == 1
    assert other["minimum_distance"] > 20 * same["minimum_distance"]
    alone = shape_scores(np.repeat(real[:1], 40, axis=0), real)
    assert alone["coverage"] == 1 / 40
    assert alone["nearest_neighbour_accuracy"] > 0.9
    copies = shape_scores(real, real, chamfer_distances(real, real))
    assert copies["minimum_distance"] == 0
    assert copies["coverage"] == 1


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.zeros((2, 3)), boxes(2, 0), r"`made` must be of shape \(N, P, 3\)"),
        (boxes(2, 0), boxes(2, 0)[..., :2], "`real` must be of shape"),
        (boxes(2, 0)[:, :0], boxes(2, 0), "`made` must be of shape"),
        (boxes(1, 0), boxes(2, 0), "`made` must be at least 2 objects. Received: 1"),
    ],
)
def test_what_are_no_objects_is_refused(first, second, said):
    with pytest.raises(ValueError, match=said):
        shape_scores(first, second)


@pytest.fixture(scope="module")
def real():
    """Four pieces of every design, and the designs."""
    places = np.repeat(np.arange(len(designs())), 4)
    return pieces(places, seed=11), [designs()[place] for place in places]


def test_legs_and_boards_of_real_pieces_are_counted(real):
    points, asked = real
    counts = np.array([each.count for each in asked])
    shelves = np.array([each.kind == "shelf" for each in asked])
    assert (furniture.count_legs(points[~shelves]) == counts[~shelves]).mean() >= 0.98
    assert (furniture.count_boards(points[shelves]) == counts[shelves]).mean() >= 0.98


def test_a_few_points_that_lie_about_are_no_leg(real):
    points, asked = real
    place = next(n for n, each in enumerate(asked) if each.kind == "table")
    table = points[place]
    assert furniture.count_legs(table[None]) == asked[place].count
    stray = np.array([[0.02, 0.02, 0.05], [0.98, 0.02, 0.03], [0.02, 0.98, 0.01]])
    with_stray = np.concatenate([table, stray])
    assert furniture.count_legs(with_stray[None]) == asked[place].count
    leg = stray[0] + 0.01 * DRAWS.random((4, 3))
    with_leg = np.concatenate([table, leg])
    assert furniture.count_legs(with_leg[None]) == asked[place].count + 1


def test_nothing_is_counted_where_nothing_is():
    flat = np.tile(np.array([[0.5, 0.5, 0.5]]), (2, 9, 1))
    assert furniture.count_legs(flat).tolist() == [1, 1]
    assert furniture.count_boards(flat).shape == (2,)
    low = flat * [1, 1, 0]
    assert furniture.seat_heights(low).tolist() == [0, 0]
    assert not furniture.are_round(low, [0.9, 0.9]).any()


def test_heights_are_those_of_seats_and_of_all():
    cube = DRAWS.random((1, 500, 3))
    seat = cube * [1, 1, 0.02] + [0, 0, 0.4]
    post = cube * [0.1, 0.1, 0.9] + [0.45, 0.45, 0]
    points = np.concatenate([seat, post], axis=1)
    assert furniture.seat_heights(points)[0] == pytest.approx(0.41, abs=0.01)
    assert furniture.whole_heights(points)[0] == pytest.approx(0.9, abs=0.03)


def test_a_disc_is_round_and_a_square_is_not():
    angle, radius = DRAWS.random((2, 400))
    angle, radius = 2 * np.pi * angle, 0.4 * np.sqrt(radius)
    disc = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], axis=1)
    square = DRAWS.uniform(-0.4, 0.4, (400, 3)) * [1, 1, 0]
    found = furniture.are_round(np.stack([disc, square]) + 0.5, [0.5, 0.5])
    assert found.tolist() == [True, False]
