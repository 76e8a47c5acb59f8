"""Data: tokenizers, loaders that end in `tf.data`, and named sources.

Nothing is imported here, so that tokenizers do not cost a TensorFlow import.
"""
