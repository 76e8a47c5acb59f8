"""Videos: real digits that move and bounce off the edges."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_number, check_size
from keras_genai.data import embedded_images, pictures
from keras_genai.data.image_splits import FIXED, floats, validation_loader
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.modalities.image import Video
from keras_genai.modalities.text import Label

_CHUNK = 64  # videos made at once
_MOST_PIXELS = 2**22  # of a video: the 512 of a test are 2 GB then


@dataclasses.dataclass(frozen=True)
class Bounce:
    """Moves pictures over a black square, straight on, and back from its edges.

    Args:
        frames: int.
        image_size: int, side of the square in pixels.
        fastest: float, pixels a frame in each direction.
    """

    frames: int = 8
    image_size: int = 32
    fastest: float = 3.0

    def __post_init__(self):
        check_size("frames", self.frames)
        check_size("image_size", self.image_size)
        check_number(
            "fastest", self.fastest, "a number >= 0", lambda x: 0 <= x < np.inf
        )

    def __call__(self, sprites, seed):
        """Videos of pictures.

        Args:
            sprites: float32 `(B, S, S)`.
            seed: int64 `(2,)`.

        Returns:
            float32 `(B, F, H, W)`.
        """
        count, side = tf.shape(sprites)[0], sprites.shape[-1]
        room = float(self.image_size - side)
        own = tf.random.split(seed, 2)
        start = tf.random.stateless_uniform((2, count, 1), own[0], 0.0, room)
        speed = tf.random.stateless_uniform(
            (2, count, 1), own[1], -self.fastest, self.fastest
        )
        way = start + speed * tf.range(self.frames, dtype="float32")  # (2, B, F)
        place = room - tf.abs(tf.math.floormod(way, 2 * room) - room)
        place = tf.cast(tf.round(place), "int32")
        # Row i of a sprite goes to row place + i: a product with ones and zeros.
        spread = tf.one_hot(place[..., None] + tf.range(side), self.image_size)
        return tf.einsum("bst,bfsh,bftw->bfhw", sprites, spread[0], spread[1])


def moving_digits(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    frames=8,
    image_size=32,
    digit_size=16,
    digits=1,
    fastest=3.0,
    stand_in=False,
):
    """Videos of scikit-learn's digits that bounce: embedded.

    Training videos are made anew in every step, from the training digits; 256
    validation and 512 test videos are the same in every run and show digits that
    never train.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next two.
        seed: int.
        data_dir: unused.
        frames: int.
        image_size: int, side of a frame in pixels, above `digit_size`.
        digit_size: int, side of a digit in pixels; as they come, it is 8.
        digits: 1 or 2 in each video. Where two meet, the brighter pixel shows.
        fastest: float, pixels a frame in each direction.
        stand_in: bool. If `True`, 16 held-out videos of each kind.

    Returns:
        `Splits`. Batches are dicts of `"images"`, float32 `(B, F, H, W, 1)` in
        [0, 1], and, with one digit, `"labels"`, int32 `(B,)`.

    Raises:
        ValueError: if an argument is not as said.

    Reference: Srivastava et al. 2015, section 3.1, https://arxiv.org/abs/1502.04681
    """
    move = Bounce(frames, image_size, fastest)
    _check(frames, image_size, digit_size, digits)
    found = embedded_images.digits((digit_size, digit_size))
    held_out = _fixed_videos(found["validation"], 16 if stand_in else 256, digits, move)
    test = _fixed_videos(found["test"], 16 if stand_in else 512, digits, move)
    transform = _filming(found["train"]["images"], digits, move)
    train = found["train"] if digits == 1 else {"images": found["train"]["images"]}
    return Splits(
        DataLoader(train, batch_size, seed=seed, transform=transform),
        validation_loader(held_out, batch_size),
        held_out=held_out,
        test=test,
        name="moving_digits",
        kinds=(
            Video((frames, image_size, image_size, 1)),
            *([Label(10)] if digits == 1 else []),
        ),
    )


def _filming(others, digits, move):
    """The loader's function from a batch of pictures to one of videos.

    Args:
        others: uint8 `(N, S, S, 1)`, of which the second digits are drawn.
        digits: 1 or 2.
        move: `Bounce`.
    """
    with tf.device("CPU:0"):
        others = tf.constant(others)

    def transform(batch, seed):
        own = tf.random.split(seed, 3)
        sprites = floats(batch)["images"]
        videos = move(sprites[..., 0], own[0])
        if digits == 2:
            count = tf.shape(sprites)[0]
            index = tf.random.stateless_uniform(
                (count,), own[1], 0, len(others), dtype="int32"
            )
            second = pictures.to_float(tf.gather(others, index))
            videos = tf.maximum(videos, move(second[..., 0], own[2]))
        return {**batch, "images": videos[..., None]}

    return transform


def _fixed_videos(arrays, count, digits, move):
    """The first `count` videos of these digits, which come again and again."""
    transform = _filming(arrays["images"], digits, move)
    index = np.arange(count) % len(arrays["images"])
    images = []
    for number, first in enumerate(range(0, count, _CHUNK)):
        sprites = arrays["images"][index[first : first + _CHUNK]]
        seed = tf.constant([FIXED, number], "int64")
        videos = transform({"images": sprites}, seed)["images"]
        images.append(pictures.to_bytes(videos).numpy())
    found = {"images": np.concatenate(images)}
    return found if digits == 2 else {**found, "labels": arrays["labels"][index]}


def _check(frames, image_size, digit_size, digits):
    check_size("digit_size", digit_size)
    if image_size <= digit_size:
        raise ValueError(
            "`image_size` must be an int above `digit_size`. "
            f"Received: {image_size=}, {digit_size=}"
        )
    if frames * image_size**2 > _MOST_PIXELS:
        raise ValueError(
            f"`frames` times `image_size` squared must be at most {_MOST_PIXELS:,}. "
            f"Received: {frames=}, {image_size=}"
        )
    if digits not in (1, 2):
        raise ValueError(f"`digits` must be 1 or 2. Received: {digits=}")
