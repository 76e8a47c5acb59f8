"""What pictures show, a line a file: the verb `caption`."""

from zoo._command import output_file, printable
from zoo._opening import locate, open_model
from zoo._tasks import BATCH, beam_search, chosen_files


def caption(options):
    """Says what pictures show, a line a file.

    Of a folder all pictures are looked at, those in folders within it, too. They may be
    of any size: their middle is cropped and resized to what the model knows. With
    `--picture` the first of them are drawn, bright where the model looked at each word.
    """
    from keras_genai.files.pictures import EXTENSIONS

    paths = chosen_files(options.text, EXTENSIONS, "picture")
    picture = options.picture
    if picture is not None:
        picture = output_file(picture, "--picture", ".png")
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "caption", options.weights)
    if picture is not None and not hasattr(model.network, "attention_weights"):
        raise ValueError(
            "`--picture` must be left out where there is no attention to be drawn. "
            f"Received: {options.picture}, of a {type(model.network).__name__}"
        )
    model.jit_generate = False  # compiling would take longer than a few pictures
    more = {} if options.beams is None else beam_search(model, options.beams)
    texts = []
    for first in range(0, len(paths), BATCH):
        chosen = paths[first : first + BATCH]
        found = model.caption(chosen, **more)
        for path, text in zip(chosen, found, strict=True):
            print(f"{printable(path)}: {printable(text)}", flush=True)
        texts += found
    if picture is not None:
        _draw(picture, model, paths, texts)


def _draw(path, model, files, texts):
    import numpy as np

    from keras_genai.evaluation import picture_attention_plot as plots
    from keras_genai.files.writing import write_bytes
    from keras_genai.tasks.sources import Sources

    shown = files[: plots.LARGEST]
    images = np.stack(Sources(model.given[0], shown).rows)
    texts = texts[: len(shown)]
    write_bytes(path, plots.plot_picture_attention(model, images, texts))
