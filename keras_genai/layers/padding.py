"""Work on real tokens only."""

import tensorflow as tf

from keras_genai.layers.xla import in_xla


def at_real_tokens(layer, x, real):
    """What a layer makes of the tokens that are no padding, and 0 at padding.

    XLA must know all sizes: in what it compiles the layer works on padding, too.

    Args:
        layer: works on every token by itself, and keeps its width.
        x: float `(B, T, width)`.
        real: bool `(B, T)`, `False` at padding, or `None`: there is none.

    Returns:
        float `(B, T, width)`.
    """
    if real is None or in_xla():
        return layer(x)
    places = tf.where(real)  # (N, 2)
    tokens = tf.gather_nd(x, places)
    found = layer(tokens[None])[0]
    spread = tf.scatter_nd(places, found, tf.shape(x, out_type="int64"))
    return tf.ensure_shape(spread, x.shape)
