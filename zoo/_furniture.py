"""What entries that make furniture by captions have in common."""

import numpy as np

from keras_genai.data import furniture
from keras_genai.evaluation import furniture as reading
from keras_genai.evaluation.shapes import chamfer_distances, shape_scores

CHUNK = 64  # pieces generated at once
COMPARED = 96  # pieces whose distances are computed
ANEW = 7  # seed of the real pieces that the floors are of
TOP = 0.024  # from the highest point to the middle of a top
MIDDLE = {  # between what is low and what is tall
    **{"table": 0.45, "stool": 0.39, "chair": 0.32, "bench": 0.32},
    **{"shelf": 0.64, "lamp": 0.72},
}
SHOWN = (
    "a round table with three legs",
    "a tall square table with five legs",  # never trains, as the next two
    "a low round stool with four legs",
    "a low square chair with three legs, a back and arms",
    "a chair with four legs and a back",
    "a bench with six legs and a back",
    "a tall shelf with five boards",
    "a tall lamp with three legs and a round shade",
)


def score(model, splits, seed=0, **options):
    """Whether furniture is as its captions say, of designs that never train.

    A piece is made for each caption of the test data. Legs and boards are counted, and
    shapes and heights measured, by the rules of `keras_genai.evaluation.furniture`.

    Args:
        model: object with `generate(count, prompts=, seed=)`.
        splits: `Splits` of `keras_genai.data.furniture`.
        seed: int, of the pieces and of the shuffled captions.
        **options: of `generate`.

    Returns:
        dict of str to float. `legs_right`, the share of pieces on as many legs as their
        captions say, shelves apart; `legs_right_floor`, that of the real pieces, and
        `legs_right_shuffled`, of the made ones beside captions of others of their kind;
        `legs_right_new_design`, of those designs that train neither low nor tall. The
        same, with its floor, of `boards_right` (shelves), `shapes_right` (round or
        square) and `heights_right` (low or tall). Of 96 of all: `minimum_distance`,
        `coverage` and `nearest_neighbour_accuracy`, see `shape_scores`, and their
        floors: of real pieces of the same captions, made anew.
    """
    test = splits.test
    made = _made(model, test["captions"].tolist(), seed, options)
    asked = [furniture.designs()[place] for place in test["designs"]]
    random = np.random.default_rng(seed)
    legs = np.array([each.kind != "shelf" for each in asked])
    new = np.array([each.is_new for each in asked])
    right, floor = (_legs_right(each, asked) for each in (made, test["points"]))
    shuffled = _legs_right(made, _shuffled(asked, random))
    figures = {
        "legs_right": _mean(right[legs]),
        "legs_right_floor": _mean(floor[legs]),
        "legs_right_shuffled": _mean(shuffled[legs]),
        "legs_right_new_design": _mean(right[legs & new]),
        "legs_right_new_design_floor": _mean(floor[legs & new]),
    }
    for name, rule in RULES.items():
        for suffix, pieces in (("", made), ("_floor", test["points"])):
            figures[f"{name}{suffix}"] = rule(pieces, asked)
    count = splits.kinds[0].count
    anew = furniture.pieces(test["designs"], count, ANEW)
    some = random.permutation(len(made))[:COMPARED]
    figures |= _distances(made[some], test["points"][some], anew[some])
    return {**figures, "pieces": float(len(made))}


def draw(model, seed, count=32, prompts=SHOWN, **options):
    """Furniture of captions, as many of each one after the other.

    Args:
        model: `Diffusion` of `Points` given `Text`.
        seed: int.
        count: int.
        prompts: sequence of str.
        **options: of `generate`.

    Returns:
        float32 `(count, P, 3)` in [0, 1].
    """
    places = np.arange(count) * len(prompts) // count
    prompts = [prompts[place] for place in places]
    return model.generate(count, prompts=prompts, seed=seed, **options)


def _made(model, captions, seed, options):
    """float32 `(N, P, 3)`: a piece of each caption, some at a time."""
    made = []
    for number, first in enumerate(range(0, len(captions), CHUNK)):
        prompts = captions[first : first + CHUNK]
        own = dict(options, seed=seed + number)
        made.append(model.generate(len(prompts), prompts=prompts, **own))
    return np.concatenate(made)


def _shuffled(asked, random):
    """The designs of others, each of one of its own kind."""
    kinds, found = np.array([each.kind for each in asked]), list(asked)
    for kind in {*kinds.tolist()}:
        places = np.flatnonzero(kinds == kind)
        for place, other in zip(places, random.permutation(places), strict=True):
            found[place] = asked[other]
    return found


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")


def _legs_right(pieces, asked):
    return reading.count_legs(pieces) == [each.count for each in asked]


def _boards_right(pieces, asked):
    wanted = np.array([each.kind == "shelf" for each in asked])
    counts = np.array([each.count for each in asked])
    return _mean(reading.count_boards(pieces[wanted]) == counts[wanted])


def _shapes_right(pieces, asked):
    wanted = np.array([each.shape in ("round", "square") for each in asked])
    are_round = np.array([each.shape == "round" for each in asked])
    heights = reading.whole_heights(pieces) - TOP
    seats = np.array([each.kind == "chair" for each in asked])
    heights[seats] = reading.seat_heights(pieces[seats])
    read = reading.are_round(pieces[wanted], heights[wanted])
    return _mean(read == are_round[wanted])


def _heights_right(pieces, asked):
    seats, wholes = reading.seat_heights(pieces), reading.whole_heights(pieces)
    right = []
    for seat, whole, each in zip(seats, wholes, asked, strict=True):
        height = whole if each.kind in ("shelf", "lamp") else seat
        right.append((height > MIDDLE[each.kind]) == each.tall)
    return _mean(right)


RULES = {
    "boards_right": _boards_right,
    "shapes_right": _shapes_right,
    "heights_right": _heights_right,
}


def _distances(made, real, anew):
    among = chamfer_distances(real, real)
    scores = shape_scores(made, real, among)
    floors = shape_scores(anew, real, among)
    return scores | {f"{name}_floor": value for name, value in floors.items()}
