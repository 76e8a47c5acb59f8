"""DenoisingNetwork: what networks that remove noise share, and what they are told."""

import typing
from typing import Any, NamedTuple

from keras import ops

from keras_genai.declared import LATER, ImageShape, Size
from keras_genai.layers.conditioning import Conditioning, TextEncoder, real_states
from keras_genai.networks.base import Network


class Told(NamedTuple):
    """What a network is told beside its input.

    Attributes:
        embedding: float `(B, E)`, all that is said of the whole.
        states: float `(B, 1 + L, E)` of a text, or `None` without texts.
        real: bool `(B, 1 + L)`, `False` at states of padding, or `None`.
    """

    embedding: Any
    states: Any = None
    real: Any = None


@typing.dataclass_transform(kw_only_default=True)
class DenoisingNetwork(Network):
    """A network that sees something noisy, and is told how noisy it is and of what.

    A subclass calls `make_told` in `make`, and `joined` and `tell` in `call`.

    Args:
        sample_shape: `(H, W, C)` of what is noisy: pictures, a codec's latents, or
            videos whose frames are channels.
        num_classes: int or `None`. If given, it is told classes.
        vocabulary_size: int or `None`. If given, it reads texts.
        condition_shape: `(H, W, C')` or `None`. If given, it sees another picture, too.

    Call arguments:
        noisy: float32 `(B, *sample_shape)`, of deviation about 1.
        time: float32 `(B,)` in [0, 1], the noise level.
        condition: dict of what the network was built for: with classes `labels`, int
            `(B,)`, `num_classes` for any class; with texts `tokens`, int `(B, L)`, 0
            where nothing is; with another picture `condition`, float32
            `(B, H, W, C')` in [-1, 1]. Other keys are ignored.
        training: bool. Dropout is on if `True`.

    Returns:
        float32 `(B, *sample_shape)`.

    Raises:
        ValueError: if `condition` lacks something.
    """

    casts_inputs = False  # bfloat16 cannot tell neighbouring greys
    jit_generate = False  # XLA's convolutions are slow on CPUs

    sample_shape: ImageShape = LATER
    num_classes: Size | None = None
    vocabulary_size: Size | None = None
    condition_shape: ImageShape | None = None

    def check(self):
        sides = self.sample_shape[:2]
        if self.condition_shape and tuple(self.condition_shape[:2]) != tuple(sides):
            raise ValueError(
                f"`condition_shape` must have the sides of the samples, {sides}. "
                f"Received: condition_shape={self.condition_shape}"
            )

    @property
    def input_channels(self):
        """int: those of what is noisy, and of the other picture."""
        more = self.condition_shape[-1] if self.condition_shape else 0
        return self.sample_shape[-1] + more

    def make_told(self, width, units):
        """Makes the layers of `tell`.

        Args:
            width: even int. Waves of the noise level.
            units: int, a multiple of 4. Length of all vectors.
        """
        policy, reads = self.dtype_policy, self.vocabulary_size is not None
        self.conditioning = Conditioning(
            width,
            units,
            self.num_classes,
            units if reads else None,
            dtype=policy,
            name="conditioning",
        )
        self.conditioning.build()
        self.states_shape = None
        if reads:
            self.states_shape = (None, None, units)
            self.text = TextEncoder(
                self.vocabulary_size, units, dtype=policy, name="text"
            )
            self.text.build()

    def tell(self, time, condition):
        """`Told` of call arguments."""
        labels = self._part(condition, "labels") if self.num_classes else None
        if self.vocabulary_size is None:
            return Told(self.conditioning(time, labels))
        tokens = self._part(condition, "tokens")
        states = self.text(tokens)
        vector = self.conditioning(time, labels, states[:, 0])
        return Told(vector, states, real_states(tokens))

    def joined(self, noisy, condition):
        """float32 `(B, H, W, input_channels)`: all pictures of a call."""
        parts = [noisy]
        if self.condition_shape:
            parts.append(self._part(condition, "condition"))
        return ops.concatenate(parts, axis=-1)

    def _part(self, condition, key):
        if key not in condition:
            raise ValueError(
                f"`condition` must have {key!r}, as this {type(self).__name__} was "
                f"built for it. Received: {sorted(condition)}"
            )
        return condition[key]
