"""Two optimizers of one model, for whatever looks for `model.optimizer`."""

import keras

from keras_genai import compat


class TwoOptimizers:
    """What Keras' callbacks and summaries ask an optimizer, answered by both.

    Not an optimizer itself: each of the two is saved and restored on its own. Keras'
    callbacks go through `optimizers` where there are several.

    Args:
        generator, discriminator: built `keras.optimizers.Optimizer`.
    """

    built = True

    def __init__(self, generator, discriminator):
        self.optimizers = [generator, discriminator]

    @property
    def iterations(self):
        return self.optimizers[0].iterations

    @property
    def variables(self):
        return [each for one in self.optimizers for each in one.variables]


class AveragesAtTheEnd(keras.callbacks.Callback):
    """Leaves the averaged weights in a model when `fit` ends, as Keras does for one."""

    def on_train_end(self, logs=None):
        for optimizer in self.model.optimizer.optimizers:
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            if inner.use_ema and int(inner.iterations):  # else there is no average yet
                inner.finalize_variable_values(compat.trained_variables(inner))
