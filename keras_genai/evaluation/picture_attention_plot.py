"""A picture of where a captioner looked at which word."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_genai.evaluation.attention_plot import shown

LARGEST = 32  # tokens of a caption, and pictures; more could not be read
_SHADE = 0.75  # how dark it is where nobody looks


def plot_picture_attention(model, pictures, captions=None):
    """Draws the attention of a recurrent captioner over pictures, word by word.

    Args:
        model: `Seq2SeqLM` of a `RecurrentCaptioner`, with a tokenizer.
        pictures: what its `Image` reads.
        captions: list of str, one a picture, or `None`: what the model says of them.

    Returns:
        bytes of a PNG: a row for each picture, which it begins with, and then a copy
        for each token, bright where the model looked when it wrote it.

    Raises:
        ValueError: if there are more than 32 pictures, or a caption has more tokens.
    """
    kind, tokenizer = model.given[0], model.tokenizer
    images = kind.read(pictures)
    captions = model.caption(images) if captions is None else captions
    rows = []
    for image, caption in zip(images, captions, strict=True):
        written = np.append(tokenizer.encode(caption), tokenizer.end_token)
        read = np.concatenate([[tokenizer.start_token], written[:-1]]).astype("int32")
        weights = model.network.attention_weights(
            np.asarray(kind.told(image[None])), read[None]
        )[0]
        words = [
            tokenizer.decode([token], skip_special_tokens=False) for token in written
        ]
        grid = weights.reshape(len(words), *model.network.grid)
        rows.append((image, grid, words))
    return draw_picture_attention(rows)


def draw_picture_attention(rows):
    """Draws attention weights over pictures.

    Args:
        rows: list of `(image, weights, words)`: float `(H, W, C)` in [0, 1]; float
            `(T, rows, columns)`, each a distribution over the places of the picture;
            and list of T str.

    Returns:
        bytes of a PNG.

    Raises:
        ValueError: if there are not as many weights as words, or if there are none or
            more than 32.
    """
    counts = [len(words) for _, _, words in rows]
    fits = all(len(weights) == len(words) for _, weights, words in rows)
    if not fits or not 0 < min([len(rows), *counts]) <= LARGEST >= max(
        [len(rows), *counts]
    ):
        raise ValueError(
            f"`rows` must be 1 to {LARGEST} pictures with as many words as weights, "
            f"1 to {LARGEST} each. Received: {len(rows)} pictures with {counts} words"
        )
    columns = 1 + max(counts)
    figure = Figure(figsize=(columns, 1.3 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for line, (image, weights, words) in zip(panels, rows, strict=True):
        image = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
        line[0].imshow(image)
        for axes, each, word in zip(line[1:], weights, words, strict=False):
            axes.imshow(_lit(image, each))
            axes.set_title(shown(word), fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _lit(image, weights):
    """float `(H, W, 3)`: the picture, dark where the weights are small."""
    high, wide = image.shape[:2]
    rows, columns = weights.shape
    down = np.arange(high) * rows // high
    across = np.arange(wide) * columns // wide
    light = (weights / max(float(weights.max()), 1e-9))[down][:, across, None]
    return image * (1 - _SHADE + _SHADE * light)
