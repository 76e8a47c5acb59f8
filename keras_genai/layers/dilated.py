"""Causal dilated convolutions: over whole sequences, and step by step from a ring."""

import keras
from keras import ops

from keras_genai.checks import check_sizes
from keras_genai.registry import register

# Up to so many frames a product chooses them: the gradient of a look-up is a loop over
# all samples where XLA has to be deterministic on a GPU.
LARGEST_PRODUCT = 256


@register
class CausalConv1D(keras.layers.Layer):
    """Convolution over time that sees no later step, before the first one zeros.

    Step by step it reads a ring, float `(slots, B, C)`: the inputs of as many steps as
    the kernel reaches over. An input is written before the others are read, so that
    XLA keeps the ring in its place and copies nothing.

    Args:
        filters: int.
        kernel_size: int. Steps that are seen.
        dilation: int. From one of them to the next.

    Call arguments:
        inputs: float `(B, T, C)`.

    Returns:
        float `(B, T, filters)`.

    Reference: van den Oord et al. 2016, section 2.1, https://arxiv.org/abs/1609.03499;
        Le Paine et al. 2016 (the rings), https://arxiv.org/abs/1611.09482
    """

    def __init__(self, filters, kernel_size=2, dilation=1, **kwargs):
        super().__init__(**kwargs)
        check_sizes(filters=filters, kernel_size=kernel_size, dilation=dilation)
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation = dilation

    @property
    def reach(self):
        """int: how many steps back the first one seen is."""
        return (self.kernel_size - 1) * self.dilation

    def build(self, inputs_shape):
        self.channels = inputs_shape[-1]
        self.make_kernel((self.kernel_size, self.channels, self.filters))
        self.bias = self.add_weight((self.filters,), initializer="zeros", name="bias")

    def make_kernel(self, shape):
        """Makes what `filter_bank` needs; `shape` is that of its result."""
        self.kernel = self.add_weight(shape, "glorot_uniform", name="kernel")

    def filter_bank(self):
        """float `(kernel_size, C, filters)`."""
        return self.kernel

    def call(self, inputs):
        padded = ops.pad(inputs, ((0, 0), (self.reach, 0), (0, 0)))
        # The same product as in `step`.
        seen = [
            padded[:, self.reach - back : -back or None]
            for back in range(self.reach, -1, -self.dilation)
        ]
        return self._combined(seen)

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], self.filters)

    def empty_ring(self, batch_size):
        """float `(slots, B, C)`: that of sequences before their first step."""
        shape = self.reach + 1, batch_size, self.channels
        return ops.zeros(shape, self.compute_dtype)

    def step(self, inputs, ring, time):
        """What comes of one step.

        Args:
            inputs: float `(B, C)`.
            ring: see `empty_ring`.
            time: int32 scalar. Which step it is, the first 0.

        Returns:
            `(outputs, ring)`: float `(B, filters)`, and the ring with this step in it.
        """
        slots = self.reach + 1
        inputs = ops.cast(inputs, ring.dtype)
        ring = ops.slice_update(ring, (time % slots, 0, 0), inputs[None])
        back = range(self.reach, -1, -self.dilation)
        seen = [ring[(time - steps) % slots] for steps in back]
        return self._combined(seen), ring

    def _combined(self, seen):
        """float `(..., filters)` of the inputs that are seen, the oldest first."""
        kernel = ops.reshape(self.filter_bank(), (-1, self.filters))
        x = ops.concatenate(seen, axis=-1) @ ops.cast(kernel, self.compute_dtype)
        return x + ops.cast(self.bias, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
        }


