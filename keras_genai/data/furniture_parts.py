"""How furniture is made: boxes and cylinders, and points on all that is their surface.

Everything is drawn by stateless operations, many pieces at once. Lengths are in sides
of the unit cube: right, back and up, with the floor at 0.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

MOST_LEGS = 6
_SLOTS = 12  # parts of a piece, at most
_DRAWS = 16  # sizes of a piece
_TABLE, _STOOL, _CHAIR, _BENCH, _SHELF, _LAMP = range(6)  # kinds
_ROUND, _SQUARE, _LONG = 1, 2, 3  # shapes
# Of each kind, and of a long table: half the width; half the depth, or 0 where it is
# as deep as wide; where the top is of what is low, and of what is tall; half a leg.
_SIZES = np.array(
    [
        [(0.26, 0.42), (0, 0), (0.28, 0.38), (0.56, 0.76), (0.016, 0.026)],
        [(0.17, 0.23), (0, 0), (0.26, 0.34), (0.48, 0.62), (0.012, 0.020)],
        [(0.17, 0.23), (0, 0), (0.25, 0.30), (0.38, 0.46), (0.012, 0.020)],
        [(0.34, 0.46), (0.11, 0.16), (0.25, 0.30), (0.38, 0.46), (0.014, 0.022)],
        [(0.38, 0.46), (0.17, 0.24), (0.28, 0.38), (0.56, 0.76), (0.016, 0.026)],
    ],
    "float32",
)
_COLUMN = 2.5  # times as thick is a leg that stands alone


class Parts(NamedTuple):
    """The parts of pieces; K of each.

    Attributes:
        centre: float `(B, K, 3)`.
        half: float `(B, K, 3)`: half of each side; of a cylinder, radii and half the
            height.
        lean: float `(B, K, 2)`: how far the top is from above the bottom.
        is_round: bool `(B, K)`: cylinders.
        is_open: bool `(B, K)`: without bottom and top.
        exists: bool `(B, K)`.
    """

    centre: Any
    half: Any
    lean: Any
    is_round: Any
    is_open: Any
    exists: Any


def assemble(design, points, seed):
    """Points on pieces of furniture of random sizes.

    Of a part's surface, all is as likely. Parts have points by the square root of their
    surface, so that thin legs are not bare beside wide tops.

    Args:
        design: dict of tensors `(B,)`: `kind`, `shape`, `count`, int32; `back`, `arms`,
            `tall`, bool; see `keras_genai.data.furniture.Design`.
        points: int, P.
        seed: int64 `(2,)`.

    Returns:
        float32 `(B, P, 3)` in [0, 1].
    """
    own = tf.random.split(seed, 2)
    sizes = tf.random.stateless_uniform((tf.shape(design["kind"])[0], _DRAWS), own[0])
    draws = list(tf.unstack(sizes, axis=1))
    kind = design["kind"][:, None]
    made = [make(design, draws) for make in (_standing, _shelf, _lamp)]
    chosen = tf.nest.map_structure(
        lambda standing, shelf, lamp: _where(
            kind == _SHELF, shelf, _where(kind == _LAMP, lamp, standing)
        ),
        *made,
    )
    return tf.clip_by_value(_on_surfaces(chosen, points, own[1]), 0, 1)


def _where(condition, first, second):
    """`tf.where` for `(B, 1)` and `(B, K)` or `(B, K, C)`."""
    if first.shape.rank == 3:
        condition = condition[..., None]
    return tf.where(condition, first, second)


def _between(draw, low, high):
    return low + draw * (high - low)


def _part(across, back, up, half, exists=True, is_round=False, is_open=False, lean=0.0):
    """One part of every piece.

    Args:
        across, back, up: float `(B,)`, its centre; across and back from the middle.
        half: three float `(B,)`.
        exists, is_round, is_open: bool, or bool `(B,)`.
        lean: float `(B,)`, how far the top is further back.
    """
    like = up * 0.0
    flags = [tf.logical_and(like == 0, each) for each in (is_round, is_open, exists)]
    columns = [0.5 + across + like, 0.5 + back + like, up]
    whole = Parts(
        tf.stack(columns, axis=-1),
        tf.stack([each + like for each in half], axis=-1),
        tf.stack([like, lean + like], axis=-1),
        *flags,
    )
    return tf.nest.map_structure(lambda each: each[:, None], whole)


def _joined(*parts):
    """`Parts` of several, filled up with some that do not exist."""
    whole = tf.nest.map_structure(lambda *each: tf.concat(each, axis=1), *parts)
    missing = _SLOTS - whole.exists.shape[1]

    def filled(each):
        return tf.pad(each, [[0, 0], [0, missing], [0, 0]][: len(each.shape)])

    return tf.nest.map_structure(filled, whole)


def _legs(foot, head, half, height, count, is_round):
    """The legs of pieces.

    Args:
        foot, head: float `(B, 6, 2)`, where they begin and end, from the middle.
        half: float `(B,)`, of their thickness.
        height: float `(B,)`.
        count: int `(B,)`.
        is_round: bool `(B,)`.
    """
    up = tf.repeat(height[:, None, None] / 2, MOST_LEGS, axis=1)
    thick = tf.repeat(half[:, None, None], MOST_LEGS, axis=1)
    flags = tf.repeat(is_round[:, None], MOST_LEGS, axis=1)
    return Parts(
        tf.concat([0.5 + (foot + head) / 2, up], axis=-1),
        tf.concat([thick, thick, up], axis=-1),
        head - foot,
        flags,
        tf.zeros_like(flags),
        tf.range(MOST_LEGS) < count[:, None],
    )


def _ring(count, turn, is_square):
    """float `(B, 6, 2)`: places around the middle, on the unit circle or square.

    Four stand on the diagonals. A single one stands in the middle.
    """
    number = tf.range(MOST_LEGS, dtype="float32")
    angle = 2 * math.pi * (number + 0.5) / tf.cast(count, "float32")[:, None]
    angle += turn[:, None] - math.pi / 2
    place = tf.stack([tf.cos(angle), tf.sin(angle)], axis=-1)
    edge = place / tf.reduce_max(tf.abs(place), axis=-1, keepdims=True)
    place = tf.where(is_square[:, None, None], edge, place)
    return tf.where((count == 1)[:, None, None], 0.0, place)


def _pairs(count):
    """float `(B, 6, 2)`: places in two rows, on the unit square."""
    number = tf.range(MOST_LEGS)
    steps = tf.cast(count // 2 - 1, "float32")[:, None]
    across = 2 * tf.cast(number // 2, "float32") / tf.maximum(steps, 1) - 1
    back = tf.ones_like(across) * (2 * tf.cast(number % 2, "float32") - 1)
    return tf.stack([across, back], axis=-1)


def _standing(design, draws):
    """Tables, stools, chairs and benches."""
    kind, shape, count = design["kind"], design["shape"], design["count"]
    row = tf.where(shape == _LONG, len(_SIZES) - 1, tf.minimum(kind, _BENCH))
    sizes = tf.gather(_SIZES, row)  # (B, 5, 2)
    width, depth, low, tall, leg = (
        _between(draw, *tf.unstack(sizes[:, column], axis=-1))
        for draw, column in zip(
            [draws[0], draws[1], draws[2], draws[2], draws[3]], range(5), strict=True
        )
    )
    depth = tf.where(depth == 0, width, depth)
    height = tf.where(design["tall"], tall, low)
    thick = _between(draws[4], 0.012, 0.024)  # half of the top
    leg = tf.where(count == 1, _COLUMN * leg, leg)
    is_round = shape == _ROUND
    paired = (shape == _LONG) | (kind == _BENCH)

    turn = tf.where(is_round & (kind != _CHAIR), _between(draws[5], -0.15, 0.15), 0.0)
    place = tf.where(
        paired[:, None, None], _pairs(count), _ring(count, turn, ~is_round)
    )
    reach = tf.stack([width, depth], axis=-1) - leg[:, None]
    foot = place * (reach * _between(draws[6], 0.86, 1.0)[:, None])[:, None]
    head = foot * (1 - _between(draws[7], 0.0, 0.25))[:, None, None]
    top_of_leg = height - 2 * thick
    legs = _legs(foot, head, leg, top_of_leg, count, draws[8] < 0.5)
    top = _part(0.0, 0.0, height - thick, (width, depth, thick), is_round=is_round)

    rise = _between(draws[9], 0.28, 0.40)
    board = _between(draws[10], 0.012, 0.02)
    lean = _between(draws[11], 0.0, 0.06)
    back = _part(
        0.0,
        depth - board + lean / 2,
        height + rise / 2,
        (width * _between(draws[12], 0.85, 1.0), board, rise / 2),
        design["back"],
        lean=lean,
    )
    arm = _between(draws[13], 0.012, 0.018)
    above = _between(draws[14], 0.12, 0.18)
    front = -0.6 * depth
    rests = [
        part
        for side in (-1.0, 1.0)
        for part in (
            _part(
                side * (width - arm),
                (depth + front) / 2,
                height + above,
                (arm, (depth - front) / 2, arm),
                design["arms"],
            ),
            _part(
                side * (width - arm),
                front + arm,
                height + above / 2,
                (arm, arm, above / 2),
                design["arms"],
            ),
        )
    ]
    return _joined(legs, top, back, *rests)


def _shelf(design, draws):
    """Boards between two sides, some with a back."""
    width = _between(draws[0], 0.22, 0.42)
    depth = _between(draws[1], 0.10, 0.17)
    low, tall = _between(draws[2], 0.40, 0.54), _between(draws[2], 0.74, 0.94)
    height = tf.where(design["tall"], tall, low)
    board, side = _between(draws[3], 0.008, 0.012), _between(draws[4], 0.008, 0.014)
    lowest = board + _between(draws[5], 0.02, 0.05)
    steps = tf.cast(design["count"] - 1, "float32")
    boards = [
        _part(
            0.0,
            0.0,
            lowest + (height - board - lowest) * number / steps,
            (width, depth, board),
            number < design["count"],
        )
        for number in range(5)
    ]
    sides = [
        _part(where * (width + side), 0.0, height / 2, (side, depth, height / 2))
        for where in (-1.0, 1.0)
    ]
    back = _part(
        0.0, depth + side, height / 2, (width, side, height / 2), design["back"]
    )
    return _joined(*boards, *sides, back)


def _lamp(design, draws):
    """A shade on a pole; it stands on leaning legs, or on a disc: one leg."""
    count, is_round = design["count"], design["shape"] == _ROUND
    low, tall = _between(draws[0], 0.52, 0.64), _between(draws[0], 0.80, 0.96)
    height = tf.where(design["tall"], tall, low)
    shade = _between(draws[1], 0.12, 0.20)
    rise = _between(draws[2], 0.12, 0.18)
    pole = _between(draws[3], 0.010, 0.014)
    leg = _between(draws[4], 0.010, 0.016)
    alone = count == 1
    reach = _between(draws[5], 0.17, 0.23)
    foot = reach[:, None, None] * _ring(count, 0 * reach, tf.zeros_like(alone))
    joint = _between(draws[6], 0.27, 0.32)
    legs = _legs(foot, 0.12 * foot, leg, joint, tf.where(alone, 0, count), ~alone)
    disc = _between(draws[7], 0.10, 0.15)
    base = _part(0.0, 0.0, 0.012 + 0 * disc, (disc, disc, 0.012), alone, is_round=True)
    begin = tf.where(alone, 0.024, joint - 0.02)
    stem = _part(
        0.0,
        0.0,
        (begin + height) / 2,
        (pole, pole, (height - begin) / 2),
        is_round=True,
    )
    cover = _part(
        0.0,
        0.0,
        height - rise / 2,
        (shade, shade, rise / 2),
        is_round=is_round,
        is_open=True,
    )
    return _joined(legs, base, stem, cover)


def _on_surfaces(parts, points, seed):
    """float32 `(B, P, 3)`: points drawn on the surfaces of `Parts`."""
    across, back, up = tf.unstack(parts.half, axis=-1)  # (B, K)
    caps = tf.where(parts.is_round, 2 * math.pi, 8.0) * across * back
    caps = tf.where(parts.is_open, 0.0, caps)
    flat = 8 * (back + across) * up
    sides = tf.where(parts.is_round, 4 * math.pi * across * up, flat)
    weight = tf.where(parts.exists, tf.sqrt(caps + sides), 0.0)
    until = tf.cumsum(weight, axis=1)
    until /= until[:, -1:]

    shape = (6, tf.shape(across)[0], points)
    draws = tf.unstack(tf.random.stateless_uniform(shape, seed))
    place = tf.reduce_sum(tf.cast(draws[0][..., None] >= until[:, None], "int32"), -1)
    place = tf.minimum(place, _SLOTS - 1)

    def of(values):
        return tf.gather(values, place, batch_dims=1)

    on_cap = draws[1] < of(caps / (caps + sides + 1e-9))
    sign = tf.where(draws[2] < 0.5, -1.0, 1.0)
    first, second = 2 * draws[3] - 1, 2 * draws[4] - 1  # in the unit square
    angle = math.pi * first
    wave = tf.stack([tf.cos(angle), tf.sin(angle)], axis=-1)
    disc = tf.sqrt(draws[4])[..., None] * wave
    facing = draws[5] < of(back / (across + back + 1e-9))  # to the left or right
    edge = tf.stack(
        [tf.where(facing, sign, first), tf.where(facing, first, sign)], axis=-1
    )
    is_round = of(parts.is_round)[..., None]
    around = tf.where(is_round, wave, edge)
    inside = tf.where(is_round, disc, tf.stack([first, second], axis=-1))
    high = tf.where(on_cap, sign, second)[..., None]
    flat = tf.where(on_cap[..., None], inside, around)
    half = of(parts.half)
    moved = flat * half[..., :2] + of(parts.lean) * high / 2
    return of(parts.centre) + tf.concat([moved, high * half[..., 2:]], axis=-1)
