"""A picture of which letter of a text each frame of its sound belongs to."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_genai.evaluation.attention_plot import shown

MOST = 8  # sounds in a picture
LARGEST = 80  # letters of one; more could not be read


def plot_alignment(model, texts, sounds=None, speakers=None, seed=0):
    """Draws which letters the frames of sounds belong to, above their spectrograms.

    Args:
        model: `TextToSpeech` with a tokenizer.
        texts: str or list of str, of which the first 8 are drawn.
        sounds: a sound of each, see `TextToSpeech.alignment`, or `None`: what the model
            makes of them.
        speakers: see `TextToSpeech.generate`.
        seed: int, of what the model makes.

    Returns:
        bytes of a PNG: for each text two parts one above the other, both over seconds.
        In the first each letter has a row.

    Raises:
        ValueError: if there are not as many sounds as texts, or a text has more than 80
            letters.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if sounds is None:
        sounds = model.generate(texts, speakers, seed=seed)
    mels = model.spectrograms(sounds)
    ways = model.alignment(texts, mels, speakers)
    names = [_letters(model.tokenizer, text) for text in texts]
    titles = _titles(model, texts, speakers)
    seconds = model.target.hop / model.target.rate
    return draw_alignments(
        *(each[:MOST] for each in (ways, mels, names, titles)), seconds
    )


def draw_alignments(ways, mels, letters, titles, seconds):
    """Draws alignments above spectrograms.

    Args:
        ways: list of int `(F,)`, of each frame the symbol among `2 T + 1`.
        mels: list of float `(F, bands)`.
        letters: list of lists of T str.
        titles: list of str.
        seconds: float, from one frame to the next.

    Returns:
        bytes of a PNG.

    Raises:
        ValueError: if there are no letters or more than 80, or frames do not fit.
    """
    for way, mel, names in zip(ways, mels, letters, strict=True):
        if not 0 < len(names) <= LARGEST or len(way) != len(mel):
            raise ValueError(
                f"`letters` must be 1 to {LARGEST}, and `ways` of as many frames as "
                f"`mels`. Received: {len(names)} letters, {len(way)} and {len(mel)}"
            )
    heights = [1.2 + 0.16 * len(names) for names in letters]
    figure = Figure((8, sum(heights) + 1.8 * len(ways)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(
        len(ways), squeeze=False, height_ratios=[each + 1.8 for each in heights]
    )[:, 0]
    for part, height, *one in zip(
        parts, heights, ways, mels, letters, titles, strict=True
    ):
        axes = part.subplots(2, sharex=True, height_ratios=(height, 1.8))
        _draw(axes, *one, seconds)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(axes, way, mel, letters, title, seconds):
    upper, lower = axes
    end = len(way) * seconds
    places = np.arange(2 * len(letters) + 1)[:, None]
    extent = (0, end, -0.5, len(places) - 0.5)
    upper.imshow(
        places == way, cmap="Greys", aspect="auto", origin="lower", extent=extent
    )
    upper.set_yticks(1 + 2 * np.arange(len(letters)), [shown(name) for name in letters])
    upper.set(ylabel="letter", title=title)
    extent = (0, end, 0, mel.shape[1])
    lower.imshow(mel.T, cmap="magma", aspect="auto", origin="lower", extent=extent)
    lower.set(xlabel="seconds", ylabel="band")
    for frame in np.flatnonzero(np.diff(way, prepend=way[0])):
        lower.axvline(frame * seconds, color="white", linewidth=0.5, alpha=0.6)


def _letters(tokenizer, text):
    return [
        tokenizer.decode([token], skip_special_tokens=False)
        for token in tokenizer.encode(text)
    ]


def _titles(model, texts, speakers):
    quoted = [
        f"\N{LEFT DOUBLE QUOTATION MARK}{shown(text)}\N{RIGHT DOUBLE QUOTATION MARK}"
        for text in texts
    ]
    if model.voices is None:
        return quoted
    rows = model.given[1].rows(0 if speakers is None else speakers, len(texts))
    return [
        f"{text}, {model.voices[row]}" for text, row in zip(quoted, rows, strict=True)
    ]
