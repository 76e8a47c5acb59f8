"""Which text fits a picture, or which picture a text: the verb `rank`."""

from zoo._command import printable
from zoo._opening import locate, open_model
from zoo._tasks import chosen_files, entry_of


def rank(options):
    """Prints for each picture how probable each text is, the likeliest first.

    Of a single text the pictures are put in order instead, by their cosines. Of a
    folder all pictures are read, those in folders within it, too; they may be of any
    size.
    """
    import numpy as np

    from keras_genai.files.pictures import EXTENSIONS

    paths = chosen_files(options.text, EXTENSIONS, "picture")
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "rank", options.weights)
    model.jit_generate = False  # compiling would take longer than a few pictures
    entry = entry_of(options.name, model.name)
    read = getattr(entry, "reads", None) or str
    texts = [read(text) for text in options.texts]
    if len(texts) == 1:
        cosines = model.similarity(paths, texts)[:, 0]
        for place in np.argsort(-cosines, kind="stable"):
            print(f"{cosines[place]:.4f}  {printable(paths[place])}", flush=True)
        return
    for path, shares in zip(paths, model.classify(paths, texts), strict=True):
        order = np.argsort(-shares, kind="stable")
        said = "  ".join(f"{texts[i]} {shares[i]:.4f}" for i in order)
        print(f"{printable(path)}: {said}", flush=True)
