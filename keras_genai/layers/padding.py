"""Work on real tokens only."""

import tensorflow as tf

from keras_genai.layers.blocks import set_in_blocks
from keras_genai.xla import in_xla


def skip_padding(model, skip=True):
    """Lets a model's feed-forward networks work on real tokens only.

    They are two thirds of a BERT's work. What it says of real tokens stays the same;
    what it says of padding, which means nothing, does not. Call it before the first
    `fit` or `predict`; it is no part of the model's config. XLA must know all sizes:
    in what it compiles, padding is worked on all the same.

    Args:
        model: built `keras.Model` with `Block` layers inside.
        skip: bool. `False` switches it off.

    Returns:
        int. The number of blocks.

    Raises:
        ValueError: if there is no block.
    """
    return set_in_blocks(model, "skips_padding", skip)


def at_real_tokens(layer, x, real):
    """What a layer makes of the tokens that are no padding, and 0 at padding.

    In XLA, of all tokens.

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
