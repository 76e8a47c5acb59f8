"""Emoji that look alike, and a division that never tells them apart."""

import hashlib

import numpy as np

NEAR = 0.12  # root of the mean squared difference of colours in [0, 1]
_LARGEST = 8  # motifs of a family that may be held out
_EVERY = 10  # of so many families one validates and two test


def divide_families(images, names, kin=()):
    """Which motifs train, validate and test: those of one family do the same.

    Of one family are motifs whose pictures, one of them mirrored or not, are nearer
    than 0.12 to each other, those that are kin, and theirs in turn. A family of more
    than eight trains. Where the others lie the hash of their first name decides.

    Args:
        images: uint8 `(N, H, W, C)`, one for each motif.
        names: list of N str, all different.
        kin: list of pairs of places in `names`.

    Returns:
        list of N str: `"train"`, `"validation"` or `"test"`.
    """
    alike = near(images, images) | near(images[:, :, ::-1], images)
    for first, second in kin:
        alike[first, second] = alike[second, first] = True
    found = _components(alike)
    held = [family for family in found if len(family) <= _LARGEST]
    held.sort(key=lambda family: _hash(min(names[place] for place in family)))
    parts = ["train"] * len(names)
    for index, family in enumerate(held):
        part = {0: "validation", 1: "test", 2: "test"}.get(index % _EVERY, "train")
        for place in family:
            parts[place] = part
    return parts


def near(images, others):
    """Which pictures are about the same.

    Args:
        images: uint8 `(N, H, W, C)`.
        others: uint8 `(M, H, W, C)`.

    Returns:
        bool `(N, M)`.
    """
    first, second = (
        each.reshape(len(each), -1).astype("float32") / 255 for each in (images, others)
    )
    squares = [np.square(each).sum(axis=1) for each in (first, second)]
    apart = squares[0][:, None] + squares[1] - 2 * first @ second.T
    return apart < NEAR**2 * first.shape[1]


def _components(alike):
    """list of lists of places that are joined, one by one, by a symmetric relation."""
    left, found = set(range(len(alike))), []
    while left:
        family, edge = [], [min(left)]
        left.discard(edge[0])
        while edge:
            place = edge.pop()
            family.append(place)
            joined = left.intersection(np.flatnonzero(alike[place]).tolist())
            left -= joined
            edge += sorted(joined)
        found.append(family)
    return found


def _hash(name):
    return hashlib.sha256(name.encode("utf-8")).digest()
