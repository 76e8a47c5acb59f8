"""Number: a value, such as how alike two texts are."""

import dataclasses

import numpy as np

from keras_genai.modalities.text import Readable
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Number(Readable):
    """A finite number, or a text that names several.

    Args:
        name: str, what it is called.
    """

    name: str = "value"

    key = "values"
    noun = "numbers"

    @property
    def words(self):
        """tuple of str, one for each output of a head."""
        return (self.name,)

    def read(self, value, name=None):
        """Numbers as float32 `(N,)`.

        Raises:
            ValueError: if one is not finite, or none at all.
        """
        values = np.ravel(np.asarray(value))
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise ValueError(
                f"`{name or self.key}` must be finite numbers. "
                f"Received: {str(value)[:80]}"
            )
        return values.astype("float32")

    def said(self, value):
        return value if isinstance(value, str) else f"{float(value):g}"
