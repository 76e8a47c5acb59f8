"""The CTC loss and its gradient are torch's, which `make_ctc.py` wrote down."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from keras_genai.ctc import ctc_loss

FILE = pathlib.Path(__file__).parent / "files" / "ctc.json"


def test_value_and_gradient_are_those_of_torch():
    stored = json.loads(FILE.read_text("utf-8"))
    stored = {name: np.array(values) for name, values in stored.items()}
    logits = tf.constant(stored["logits"], "float32")
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ctc_loss(logits, stored["labels"], stored["frames"], stored["lengths"])
    np.testing.assert_allclose(loss, stored["loss"], rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(loss, logits)
    np.testing.assert_allclose(gradient, stored["gradient"], atol=1e-5)
