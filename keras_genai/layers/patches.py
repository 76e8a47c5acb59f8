"""Pictures as sequences of square patches, and back."""

from keras import ops


def to_patches(images, patch):
    """`(B, H, W, C)` as `(B, H / patch * W / patch, patch * patch * C)`."""
    _, rows, columns, channels = images.shape
    down, right = rows // patch, columns // patch
    x = ops.reshape(images, (-1, down, patch, right, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, down * right, patch * patch * channels))


def from_patches(x, patch, shape):
    """The inverse of `to_patches`; `shape` is `(H, W, C)`."""
    rows, columns, channels = shape
    down, right = rows // patch, columns // patch
    x = ops.reshape(x, (-1, down, right, patch, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows, columns, channels))
