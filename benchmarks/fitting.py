"""Our side of training steps: rounds of `fit` over arrays that are there already."""


def rounds(model, arrays, batch):
    """A round of `fit`, which has run once.

    Args:
        model: compiled `keras.Model`.
        arrays: nest of arrays `(N, ...)`, what a batch is cut from.
        batch: int, examples a step.

    Returns:
        function without arguments: trains on each batch once, in their order.
    """
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices(arrays)
    data = quiet(data.batch(batch, drop_remainder=True))

    def run():
        model.fit(data, epochs=1, shuffle=False, verbose=0)

    run()
    return run


def quiet(data):
    """A `tf.data.Dataset` without threads of its own.

    Every round ends a `fit`; with tf.data's tuner and prefetcher running, ending one
    sometimes waits a second for their threads.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)
