"""Switches of a model's transformer blocks."""

from keras_genai import compat


def set_in_blocks(model, name, value):
    """Sets an attribute of every block inside a model.

    Args:
        model: built `keras.Model`.
        name: str. The attribute, which blocks have.
        value: what it becomes.

    Returns:
        int. The number of blocks.

    Raises:
        ValueError: if there is no block.
    """
    blocks = [layer for layer in compat.layers_inside(model) if hasattr(layer, name)]
    if not blocks:
        raise ValueError(f"`model` must have Block layers. Received: {model.name}")
    for block in blocks:
        setattr(block, name, value)
    return len(blocks)
