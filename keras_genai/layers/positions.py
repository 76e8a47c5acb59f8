"""Where a token stands: learned vectors, rotations, and what distances add."""

import math

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_flags, check_layer_sizes, check_sizes
from keras_genai.registry import register


@register
class LearnedPositions(keras.layers.Layer):
    """One trained vector a position, to be added to the token embedding.

    Args:
        context: int. Number of positions.
        width: int. Length of the vectors.
        initializer: of the table.

    Call arguments:
        positions: int `(...)`, each in `[0, context)`. Padding (`-1`) reads the
            first row; whoever attends must mask it.

    Returns:
        float `(..., width)`.
    """

    def __init__(self, context, width, initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        check_sizes(context=context, width=width)
        self.context = context
        self.width = width
        self.initializer = keras.initializers.get(initializer)

    def build(self, positions_shape=None):
        self.table = self.add_weight(
            (self.context, self.width), initializer=self.initializer, name="table"
        )

    def call(self, positions):
        rows = ops.clip(positions, 0, self.context - 1)
        return ops.cast(ops.take(self.table, rows, axis=0), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "context": self.context,
            "width": self.width,
            "initializer": keras.initializers.serialize(self.initializer),
        }


@register
class PeriodicPositions(keras.layers.Layer):
    """Trained vectors of the place within a period, to be added to token embeddings.

    In music, for instance, of the voice and of the place in a bar.

    Args:
        periods: tuple of int >= 2, in tokens. One table each; their vectors are added.
        width: int. Length of the vectors.
        initializer: of the tables.

    Call arguments:
        positions: int `(...)`. Padding (`-1`) reads the last row; whoever attends must
            mask it.

    Returns:
        float `(..., width)`.
    """

    def __init__(self, periods, width, initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        check_periods("periods", periods)
        check_sizes(width=width)
        self.periods = tuple(periods)
        self.width = width
        self.initializer = keras.initializers.get(initializer)

    def build(self, positions_shape=None):
        self.tables = [
            # A clone, because one initializer draws the same numbers every time.
            self.add_weight(
                (period, self.width),
                initializer=self.initializer.clone(),
                name=f"table_{period}",
            )
            for period in self.periods
        ]

    def call(self, positions):
        found = [
            ops.take(table, positions % period, axis=0)
            for period, table in zip(self.periods, self.tables, strict=True)
        ]
        return ops.cast(sum(found), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "periods": self.periods,
            "width": self.width,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def check_periods(name, periods):
    """Raises unless `periods` is a tuple of different ints >= 2.

    Raises:
        ValueError: if it is not.
    """
    allowed = "a tuple of different ints >= 2"
    check_layer_sizes(name, periods, allowed)
    if min(periods) < 2 or len({*periods}) < len(periods):
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={periods!r}")


def rotary_angles(positions, head_dim, base=10_000.0):
    """Cosines and sines by which queries and keys are turned.

    Args:
        positions: int `(T,)` or `(B, T)`.
        head_dim: even int. Half of the channels are turned against the other half.
        base: float. The slowest wave is `2 pi base` tokens long.

    Returns:
        float32 pair, each `(..., 1, T, head_dim // 2)`: ready for `(B, H, T, D)`.

    Reference: Su et al. 2021, eq. 34, https://arxiv.org/abs/2104.09864
    """
    half = head_dim // 2
    frequencies = base ** (-ops.arange(half, dtype="float32") / half)
    angles = ops.cast(positions, "float32")[..., None, :, None] * frequencies
    return ops.cos(angles), ops.sin(angles)


def rotate(x, rotation):
    """Turns channel `i` of `x` against channel `i + D // 2`.

    Args:
        x: float `(B, H, T, D)`.
        rotation: what `rotary_angles` returned. If it is for fewer channels than `x`
            has, the first ones are turned and the others stay.

    Returns:
        Like `x`.
    """
    cosine, sine = (ops.cast(part, x.dtype) for part in rotation)
    size = 2 * cosine.shape[-1]
    rest = [x[..., size:]] if size < x.shape[-1] else []
    first, second = ops.split(x[..., :size] if rest else x, 2, axis=-1)
    return ops.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine, *rest], axis=-1
    )


def relative_bucket(distance, num_buckets, max_distance, causal):
    """The bucket of each distance: near ones have their own, far ones share.

    Args:
        distance: int `(...)`, `key - query` in tokens.
        num_buckets: even int >= 4.
        max_distance: int. From here on every distance has the last bucket.
        causal: bool. If `False`, half of the buckets are for keys that come later.

    Returns:
        int32 `(...)` in `[0, num_buckets)`.

    Reference: Raffel et al. 2020, section 2.1, https://arxiv.org/abs/1910.10683
    """
    if causal:
        first, length = 0, ops.maximum(-distance, 0)
    else:
        num_buckets //= 2
        first = ops.cast(distance > 0, "int32") * num_buckets
        length = ops.abs(distance)
    # A table made once in float32: a compiled logarithm may round to another bucket.
    lengths = np.arange(max_distance + 1)
    exact = num_buckets // 2
    ratio = np.maximum(lengths, 1).astype("float32") / np.float32(exact)
    share = np.log(ratio) / np.float32(math.log(max_distance / exact))
    far = exact + (share * np.float32(num_buckets - exact)).astype("int32")
    table = np.where(lengths < exact, lengths, np.minimum(far, num_buckets - 1))
    place = ops.take(table.astype("int32"), ops.minimum(length, max_distance))
    return first + place


def check_buckets(num_buckets, max_distance):
    """Raises unless distances up to `max_distance` can share so many buckets.

    Raises:
        TypeError: if one is not an int.
        ValueError: if `num_buckets` is odd or below 4, or `max_distance` not above
            half of it.
    """
    check_sizes(num_buckets=num_buckets, max_distance=max_distance)
    if num_buckets < 4 or num_buckets % 2:
        raise ValueError(
            f"`num_buckets` must be an even int >= 4. Received: {num_buckets=}"
        )
    if max_distance <= num_buckets // 2:
        raise ValueError(
            "`max_distance` must be above half of `num_buckets`. "
            f"Received: {max_distance=}, {num_buckets=}"
        )


@register
class RelativePositionBias(keras.layers.Layer):
    """Learned bias on attention logits that depends only on `key - query` distance.

    Args:
        num_heads: int. One bias per head.
        num_buckets: even int >= 4. Near distances get one each, far ones share.
        max_distance: int, in tokens. Everything beyond shares the last bucket.
        causal: bool. If `True`, no bucket is spent on the future.
        initializer: of the table.

    Call arguments:
        query_positions: int `(Q,)` or `(B, Q)`. One cached decoding step is just
            `[position]`.
        key_positions: int `(K,)` or `(B, K)`.

    Returns:
        float `(1, num_heads, Q, K)` or `(B, num_heads, Q, K)`, to be added to the
        logits before softmax.

    Raises:
        ValueError: if `num_buckets` is odd or below 4, or `max_distance` not above
            half of it.

    Reference: Raffel et al. 2020, section 2.1, https://arxiv.org/abs/1910.10683
    """

    def __init__(
        self,
        num_heads,
        num_buckets=32,
        max_distance=128,
        causal=False,
        initializer="uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads)
        check_flags(causal=causal)
        check_buckets(num_buckets, max_distance)
        self.num_heads = num_heads
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.causal = causal
        self.initializer = keras.initializers.get(initializer)

    def build(self, query_positions_shape=None, key_positions_shape=None):
        self.table = self.add_weight(
            (self.num_buckets, self.num_heads),
            initializer=self.initializer,
            name="table",
        )

    def call(self, query_positions, key_positions):
        distance = key_positions[..., None, :] - query_positions[..., :, None]
        bucket = relative_bucket(
            distance, self.num_buckets, self.max_distance, self.causal
        )
        if len(bucket.shape) == 2:
            bucket = bucket[None]
        # A product, because the gradient of a look-up is one loop over all pairs.
        table = ops.cast(self.table, self.compute_dtype)
        choice = ops.one_hot(bucket, self.num_buckets, dtype=table.dtype)
        return ops.transpose(ops.matmul(choice, table), (0, 3, 1, 2))  # (B, H, Q, K)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "causal": self.causal,
            "initializer": keras.initializers.serialize(self.initializer),
        }


@register
class RelativeKeys(keras.layers.Layer):
    """A learned vector of every distance to what came before, compared with queries.

    It is what a key would have added to it at this distance. Of a whole text, whose
    tokens stand one after the other, memory grows with the length times the width:
    the products with all vectors are made once and each row is then moved into place.

    Args:
        num_heads: int. One table a head.
        head_dim: int. Length of the vectors.
        max_distance: int, in tokens. Everything beyond shares the last vector.
        initializer: of the table.

    Call arguments:
        query: float `(B, num_heads, Q, head_dim)`.
        distances: int `(B, Q, K)` or `(1, Q, K)`, `query - key` in tokens, or `None`:
            K is Q, and query `t` stands at `t`. What lies ahead, a negative distance,
            must be masked by whoever attends.

    Returns:
        float `(B, num_heads, Q, K)`, to be added to the logits before softmax.

    Reference: Shaw et al. 2018, section 3.2, https://arxiv.org/abs/1803.02155; for
        whole texts Huang et al. 2018, section 3.4.1, https://arxiv.org/abs/1809.04281
    """

    def __init__(
        self, num_heads, head_dim, max_distance, initializer="uniform", **kwargs
    ):
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads, head_dim=head_dim, max_distance=max_distance)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.max_distance = max_distance
        self.initializer = keras.initializers.get(initializer)

    def build(self, query_shape=None, distances_shape=None):
        self.table = self.add_weight(
            (self.num_heads, self.max_distance, self.head_dim),
            initializer=self.initializer,
            name="table",
        )

    def call(self, query, distances=None):
        table = ops.cast(self.table, query.dtype)
        if distances is None:
            return self._in_order(query, table)
        products = ops.matmul(query, ops.swapaxes(table, -1, -2))  # (B, H, Q, D)
        rows = ops.clip(distances, 0, self.max_distance - 1)[:, None]
        shape = (*ops.shape(products)[:3], ops.shape(distances)[-1])
        rows = ops.broadcast_to(rows, shape)
        return ops.take_along_axis(products, rows, axis=-1)

    def _in_order(self, query, table):
        length = query.shape[2] or ops.shape(query)[2]
        back = ops.arange(length - 1, -1, -1)
        table = ops.take(table, ops.minimum(back, self.max_distance - 1), axis=1)
        products = ops.matmul(query, ops.swapaxes(table, -1, -2))  # (B, H, T, T)
        # Row t is to be moved to the left by T - 1 - t: with a column more, and read
        # in rows of T, every row begins one later than the one before.
        wider = ops.pad(products, [[0, 0], [0, 0], [0, 0], [1, 0]])
        longer = ops.reshape(wider, (-1, self.num_heads, length + 1, length))
        return longer[:, :, 1:]

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "max_distance": self.max_distance,
            "initializer": keras.initializers.serialize(self.initializer),
        }
