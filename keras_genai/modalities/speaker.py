"""Speaker: who is heard."""

import dataclasses

import numpy as np

from keras_genai.modalities.text import Label
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Speaker(Label):
    """One of several people: a `Label` of its own, beside that of what is said.

    Args:
        num_classes: int. How many there are.
        names: tuple of str, or `None`.
    """

    key = "speakers"
    conditions = ()

    @property
    def sizes(self):
        return {"num_speakers": self.num_classes}

    def in_turn(self, count):
        # Not in step with labels: of ten digits each is said by several people.
        turns = np.arange(count) + np.arange(count) // self.num_classes
        return (turns % self.num_classes).astype("int32")

    def wished(self, asked, count):
        return {self.key: self.in_turn(count)}
