"""Edits of emoji people with ground truth: another skin tone, gender or hair.

Twemoji has one person in five tones, as man and as woman, and some with other hair, so
that it is known what an edited picture should look like.
"""

import dataclasses
import functools
import re

import numpy as np
import tensorflow as tf

from keras_genai.data import augmentation
from keras_genai.data.emoji import SIDE, TONES, catalogue
from keras_genai.data.emoji_families import divide_families
from keras_genai.data.emoji_sheet import read_pictures
from keras_genai.data.image_splits import floats, validation_loader
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label

GENDERS = ("man", "woman")
HAIRS = ("bald", "blond hair", "curly hair", "red hair", "white hair")
ATTRIBUTES = (*TONES, *GENDERS, *HAIRS)
KINDS = ("tone", "gender", "hair")
_OFTEN = {"tone": 1, "gender": 3, "hair": 4}  # times that each edit is in an epoch
_BASES = {"man": "man", "woman": "woman", "person": "adult"}  # and who has no hair said
_NEW = "person: "  # of these the hair tests, and they never train
_CHANGES = [augmentation.Flip(), augmentation.Translate(2)]


@dataclasses.dataclass(frozen=True)
class Edit:
    """Two pictures that differ in one attribute.

    Attributes:
        before, after: int, places in `keras_genai.data.emoji.catalogue`.
        asked: int, a place in `ATTRIBUTES`: what is asked for.
        kind: str, of `KINDS`.
        part: str: `"train"`, `"validation"`, `"test"`, or `""` for none of these.
    """

    before: int
    after: int
    asked: int
    kind: str
    part: str


def emoji_edits(batch_size, seed=0, data_dir=None, *, stand_in=False):
    """Pictures of people, what is asked of them, and how they look then.

    A tone is asked of everyone who is drawn in five tones, from each other tone and
    from the yellow of no tone; a gender, where there are "man ..." and "woman ..."; and
    hair of men, women and persons of whom nothing but their hair is known.

    No motif that is held out trains, nor one that looks like it or is its man or woman:
    see `keras_genai.data.emoji_families`. Hair is learned from men and women and tests
    on persons, whose men and women look much alike. Training pictures are mirrored and
    moved by up to two pixels, before and after alike.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next.
        seed: int.
        data_dir: see `keras_genai.data.emoji.emoji`.
        stand_in: bool. If `True`, tones of shapes that are drawn here.

    Returns:
        `Splits`. Batches are dicts of `"images"` and `"condition"`, the pictures after
        and before, float32 `(B, 32, 32, 3)` in [0, 1], and `"labels"`, int32 `(B,)`,
        places in `ATTRIBUTES`. `held_out` and `test` also have `"kinds"`, str `(N,)`,
        of `KINDS`.

    Raises:
        FileNotFoundError, OSError, ValueError: see `keras_genai.data.emoji.emoji`.
    """
    images = read_pictures(data_dir, stand_in)
    known = edits(data_dir, stand_in)

    def part(name):
        chosen = [edit for edit in known if edit.part == name]
        if name == "train":
            chosen = [edit for edit in chosen for _ in range(_OFTEN[edit.kind])]
        return {
            "images": images[[edit.after for edit in chosen]],
            "condition": images[[edit.before for edit in chosen]],
            "labels": np.array([edit.asked for edit in chosen], "int32"),
            "kinds": np.array([edit.kind for edit in chosen]),
        }

    held_out, shape = part("validation"), (SIDE, SIDE, 3)
    return Splits(
        DataLoader(_batched(part("train")), batch_size, seed=seed, transform=_moved),
        validation_loader(_batched(held_out), batch_size),
        held_out=held_out,
        test=part("test"),
        name="emoji_edits",
        kinds=(
            Image(shape),
            Label(len(ATTRIBUTES), ATTRIBUTES),
            Image(shape, "condition"),
        ),
    )


@functools.cache
def edits(data_dir=None, stand_in=False):
    """Every edit of which the outcome is known.

    Args:
        data_dir, stand_in: see `emoji_edits`.

    Returns:
        tuple of `Edit`.
    """
    people = _people(data_dir, stand_in)
    found = [*_tone_edits(people), *_gender_edits(people), *_hair_edits(people)]
    parts = _parts(people, found, read_pictures(data_dir, stand_in))
    return tuple(
        Edit(
            people[before][tone],
            people[after][other],
            ATTRIBUTES.index(asked),
            kind,
            _part(parts, kind, before, after),
        )
        for kind, before, tone, asked, after, other in found
    )


def mirrored_and_moved(images, seed):
    """Pictures mirrored half of the time, and moved by up to two pixels, on white.

    Args:
        images: float32 `(B, H, W, C)` in [0, 1].
        seed: int64 `(2,)`.
    """
    # What comes in from outside is white: of the negative it is black.
    return 1.0 - augmentation.apply(_CHANGES, 1.0 - images, tf.cast(seed, "int64"))


def _people(data_dir, stand_in):
    """dict of motifs in all five tones to a dict of tones, -1 for none, to places."""
    rows = {}
    for place, picture in enumerate(catalogue(data_dir, stand_in)):
        if picture.tone >= 0 or picture.caption == picture.motif:
            rows.setdefault(picture.motif, {})[picture.tone] = place
    return {
        motif: places
        for motif, places in rows.items()
        if places.keys() >= {*range(len(TONES))}
    }


def _tone_edits(people):
    for motif, places in people.items():
        for tone, asked in enumerate(TONES):
            for other in places:
                if other != tone:
                    yield "tone", motif, other, asked, motif, tone


def _gender_edits(people):
    for man in people:
        # Not those of couples, of whom one would change.
        woman = re.sub(r"^(\w+ )?man\b(?! and)", r"\1woman", man)
        if woman != man and woman in people:
            for tone in people[man].keys() & people[woman].keys():
                yield "gender", man, tone, "woman", woman, tone
                yield "gender", woman, tone, "man", man, tone


def _hair_edits(people):
    for base, plain in _BASES.items():
        looks = {hair: f"{base}: {hair}" for hair in HAIRS} | {"": plain}
        looks = {hair: motif for hair, motif in looks.items() if motif in people}
        for asked, after in looks.items():
            for before in looks.values():
                if asked and before != after:
                    for tone in people[before].keys() & people[after].keys():
                        yield "hair", before, tone, asked, after, tone


def _parts(people, found, images):
    """dict of motifs to what they are for."""
    names = list(people)
    places = {name: place for place, name in enumerate(names)}
    kin = {
        (places[before], places[after])
        for _, before, _, _, after, _ in found
        if before != after
    }
    shown = images[[rows[len(TONES) // 2] for rows in people.values()]]
    return dict(zip(names, divide_families(shown, names, sorted(kin)), strict=True))


def _part(parts, kind, before, after):
    if not f"{before} {after}".count(_NEW):
        return parts[before]
    return "test" if kind == "hair" else ""


def _batched(arrays):
    return {key: arrays[key] for key in ("images", "condition", "labels")}


def _moved(batch, seed):
    batch = floats(batch)
    both = tf.concat([batch["images"], batch["condition"]], axis=-1)
    images, condition = tf.split(mirrored_and_moved(both, seed), 2, axis=-1)
    return {**batch, "images": images, "condition": condition}
