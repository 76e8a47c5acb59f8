"""What config.json says of labels, for all classes that tell texts or tokens apart."""

from typing import Literal

import pydantic

from keras_genai.convert.known_settings import KnownSettings
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label


class LabelledSettings(KnownSettings):
    """A schema with the keys that name labels."""

    problem_type: Literal["regression", "single_label_classification"] | None = None
    id2label: dict[str, str] | None = None
    num_labels: int | None = pydantic.Field(None, ge=1, le=2**16)

    @pydantic.model_validator(mode="after")
    def _check_labels(self):
        if self.id2label is not None:
            places = {str(index) for index in range(len(self.id2label))}
            if not 0 < len(places) <= 2**16 or self.id2label.keys() != places:
                raise ValueError("`id2label` must name 0, 1, ... in one piece")
        return self

    @property
    def label(self):
        """`Label`, with names where they have some."""
        if self.id2label is None:
            return Label(self.num_labels or 2)
        names = [self.id2label[str(index)] for index in range(len(self.id2label))]
        return Label(len(names), names)

    @property
    def label_or_number(self):
        """`Label`, or a `Number`: of a single label there is nothing but a value."""
        label = self.label
        return Number(label.words[0]) if label.num_classes == 1 else label


def describe_labels(model):
    """The keys of config.json that name the labels of a task."""
    names = {str(index): label for index, label in enumerate(model.labels)}
    return {
        "id2label": names,
        "label2id": {label: int(index) for index, label in names.items()},
    }
