"""A picture of where a model looked while it wrote."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

LARGEST = 80  # tokens of a side; more could not be read


def plot_attention(model, text, output=None):
    """Draws the attention of a recurrent model over a text.

    Args:
        model: `Seq2SeqLM` of a `RecurrentEncoderDecoder`, with a tokenizer.
        text: str.
        output: str whose attention is shown, or `None`: what the model writes.

    Returns:
        bytes of a PNG: a row for each output token, a column for each input token.

    Raises:
        ValueError: if a side is empty or has more than 80 tokens.
    """
    tokenizer = model.tokenizer
    inputs = tokenizer.encode(text)
    if output is None:
        written = model.generate([inputs])[0]
    else:
        written = np.append(tokenizer.encode(output), tokenizer.end_token)
    targets = np.concatenate([[tokenizer.start_token], written[:-1]]).astype("int32")
    weights = model.network.attention_weights(inputs[None], targets[None])[0]
    names = [
        [tokenizer.decode([token], skip_special_tokens=False) for token in tokens]
        for tokens in (inputs, written)
    ]
    return draw_attention(weights, *names)


def draw_attention(weights, inputs, outputs):
    """Draws attention weights between two lists of tokens.

    Args:
        weights: float `(T, S)`, each row a distribution.
        inputs: list of S str.
        outputs: list of T str.

    Returns:
        bytes of a PNG.

    Raises:
        ValueError: if shapes do not fit, or if there are no tokens or more than 80.
    """
    weights = np.asarray(weights)
    sizes = (len(outputs), len(inputs))
    if weights.shape != sizes or min(sizes) == 0 or max(sizes) > LARGEST:
        raise ValueError(
            f"`weights` must be (outputs, inputs), 1 to {LARGEST} tokens each. "
            f"Received: {weights.shape} for {sizes}"
        )
    size = [1.5 + 0.24 * count for count in reversed(sizes)]
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(inputs)), [shown(name) for name in inputs])
    axes.set_yticks(range(len(outputs)), [shown(name) for name in outputs])
    axes.tick_params(axis="x", labelrotation=0 if _is_short(inputs) else 90)
    axes.xaxis.tick_top()
    axes.set(xlabel="input", ylabel="output")
    axes.xaxis.set_label_position("bottom")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _is_short(names):
    return all(len(name) <= 1 for name in names)


def shown(name):
    """A token as it can be seen; matplotlib reads `$` as mathematics."""
    seen = name.strip().replace("$", r"\$")
    seen = "".join(each if each.isprintable() else "\ufffd" for each in seen)
    return seen or "\N{OPEN BOX}"
