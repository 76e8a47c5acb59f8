"""Attention: one function, one layer, and the masks and cache that go with it."""

import contextlib
import contextvars
import math

import keras
from keras import ops

from keras_genai.checks import check_flags, check_given_sizes, check_sizes
from keras_genai.layers.dense import Dense
from keras_genai.layers.positions import rotate
from keras_genai.layers.rms import rms_norm
from keras_genai.layers.soft_cap import soft_cap
from keras_genai.registry import register

_WITHOUT_XLA = contextvars.ContextVar("without_xla", default=False)


def attend(query, key, value, bias=None, attention_mask=None, scale=1.0, cap=None):
    """Scaled dot-product attention, softmax in float32.

    Args:
        query: float `(B, H, Q, D)`.
        key: float `(B, G, K, D)`; `G` divides `H`, each group of `H / G` query
            heads shares one key head. It may be kept in another dtype.
        value: float `(B, G, K, D)`, like `key`.
        bias: float, added to the logits, broadcast to `(B, H, Q, K)`.
        attention_mask: bool, broadcast to `(B, H, Q, K)`; `True` may be seen.
        scale: float. Factor of the logits.
        cap: float or `None`. What the logits are bent to stay below, see `soft_cap`.

    Returns:
        float `(B, H, Q, D)`.

    Reference: Vaswani et al. 2017, eq. 1, https://arxiv.org/abs/1706.03762
    """
    heads, length, head_dim = query.shape[1], ops.shape(query)[2], query.shape[3]
    groups, slots = key.shape[1], ops.shape(key)[2]
    key, value = (ops.cast(part, query.dtype) for part in (key, value))
    if heads != groups:  # fold the heads of a group into its rows
        query = ops.reshape(query, (-1, groups, heads // groups * length, head_dim))
    logits = ops.cast(_products(query * scale, key), "float32")
    if cap is not None:
        logits = soft_cap(logits, cap)
    if heads != groups:
        logits = ops.reshape(logits, (-1, heads, length, slots))
    if bias is not None:
        logits = logits + ops.cast(bias, "float32")
    if attention_mask is not None:
        # Finite, so that a row that sees nothing stays finite too.
        logits = ops.where(attention_mask, logits, -1e9)
    # Keras warns of a softmax over a single slot, which is 1.
    alone = logits.shape[-1] == 1
    weights = ops.ones_like(logits) if alone else ops.softmax(logits, axis=-1)
    weights = ops.cast(weights, value.dtype)
    if heads != groups:
        weights = ops.reshape(weights, (-1, groups, heads // groups * length, slots))
    return ops.reshape(ops.matmul(weights, value), (-1, heads, length, head_dim))


def _products(query, key):
    """`(B, G, Q, K)`: of every query `(B, G, Q, D)` with every key `(B, G, K, D)`."""
    if query.shape[2] == 1:  # XLA would write the keys down transposed, for every token
        return ops.swapaxes(ops.matmul(key, ops.swapaxes(query, -1, -2)), -1, -2)
    return ops.matmul(query, ops.swapaxes(key, -1, -2))


def causal_mask(length):
    """bool `(1, 1, length, length)`: position `t` sees `0 .. t`."""
    rows = ops.arange(length)
    return (rows[None, :] <= rows[:, None])[None, None]


def segment_mask(segments):
    """Who sees whom in rows that hold several texts: each token its own, up to itself.

    Args:
        segments: int `(B, T)`, the number of the text that each token belongs to.

    Returns:
        bool `(B, 1, T, T)`.
    """
    same = segments[:, None, :] == segments[:, :, None]
    length = segments.shape[1] or ops.shape(segments)[1]
    return same[:, None] & causal_mask(length)


def position_mask(query_positions, key_positions):
    """Who sees whom when every token carries its position.

    Args:
        query_positions: int `(B, Q)`.
        key_positions: int `(B, K)`; `-1` marks an empty slot or padding.

    Returns:
        bool `(B, 1, Q, K)`.
    """
    keys = key_positions[:, None, :]
    return ((keys >= 0) & (keys <= query_positions[:, :, None]))[:, None]


def window_mask(query_positions, key_positions, window):
    """Who is near: the last `window` tokens, a token itself among them.

    Args:
        query_positions: int `(B, Q)`.
        key_positions: int `(B, K)`.
        window: int.

    Returns:
        bool `(B, 1, Q, K)`, true in the future, too.

    Reference: Beltagy et al. 2020, section 3.1, https://arxiv.org/abs/2004.05150
    """
    distance = query_positions[:, :, None] - key_positions[:, None, :]
    return (distance < window)[:, None]


@contextlib.contextmanager
def without_xla():
    """Context in which graphs are made that run where there is no XLA at all.

    `write_slots` is otherwise an operation of XLA, which compiles it on the spot.
    """
    token = _WITHOUT_XLA.set(True)
    try:
        yield
    finally:
        _WITHOUT_XLA.reset(token)


def write_slots(buffer, values, index, axis):
    """`buffer` with `values` written from slot `index` on along `axis`."""
    values = ops.cast(values, buffer.dtype)
    if _WITHOUT_XLA.get():
        return _joined(buffer, values, index, axis)
    start = [0] * len(buffer.shape)
    start[axis] = index
    if axis < 2 or buffer.shape[0] != 1 or None in (*buffer.shape, *values.shape):
        return ops.slice_update(buffer, start, values)
    # Of a single text with all axes before it as one, as products read it and loops
    # carry it: XLA writes in place then, and otherwise copies the whole buffer. With
    # more rows it is the other way round.
    shape = buffer.shape
    buffer, values = (
        ops.reshape(part, (math.prod(shape[:axis]), *part.shape[axis:]))
        for part in (buffer, values)
    )
    return ops.reshape(ops.slice_update(buffer, [0, *start[axis:]], values), shape)


def _joined(buffer, values, index, axis):
    """What `write_slots` returns, by operations that every runtime has."""
    if values.shape[axis] == 1:
        slots = ops.arange(ops.shape(buffer)[axis])
        here = ops.reshape(slots == index, (-1, *[1] * (len(buffer.shape) - axis - 1)))
        return ops.where(here, values, buffer)
    end = index + ops.shape(values)[axis]
    around = [slice(None)] * axis
    before = buffer[(*around, slice(None, index))]
    after = buffer[(*around, slice(end, None))]
    return ops.concatenate([before, values, after], axis=axis)


@register
class Attention(keras.layers.Layer):
    """Multi-head attention over keys and values that are given to it.

    Self-, cross- and cached attention are the same call: `project_memory(x)`
    makes keys and values of any sequence, once; they may be stored.

    Args:
        num_heads: int.
        head_dim: int.
        num_memory_heads: int or `None` (`num_heads`). Fewer is grouped-query
            attention, Ainslie et al. 2023, https://arxiv.org/abs/2305.13245
        use_bias: bool.
        scale: float or `None` (`head_dim ** -0.5`).
        normalize: bool. RMS-normalises queries and keys, Henry et al. 2020,
            https://arxiv.org/abs/2010.04245
        initializer: of query, key and value kernels.
        output_initializer: of the output kernel.
        query_initializer: of the query kernel, or `None` (`initializer`).
        relative_keys: `RelativeKeys` of as many heads, or `None`.
        output_bias: bool or `None` (`use_bias`). Whether the output has a bias.
        cap: float or `None`. See `attend`.
        norm_epsilon, norm_offset: of `normalize`; see `keras_genai.layers.rms`.

    Call arguments:
        inputs: float `(B, Q, width)`.
        memory: pair of float `(B, G, K, head_dim)` from `project_memory`.
        bias, attention_mask: see `attend`.
        rotation: from `rotary_angles` for the queries' positions, or `None`.
        distances: see `RelativeKeys`.

    Returns:
        float `(B, Q, width)`.

    Raises:
        ValueError: if `num_heads` is not a multiple of `num_memory_heads`.
    """

    def __init__(  # noqa: PLR0913 - what published models differ in
        self,
        num_heads,
        head_dim,
        num_memory_heads=None,
        use_bias=True,
        scale=None,
        normalize=False,
        initializer="glorot_uniform",
        output_initializer="glorot_uniform",
        query_initializer=None,
        relative_keys=None,
        output_bias=None,
        cap=None,
        norm_epsilon=1e-6,
        norm_offset=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads, head_dim=head_dim)
        check_given_sizes(num_memory_heads=num_memory_heads)
        check_flags(use_bias=use_bias, normalize=normalize)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.num_memory_heads = num_memory_heads or num_heads
        if num_heads % self.num_memory_heads:
            raise ValueError(
                "`num_heads` must be a multiple of `num_memory_heads`. "
                f"Received: {num_heads=}, {num_memory_heads=}"
            )
        self.use_bias = use_bias
        self.output_bias = use_bias if output_bias is None else output_bias
        self.cap = cap
        self.norm_epsilon = norm_epsilon
        self.norm_offset = norm_offset
        self.scale = head_dim**-0.5 if scale is None else scale
        self.normalize = normalize
        self.initializer = keras.initializers.get(initializer)
        self.output_initializer = keras.initializers.get(output_initializer)
        self.query_initializer = keras.initializers.get(query_initializer)
        self.relative_keys = relative_keys
        self.memory = None

    def build(self, inputs_shape, memory_shape=None):
        """Makes the weights; `memory_shape` is that of the other sequence, if any."""
        self._make_parts()
        self.width = inputs_shape[-1]
        self.query.build((None, None, self.width))
        is_sequence = memory_shape is not None and not keras.tree.is_nested(
            memory_shape[0]
        )
        self.build_memory(memory_shape if is_sequence else inputs_shape)
        self.output_projection.units = self.width
        self.output_projection.build((None, None, self.query.units))
        if self.normalize:
            self.query_norm.build((None, None, None, self.head_dim))
        build_once(self.relative_keys)

    def build_memory(self, memory_shape):
        """Makes the weights of `project_memory`, once."""
        self._make_parts()
        if self.memory.built:
            return
        self.memory_width = memory_shape[-1]
        self.memory.build((None, None, self.memory_width))
        if self.normalize:
            self.key_norm.build((None, None, None, self.head_dim))

    def get_build_config(self):
        # Keras notes the shapes of what `call` sees, which do not say how wide the
        # other sequence was.
        if not self.built:
            return None
        shapes = {
            "inputs_shape": (None, None, self.width),
            "memory_shape": (None, None, self.memory_width),
        }
        return {"shapes_dict": shapes}

    def _make_parts(self):
        # In one order, whatever is built first: files hold the state of an optimizer
        # in the order of the weights.
        if self.memory is not None:
            return
        units = self.num_heads * self.head_dim
        self.query = self._dense(units, "query", self.query_initializer, self.use_bias)
        # Keys and values are one wide matrix, keys first.
        self.memory = self._dense(
            2 * self.num_memory_heads * self.head_dim, "memory", None, self.use_bias
        )
        # As wide as the inputs, which `build` sees.
        self.output_projection = self._dense(
            1, "output", self.output_initializer, self.output_bias
        )
        if self.normalize:
            self.query_norm, self.key_norm = (
                rms_norm(name, self.norm_epsilon, self.norm_offset)
                for name in ("query_norm", "key_norm")
            )

    def project_memory(self, memory, rotation=None):
        """Keys and values of `memory`, float `(B, K, width)`.

        Returns:
            pair of float `(B, G, K, head_dim)`.
        """
        if isinstance(memory, keras.KerasTensor):
            return MemoryProjection(self)(memory, rotation)
        self.build_memory(memory.shape)
        key, value = ops.split(self.memory(memory), 2, axis=-1)
        key, value = self._heads(key), self._heads(value)
        if self.normalize:
            key = ops.cast(self.key_norm(key), self.compute_dtype)
        return (key if rotation is None else rotate(key, rotation)), value

    def call(
        self,
        inputs,
        memory,
        bias=None,
        attention_mask=None,
        rotation=None,
        distances=None,
    ):
        query = self._heads(self.query(inputs))
        if self.normalize:
            query = ops.cast(self.query_norm(query), self.compute_dtype)
        if rotation is not None:
            query = rotate(query, rotation)
        if self.relative_keys is not None:
            further = self.relative_keys(query * self.scale, distances=distances)
            bias = further if bias is None else bias + further
        mixed = attend(query, *memory, bias, attention_mask, self.scale, self.cap)
        mixed = ops.transpose(mixed, (0, 2, 1, 3))  # (B, Q, H, D)
        length = ops.shape(mixed)[1]
        return self.output_projection(
            ops.reshape(mixed, (-1, length, self.num_heads * self.head_dim))
        )

    def _heads(self, x):
        x = ops.reshape(
            x, (-1, ops.shape(x)[1], x.shape[-1] // self.head_dim, self.head_dim)
        )
        return ops.transpose(x, (0, 2, 1, 3))  # (B, H, T, D)

    def _dense(self, units, name, initializer, use_bias):
        # A clone, because one initializer draws the same numbers every time.
        return Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=(initializer or self.initializer).clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "num_memory_heads": self.num_memory_heads,
            "use_bias": self.use_bias,
            "scale": self.scale,
            "normalize": self.normalize,
            "initializer": keras.initializers.serialize(self.initializer),
            "output_initializer": keras.initializers.serialize(self.output_initializer),
            "query_initializer": keras.initializers.serialize(self.query_initializer),
            "relative_keys": serialized(self.relative_keys),
            "output_bias": self.output_bias,
            "cap": self.cap,
            "norm_epsilon": self.norm_epsilon,
            "norm_offset": self.norm_offset,
        }

    @classmethod
    def from_config(cls, config):
        relative_keys = deserialized(config.get("relative_keys"))
        return cls(**{**config, "relative_keys": relative_keys})


@register
class MemoryProjection(keras.layers.Layer):
    """`owner.project_memory` as a layer, of which functional models are made.

    Args:
        owner: layer with `build_memory(shape)` and `project_memory`, such as
            `Attention` or `DecoderStack`.

    Call arguments:
        memory: float `(B, K, width)`.
        detail: what else `owner.project_memory` takes, or `None`.

    Returns:
        What `owner.project_memory` returns.
    """

    def __init__(self, owner, **kwargs):
        super().__init__(**kwargs)
        self.owner = owner

    def build(self, memory_shape):
        self.owner.build_memory(memory_shape)

    def call(self, memory, detail=None):
        details = () if detail is None else (detail,)
        return self.owner.project_memory(memory, *details)

    def get_config(self):
        # Keras notes that an object is shared from the second time it sees it.
        serialized(self.owner)
        return {**super().get_config(), "owner": serialized(self.owner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "owner": deserialized(config["owner"])})


serialized = keras.saving.serialize_keras_object
deserialized = keras.saving.deserialize_keras_object


def build_once(layer, *shapes):
    """Builds a layer that may have come with its weights out of a file."""
    if layer is not None and not layer.built:
        layer.build(*shapes)
