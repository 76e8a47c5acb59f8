"""Network: layers and nothing else, made from declared fields."""

import typing

from keras_genai.declared import Declared, Later, fields

# At least as many as the samples have; of others exactly as many.
AT_LEAST = ("num_classes", "vocabulary_size")


@typing.dataclass_transform(kw_only_default=True)
class Network(Declared):
    """Tensors in, tensors out: no loss, no data, no loop that decodes.

    What its samples are may be left to the task that it is given to: fields that
    nobody filled are filled by `complete`, and the layers are built then.

    Attributes:
        jit_generate: bool. Whether XLA compiles what draws samples with it.
    """

    jit_generate: typing.ClassVar = True

    def __call__(self, *args, **kwargs):
        if not self.built:
            self.complete()
        return super().__call__(*args, **kwargs)

    def complete(self, **sizes):
        """Fills in what was left open, from what the samples of a task are.

        Args:
            **sizes: values of fields, such as `vocabulary_size`; of those that this
                network has not, nothing is said.

        Returns:
            The network itself, built.

        Raises:
            ValueError: if a field has another value already, or is still open.
        """
        for key, value in sizes.items():
            if key in fields(type(self)):
                self._fill(key, value)
        open_ones = [
            key for key in fields(type(self)) if isinstance(getattr(self, key), Later)
        ]
        if open_ones:
            raise ValueError(
                f"`{open_ones[0]}` must be given to {self.name}, as the samples do not "
                f"say it. Received: {', '.join(sizes) or 'nothing'}"
            )
        self._make_if_complete()
        return self

    def get_tables(self):
        """Arrays beside the weights whose sizes depend on the data: dict by name."""
        return {}

    def set_tables(self, tables):
        """Puts back what `get_tables` returned.

        Raises:
            ValueError: if they are not those of such a network.
        """
        if tables:
            raise ValueError(f"{self.name} has no tables. Received: {sorted(tables)}")

    def _fill(self, key, value):
        own = getattr(self, key)
        if isinstance(own, Later) or (own is None and not self.built):
            self._take(key, value)
        elif own != value and not (key in AT_LEAST and own and own > value):
            allowed = f"an int >= {value}" if key in AT_LEAST else repr(value)
            raise ValueError(
                f"`{key}` must be {allowed}, as the samples of the task have it. "
                f"Received: a {type(self).__name__} with {key}={own!r}"
            )
