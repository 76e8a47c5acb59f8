"""Data for translation between pictures: edges to pictures, and unpaired domains."""

import dataclasses
import functools

import tensorflow as tf

from keras_genai.checks import check_integer, check_number
from keras_genai.data import images
from keras_genai.data.arguments import check_share
from keras_genai.data.image_splits import validation_loader
from keras_genai.data.loading import Loader, Splits
from keras_genai.modalities.image import Image


@dataclasses.dataclass(frozen=True)
class Edges:
    """The outlines of a picture, white on black: a sketch to make it from again.

    A source takes it as `condition`. The strength of an edge is the largest Sobel
    gradient of the channels, 1 for a step from black to white.

    Args:
        threshold: float. Weaker edges are left out, the others drawn in full.
    """

    threshold: float = 0.25

    def __post_init__(self):
        check_number("threshold", self.threshold, "a number", lambda x: True)

    def __call__(self, images, seed=None):
        """float32 `(B, H, W, 1)` of 0 and 1 from float32 `(B, H, W, C)` in [0, 1]."""
        gradients = tf.image.sobel_edges(images) / 4.0  # (B, H, W, C, 2)
        strength = tf.reduce_max(tf.norm(gradients, axis=-1), axis=-1, keepdims=True)
        return tf.cast(strength > self.threshold, "float32")


@dataclasses.dataclass(frozen=True)
class Invert:
    """Black becomes white."""

    def __call__(self, images, seed=None):
        return 1.0 - images


@dataclasses.dataclass(frozen=True)
class Turn:
    """A quarter turn to the left, or several.

    Args:
        times: int.
    """

    times: int = 1

    def __post_init__(self):
        check_integer("times", self.times, 0)

    def __call__(self, images, seed=None):
        return tf.image.rot90(images, self.times)


@dataclasses.dataclass(frozen=True)
class Colour:
    """Draws pictures with another ink on another paper; colours count as greys.

    Args:
        ink: three floats in [0, 1], the colour that white becomes.
        paper: three floats in [0, 1], the colour that black becomes.
    """

    ink: tuple = (1.0, 0.8, 0.1)
    paper: tuple = (0.1, 0.1, 0.5)

    def __post_init__(self):
        for name in ("ink", "paper"):
            _check_colour(name, getattr(self, name))

    def __call__(self, images, seed=None):
        """float32 `(B, H, W, 3)` from float32 `(B, H, W, 1)` or `(B, H, W, 3)`."""
        if images.shape[-1] not in (1, 3):
            raise ValueError(
                "`Colour` must be given pictures of 1 or 3 channels. "
                f"Received: shape {images.shape}"
            )
        if images.shape[-1] == 3:
            images = tf.image.rgb_to_grayscale(images)
        ink, paper = tf.constant(self.ink), tf.constant(self.paper)
        return paper + images * (ink - paper)


def _check_colour(name, value):
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise ValueError(
            f"`{name}` must be three numbers from 0 to 1. Received: {name}={value!r}"
        )
    for part in value:
        check_share(name, part)


class Unpaired(Loader):
    """Loader of two domains, each in its own order.

    An epoch is one pass over the smaller domain.

    Args:
        condition: `Loader` of the first domain, whose `"images"` become
            `"condition"`.
        images: `Loader` of the second one.
        key: str. What is taken from the batches of `images`.
    """

    def __init__(self, condition, images, key="images"):
        self.batch_size = images.batch_size
        self.steps_per_epoch = min(images.steps_per_epoch, condition.steps_per_epoch)
        self.content = condition.content, images.content
        self._domains = {"condition": (condition, "images"), "images": (images, key)}
        super().__init__()

    def fetch(self, step):
        """`{"condition", "images"}` of one step, float32 `(B, H, W, C)` each."""
        return {
            name: loader.fetch(step)[key]
            for name, (loader, key) in self._domains.items()
        }


def changed(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    source=images.digits,
    change=None,
    image_size=None,
    stand_in=False,
):
    """Unpaired data from one set of pictures: as they are, and changed.

    The two domains are drawn independently, so that a batch has no pairs. The
    pictures of `held_out` and `test` are pairs, which a translation can be scored by.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next two.
        seed: int.
        data_dir: path or `None`.
        source: an image source.
        change: `Colour`, `Invert`, `Turn`, a damage, or another function
            `change(images, seed)`; `None` is `Colour()`.
        image_size: int, pair or `None`.
        stand_in: bool.

    Returns:
        `Splits`: `"condition"` is the domain as it is, `"images"` the changed one.
    """
    change = change or Colour()
    read = functools.partial(
        source,
        batch_size,
        data_dir=data_dir,
        image_size=image_size,
        condition=change,
        stand_in=stand_in,
    )
    own, other = read(seed=seed), read(seed=seed + 1)
    held_out = _swapped(own.held_out)
    test = None if own.test is None else _swapped(own.test)
    return Splits(
        Unpaired(own.train, other.train, key="condition"),
        validation_loader(held_out, batch_size),
        held_out=held_out,
        test=test,
        name=f"{own.name}_changed",
        kinds=_domains(other=own.kind("condition"), own=own.kind("images")),
    )


def folders(batch_size, seed=0, data_dir=None, *, first, second, **options):
    """Unpaired data from two of the user's folders.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next two.
        seed: int.
        data_dir: unused.
        first: path. Its pictures are the `"condition"`.
        second: path. Its pictures are the `"images"`.
        **options: further arguments of `keras_genai.data.images.folder`.

    Returns:
        `Splits`. `held_out` and `test` have as many pictures of each domain.
    """
    one = images.folder(batch_size, seed, path=first, **options)
    two = images.folder(batch_size, seed + 1, path=second, **options)
    held_out = _side_by_side(one.held_out, two.held_out)
    whole = one.test is not None and two.test is not None
    return Splits(
        Unpaired(one.train, two.train),
        validation_loader(held_out, batch_size),
        held_out=held_out,
        test=_side_by_side(one.test, two.test) if whole else None,
        name=f"{one.name}_{two.name}",
        kinds=_domains(other=two.kind("images"), own=one.kind("images")),
    )


def _domains(other, own):
    """The two kinds of pictures: those to be made, and those they are made from."""
    return Image(other.shape), Image(own.shape, "condition")


def source(spec):
    """`changed` of the image source that a short name asks for.

    Args:
        spec: see `keras_genai.data.images.source`.
    """
    return functools.partial(changed, source=images.source(spec))


def _swapped(arrays):
    return {"images": arrays["condition"], "condition": arrays["images"]}


def _side_by_side(first, second):
    count = min(len(first["images"]), len(second["images"]))
    return {"images": second["images"][:count], "condition": first["images"][:count]}
