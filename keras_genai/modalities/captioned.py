"""Pictures with what each was asked to show, as one sheet to look at."""

import dataclasses
import io
import textwrap
import warnings

import numpy as np

from keras_genai.modalities.grids import as_bytes, side

_CELL = 112  # pixels that a picture takes at least, so that its caption has room
_LINE, _LETTER = 13, 6.2  # pixels: the height of a line, and the width of a letter
_GAP = 8  # pixels between pictures
_DPI = 100
_MOST_LINES = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Captioned:
    """Pictures with a caption each; an array of the pictures where one is wanted.

    Args:
        images: uint8, or float in [0, 1], `(N, H, W, C)` or `(N, F, H, W, C)`.
        captions: sequence of N str.

    Raises:
        ValueError: if there are more or fewer captions.
    """

    images: np.ndarray
    captions: tuple[str, ...]

    def __post_init__(self):
        object.__setattr__(self, "captions", tuple(self.captions))
        if len(self.captions) != len(self.images):
            raise ValueError(
                f"`captions` must be as many as there are pictures, "
                f"{len(self.images)}. Received: {len(self.captions)}"
            )

    def __len__(self):
        return len(self.images)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.images, dtype=dtype)

    def png(self):
        """bytes of a PNG: the pictures in rows, the caption of each one under it."""
        canvas, places, width = self._canvas()
        return _written(canvas, places, [_wrapped(c, width) for c in self.captions])

    def _canvas(self):
        """The sheet without its captions, where these are, and the width of one."""
        images = as_bytes(self.images)
        if images.ndim == 5:  # the frames of a video side by side
            images = np.concatenate(np.moveaxis(images, 1, 0), axis=2)
        images = np.broadcast_to(images, (*images.shape[:3], 3))
        enlarge = max(1, -(-_CELL // images.shape[2]))
        images = images.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
        high, wide = images.shape[1:3]
        most = max(len(_wrapped(caption, wide)) for caption in self.captions)
        row, column = high + most * _LINE + _GAP, wide + _GAP
        columns = side(len(images))
        rows = -(-len(images) // columns)
        canvas = np.full((rows * row + _GAP, columns * column + _GAP, 3), 255, "uint8")
        places = []
        for index, image in enumerate(images):
            top, left = _GAP + index // columns * row, _GAP + index % columns * column
            canvas[top : top + high, left : left + wide] = image
            places.append((left + wide / 2, top + high + 2))
        return canvas, places, wide


def _wrapped(caption, width):
    """list of str: the lines of a caption, cut where there would be too many."""
    seen = "".join(each if each.isprintable() else "\ufffd" for each in caption)
    return textwrap.wrap(
        seen, max(8, int(width / _LETTER)), max_lines=_MOST_LINES, placeholder=" ..."
    )


def _written(canvas, places, texts):
    # They take a second to import, and most models have no captions.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = canvas.shape[:2]
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.figimage(canvas, origin="upper")
    for (x, y), text in zip(places, texts, strict=True):
        figure.text(
            x / width,
            1 - y / height,
            "\n".join(text),
            ha="center",
            va="top",
            fontsize=7.5,
            linespacing=1.1,
            parse_math=False,
        )
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
