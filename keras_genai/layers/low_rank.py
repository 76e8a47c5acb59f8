"""Dense layers with low-rank adapters; `keras_genai.layers.adapters` places them."""

import dataclasses
import re

import keras
import numpy as np
from keras import ops

from keras_genai.layers.replacing import name_scopes
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class LoRA:
    """What an adapter is like.

    Args:
        name: str of letters, digits, `-` and `_`.
        names: names of the `Dense` layers that get a pair of low matrices. Those of
            our `Attention` are `query`, `memory` (keys and values, in one matrix) and
            `output`, those of our `FeedForward` `expand` and `contract`.
        whole: names of `Dense` layers, such as a new head, of which the adapter has a
            copy that is trained whole.
        rank: int >= 1. The inner width of the pair.
        alpha: float. The pair's product is multiplied by `alpha / rank`.
        dropout: float in [0, 1). Rate on what enters the pair.
        seed: int. Of the initial numbers and the dropout.

    Raises:
        ValueError: if an argument is out of its range.

    Reference: Hu et al. 2021, section 4, https://arxiv.org/abs/2106.09685
    """

    name: str = "default"
    names: tuple = ("query", "memory")
    whole: tuple = ()
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    seed: int = 0

    def __post_init__(self):
        for key in ("names", "whole"):
            value = getattr(self, key)
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, key, value)
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(
                f"`name` must be letters, digits, - and _. Received: name={self.name!r}"
            )
        if not isinstance(self.rank, int) or self.rank < 1:
            raise ValueError(f"`rank` must be an int >= 1. Received: rank={self.rank}")
        if not 0 <= self.dropout < 1:
            raise ValueError(
                f"`dropout` must be in [0, 1). Received: dropout={self.dropout}"
            )

    def get_config(self):
        return dataclasses.asdict(self)


class AdaptedDense(keras.layers.Layer):
    """A `Dense` layer and what adapters make of it; `add` puts it into a model.

    Args:
        base: built `Dense`. Its weights are never written.
    """

    def __init__(self, base):
        super().__init__(dtype=base.dtype_policy, name=base.name)
        self.base = base
        self.parts = []
        self.active = None
        self.built = True

    def part(self, name):
        """The weights that the adapter of this name has here, or `None`."""
        return next((part for part in self.parts if part.name == name), None)

    def call(self, inputs):
        part = self.part(self.active)
        if part is None:
            return self.base(inputs)
        if isinstance(part, WholeCopy):
            return part(inputs)
        return self.base(inputs) + part(inputs)

    def get_config(self):
        raise ValueError(
            f"`{self.name}` has adapters, which no Keras file of this model can hold. "
            "Call `keras_genai.layers.adapters.merge(model)` first, or `save` for the "
            "adapter alone"
        )


class LowRankPair(keras.layers.Layer):
    """The product of two low matrices, which begins as zero.

    Args:
        base: built `Dense`, for the sizes.
        adapter: `LoRA`.
        seed: int.

    Call arguments:
        inputs: float `(..., inputs)`.

    Returns:
        float `(..., units)`, to be added to what `base` returns.
    """

    def __init__(self, base, adapter, seed):
        super().__init__(dtype=base.dtype_policy, name=adapter.name)
        if base.activation is not keras.activations.linear:
            raise ValueError(
                "`names` must be of Dense layers without an activation; put others "
                f"into `whole`. Received: {base.name}"
            )
        inputs, units = base.kernel.shape
        self.scale = adapter.alpha / adapter.rank
        with name_scopes(base.kernel.path.split("/")[:-1]):
            self.left = self.add_weight(
                (inputs, adapter.rank),
                initializer=keras.initializers.HeUniform(seed=seed),
                name="left",
            )
            self.right = self.add_weight(
                (adapter.rank, units), initializer="zeros", name="right"
            )
        self.dropout = keras.layers.Dropout(
            adapter.dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )
        self.built = True

    def call(self, inputs):
        low = ops.matmul(self.dropout(inputs), self.left)  # (..., rank)
        return ops.matmul(low, self.right) * self.scale

    def is_as_begun(self, base):
        """bool: whether the pair adds nothing to what `base` returns."""
        return not np.any(ops.convert_to_numpy(self.right))

    def fold_into(self, base):
        """Writes the weights of `base` with the pair in them."""
        product = ops.matmul(self.left.value, self.right.value)
        base.kernel.assign(base.kernel.value + product * self.scale)


class WholeCopy(keras.layers.Layer):
    """A trained copy of a `Dense` layer. Arguments are those of `LowRankPair`."""

    def __init__(self, base, adapter, seed):
        super().__init__(dtype=base.dtype_policy, name=adapter.name)
        self.activation = base.activation
        with name_scopes(base.kernel.path.split("/")[:-1]):
            self.kernel = self._copy(base.kernel, "kernel")
            self.bias = None if base.bias is None else self._copy(base.bias, "bias")
        self.built = True

    def call(self, inputs):
        x = ops.matmul(inputs, self.kernel)
        return self.activation(x if self.bias is None else x + self.bias)

    def _copy(self, weight, name):
        # As its first value, which is not asked for while weights are yet to be read.
        return self.add_weight(
            weight.shape,
            initializer=lambda shape, dtype: ops.cast(weight.value, dtype),
            name=name,
        )

    def is_as_begun(self, base):
        """bool: whether the weights are those of `base`."""
        return all(
            np.array_equal(ops.convert_to_numpy(old), ops.convert_to_numpy(new))
            for old, new in zip(base.weights, self.weights, strict=True)
        )

    def fold_into(self, base):
        """Writes the weights of `base` as they are here."""
        for old, new in zip(base.weights, self.weights, strict=True):
            old.assign(new)
