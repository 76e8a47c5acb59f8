"""Batch normalisation that means the whole batch, however many replicas share it."""

import keras

from keras_genai import replicas
from keras_genai.registry import register


@register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer; under several replicas its statistics are those of all their rows.

    Otherwise the moving averages of the replicas drift apart, and a file holds those
    of the first one. On one device it is Keras' layer to the bit.
    """

    def call(self, inputs, training=None, mask=None):
        self.synchronized = replicas.count() > 1
        return super().call(inputs, training=training, mask=mask)
