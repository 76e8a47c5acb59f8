"""CTC loss and its gradient: ours, tf.nn.ctc_loss dense and sparse, torch.nn.CTCLoss.

Run:  python -m pip install -e ".[bench]" && python benchmarks/ctc_loss.py

32 rows of 200 frames, 40 symbols and up to 20 labels, float32; frames and labels differ
in length. One `step` is the loss of one batch and the gradient of its logits, in a
graph on TensorFlow's side. What the sides find is compared.
"""

import argparse

import alternate

BATCH, FRAMES, SYMBOLS, LABELS = 32, 200, 40, 20


def arrays():
    """logits `(B, T, V)`, labels `(B, L)`, and how many of each row are real."""
    import numpy as np

    draws = np.random.default_rng(0)
    logits = draws.normal(size=(BATCH, FRAMES, SYMBOLS)).astype("float32")
    labels = draws.integers(1, SYMBOLS, (BATCH, LABELS)).astype("int32")
    frames = draws.integers(3 * FRAMES // 4, FRAMES + 1, BATCH).astype("int32")
    counts = draws.integers(LABELS // 2, LABELS + 1, BATCH).astype("int32")
    return logits, labels, frames, counts


def tensorflow_side(loss, options):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    logits, *rest = map(tf.constant, arrays())

    @tf.function(jit_compile=options.jit)
    def both(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = loss(logits, *rest)
        return found, tape.gradient(found, logits)

    def run():
        for _ in range(options.steps):
            found, gradient = both(logits)
        return {"loss": found.numpy().tolist(), "gradient": float(gradient[0, 0, 0])}

    run()
    return run


def ours(options):
    from keras_genai.ctc import ctc_loss

    return tensorflow_side(ctc_loss, options)


def tf_dense(options):
    import tensorflow as tf

    def loss(logits, labels, frames, counts):
        return tf.nn.ctc_loss(
            labels, logits, counts, frames, logits_time_major=False, blank_index=0
        )

    return tensorflow_side(loss, options)


def tf_sparse(options):
    import tensorflow as tf

    def loss(logits, labels, frames, counts):
        mask = tf.sequence_mask(counts, labels.shape[1])
        sparse = tf.SparseTensor(
            tf.where(mask), tf.boolean_mask(labels, mask), (BATCH, LABELS)
        )
        return tf.nn.ctc_loss(
            sparse, logits, None, frames, logits_time_major=False, blank_index=0
        )

    return tensorflow_side(loss, options)


def torch_ctc(options):
    import torch

    torch.set_num_threads(options.threads)
    logits, labels, frames, counts = map(torch.from_numpy, arrays())
    logits.requires_grad_()
    criterion = torch.nn.CTCLoss(reduction="none")

    def run():
        for _ in range(options.steps):
            logits.grad = None
            scores = logits.log_softmax(-1).transpose(0, 1)
            loss = criterion(scores, labels, frames, counts)
            loss.sum().backward()
        found = loss.detach().tolist()
        return {"loss": found, "gradient": logits.grad[0, 0, 0].item()}

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    text = "compile TensorFlow's sides with XLA (not the sparse one)"
    parser.add_argument("--jit", action="store_true", help=text)
    sides = {
        "ours": ours,
        "tf_dense": tf_dense,
        "tf_sparse": tf_sparse,
        "torch": torch_ctc,
    }
    results = alternate.main(sides, parser)
    if results:
        import numpy as np

        targets = {"tf_dense": 0.5, "tf_sparse": None, "torch": 1.5}
        for name in set(results) & set(targets) if "ours" in results else ():
            alternate.print_ratio(results, "ours", name, targets[name])
            both = [results[side][0]["loss"] for side in ("ours", name)]
            print(f"largest difference: {np.abs(np.subtract(*both)).max():.1e} nats")