@register
class GatedResidual(keras.layers.Layer):
    """A causal convolution through a gate, beside a short cut, and what skips the rest.

    Args:
        gate: even int. Filters of the convolution; one half opens what the other half
            says.
        skip: int. Channels of what goes to the end.
        kernel_size, dilation: see `CausalConv1D`.

    Call arguments:
        inputs: float `(B, T, C)`.
        condition: float `(B, T, E)`, or `(B, 1, E)` of what holds all the time, or
            `None`. `None` if the block was built without one.

    Returns:
        `(outputs, gates)`: float `(B, T, C)` and `(B, T, gate / 2)`, of which
        `sum_of_skips` makes what skips the rest.

    Reference: van den Oord et al. 2016, sections 2.3 to 2.5,
        https://arxiv.org/abs/1609.03499
    """

    def __init__(self, gate, skip, kernel_size=2, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.gate = gate
        self.skip = skip
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.convolution = CausalConv1D(
            *(gate, kernel_size, dilation), dtype=self.dtype_policy, name="convolution"
        )
        self.condition = keras.layers.Dense(
            gate, use_bias=False, dtype=self.dtype_policy, name="condition"
        )

    def build(self, inputs_shape, condition_shape=None):
        channels = inputs_shape[-1]
        self.channels = channels
        self.convolution.build(inputs_shape)
        if condition_shape is not None:
            self.condition.build(condition_shape)
        # One matrix for both: half as many products a step.
        self.output_projection = keras.layers.Dense(
            channels + self.skip, dtype=self.dtype_policy, name="output_projection"
        )
        self.output_projection.build((*inputs_shape[:-1], self.gate // 2))

    def call(self, inputs, condition=None):
        gates = _gate(self._convolved(inputs, condition))
        kernel, bias = self._projection()
        through = gates @ kernel[:, : self.channels] + bias[: self.channels]
        return inputs + through, gates

    def skip_weights(self):
        """`(kernel, bias)` from gates to what skips the rest."""
        kernel, bias = self._projection()
        return kernel[:, self.channels :], bias[self.channels :]

    def _projection(self):
        dense = self.output_projection
        return [ops.cast(x, self.compute_dtype) for x in (dense.kernel, dense.bias)]

    def _convolved(self, inputs, condition):
        x = self.convolution(inputs)
        return x if condition is None else x + self.condition(condition)

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        return tuple(inputs_shape), (*inputs_shape[:-1], self.gate // 2)

    def step(self, inputs, ring, time, told=None):
        """What comes of one step.

        Args:
            inputs: float `(B, C)`.
            ring, time: see `CausalConv1D.step`.
            told: float `(B, gate)`, what `condition` makes of this step's, or `None`.

        Returns:
            `(outputs, skipped, ring)`: float `(B, C)` and `(B, skip)`, and the ring.
        """
        x, ring = self.convolution.step(inputs, ring, time)
        gates = _gate(x if told is None else x + told)
        both = self.output_projection(gates)
        outputs = inputs + both[..., : self.channels]
        return outputs, both[..., self.channels :], ring

    def get_config(self):
        return {
            **super().get_config(),
            "gate": self.gate,
            "skip": self.skip,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
        }


def sum_of_skips(blocks, gates):
    """What all blocks give to the end, by one product.

    A product a block, and the sum of them, would write the widest tensor of the network
    as often as there are blocks.

    Args:
        blocks: list of `GatedResidual`.
        gates: list of float `(B, T, gate / 2)`, of each; see `GatedResidual`.

    Returns:
        float `(B, T, skip)`.
    """
    kernels, biases = zip(*(block.skip_weights() for block in blocks), strict=True)
    kernel = ops.concatenate(kernels, axis=0)
    return ops.concatenate(gates, axis=-1) @ kernel + sum(biases)


def _gate(x):
    """One half of the channels, as far as the other half opens."""
    said, opened = ops.split(x, 2, axis=-1)
    return ops.tanh(said) * ops.sigmoid(opened)


def between_frames(frames, hop, samples, starts=None):
    """Frames at every sample: on straight lines from one to the next.

    Args:
        frames: float `(B, F, C)`; frame f is of sample `f * hop`.
        hop: int.
        samples: int or int scalar tensor, T. What lies behind the last frame has its
            values.
        starts: int `(B,)`, the first sample of each row, or `None`: 0.

    Returns:
        float `(B, T, C)`.
    """
    last = ops.shape(frames)[1] - 1
    place = ops.arange(samples)[None]
    if starts is not None:
        # A start may be so late that its last sample is beyond int32.
        starts = ops.minimum(ops.cast(starts, "int32"), 2**31 - 1 - samples)
        place = place + starts[:, None]
    first = ops.minimum(place // hop, last)
    second = ops.minimum(first + 1, last)
    share = ops.cast(place % hop, frames.dtype)[..., None] / hop
    count = frames.shape[1]
    if count is not None and count <= LARGEST_PRODUCT:
        left, right = (
            ops.matmul(ops.one_hot(places, count, dtype=frames.dtype), frames)
            for places in (first, second)
        )
    else:
        left, right = _frames_at(frames, first), _frames_at(frames, second)
    return left + share * (right - left)


def _frames_at(frames, places):
    """float `(B, T, C)`, of int32 `(B or 1, T)`: whole rows of one table are copied.

    `take_along_axis` would look up every number by itself, at four times the cost.
    """
    count, length = ops.shape(frames)[:2]
    rows = length * ops.arange(count)[:, None] + places
    return ops.take(ops.reshape(frames, (-1, frames.shape[-1])), rows, axis=0)
