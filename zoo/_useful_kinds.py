"""What `useful` asks of a kind of samples, by what the modality calls them."""

import numpy as np

from keras_genai.data.pictures import to_bytes
from keras_genai.evaluation.usefulness import Labelled, learn_pictures
from keras_genai.modalities.base import target_of
from zoo import _images


class PictureSamples:
    """Pictures of one shape, uint8, with labels of their own."""

    learn = staticmethod(learn_pictures)

    def __init__(self, model):
        self.model = model
        self.dtype, self.shape = np.dtype("uint8"), model.target.shape

    def source(self):
        """Arguments of a source of one's own: its pictures become the model's size."""
        return {"image_size": tuple(self.shape[:2])}

    def labelled(self, splits, arrays):
        """`Labelled` of a part of `splits`, or `None` where there are no classes."""
        if splits.kind("labels") is None:
            return None
        return Labelled(arrays["images"], arrays["labels"])

    def draw(self, count, seed, how):
        """So many samples; `how` are arguments of `generate`."""
        made, _ = _images.generate(self.model, count, seed, **how)
        return np.asarray(to_bytes(made))

    def labels(self, samples, chunk):
        """int `(N,)` of samples that were drawn in chunks, or `None`: nobody knows."""
        classes = getattr(self.model, "num_classes", None)
        if not classes:
            return None  # else each chunk has all of them, as `draw` has it
        return np.arange(len(samples), dtype="int32") % chunk % classes


class RowSamples:
    """Rows of a table whose target has classes."""

    def __init__(self, model):
        self.model, self.table = model, model.target
        self.dtype, self.shape = self.table.dtype, ()

    def source(self):
        return {}

    def labelled(self, splits, arrays):
        if self.table.label is None:
            return None
        arrays = {name: np.asarray(part) for name, part in arrays.items()}
        rows = self.table.read(splits.kind(self.table.key).rows_of(arrays))
        return Labelled(rows, self._codes(rows))

    def draw(self, count, seed, how):
        return self.model.generate(count, seed=seed, **how)

    def labels(self, samples, chunk):
        return self._codes(samples)

    def learn(self, train, test, seed):
        """The accuracy of gradient boosting; see `learn_pictures`."""
        from keras_genai.evaluation.tables import taught

        return taught(self.table, self._rows(train), self._rows(test), seed)

    def _codes(self, rows):
        return self.table.column(self.table.label).codes(rows[self.table.label])

    def _rows(self, labelled):
        """Rows whose target is what their labels say: these may be shuffled."""
        rows = labelled.samples.copy()
        column = self.table.column(self.table.label)
        rows[self.table.label] = column.words(labelled.labels)
        return rows


KINDS = {"pictures": PictureSamples, "rows": RowSamples}


def kind_of(model, name):
    """What is asked of the samples of a model.

    Args:
        model: `Task`.
        name: str, what errors call it.

    Raises:
        ValueError: if they are of no kind that is known, or if they are made from
            anything but labels.
    """
    noun = target_of(model).noun
    if noun not in KINDS:
        raise ValueError(
            f"`name` must be of a model that makes {' or '.join(KINDS)}. Received: "
            f"{name}, which makes {noun}"
        )
    others = sorted({kind.argument for kind in model.given} - {"labels"})
    if others or not hasattr(model, "generate"):
        made = f"from {', '.join(others)}" if others else "of other samples"
        raise ValueError(
            "`name` must be of a model whose samples are made from labels or from "
            f"nothing. Received: {name}, whose samples are made {made}"
        )
    return KINDS[noun](model)
