"""Outlines of emoji and the pictures that they are of."""

from keras_genai.data import images
from keras_genai.data.emoji import catalogue
from keras_genai.data.emoji_edits import mirrored_and_moved
from keras_genai.data.emoji_families import divide_families
from keras_genai.data.emoji_sheet import read_pictures
from keras_genai.data.image_splits import assemble
from keras_genai.data.pairs import Edges


def emoji_sketches(
    batch_size, seed=0, data_dir=None, *, condition=None, stand_in=False
):
    """Twemoji's 1,911 pictures without tones, and a sketch of each.

    No motif that is held out trains, nor one that looks like it: see
    `keras_genai.data.emoji_families`. Training pictures are mirrored and moved by up to
    two pixels, and sketched then.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next.
        seed: int.
        data_dir: see `keras_genai.data.emoji.emoji`.
        condition: function of float pictures and a seed that makes the sketches, or
            `None`: `Edges()`.
        stand_in: bool. If `True`, eight shapes that are drawn here.

    Returns:
        `Splits`. Batches are dicts of `"images"`, float32 `(B, 32, 32, 3)`, and
        `"condition"`, their sketches `(B, 32, 32, 1)`, white on black; `held_out` and
        `test` hold the same as uint8.

    Raises:
        FileNotFoundError, OSError, ValueError: see `keras_genai.data.emoji.emoji`.
    """
    known = catalogue(data_dir, stand_in)
    rows = [row for row, each in enumerate(known) if each.caption == each.motif]
    pictures = read_pictures(data_dir, stand_in)[rows]
    parts = divide_families(pictures, [known[row].motif for row in rows])
    splits = {
        name: {"images": pictures[[part == name for part in parts]]}
        for name in ("train", "validation", "test")
    }
    return assemble(
        "emoji_sketches",
        splits,
        None,
        batch_size,
        seed,
        mirrored_and_moved,
        condition or Edges(),
    )


# Of the user's own pictures: a folder, for instance.
source = images.source
