"""Language models on two replicas learn what one device learns from the same batch.

A process that uses TensorFlow already cannot split its CPU in two: this file, run as a
program, trains every model both ways and prints how far apart they are.
"""

import contextlib
import json
import pathlib
import subprocess
import sys

import pytest

# One process runs the program whose findings all tests look at.
pytestmark = pytest.mark.xdist_group("language_replicas")
ROWS, SOURCE, LENGTH, VOCABULARY = 4, 6, 5, 11
NAMES = (
    "GPT",
    "RNNLM",
    "RNNLM with lanes",
    "Transformer",
    "BART",
    "Blenderbot",
    "T5",
    "RecurrentSeq2Seq",
    "MaskedLM",
    "SequenceClassifier",
    "TokenClassifier",
    "QuestionAnswering",
    "RecurrentEncoder",
)


def makers():
    """dict of `(function that makes a model, inputs, targets)` by name."""
    import numpy as np

    from keras_genai import models
    from keras_genai.tasks import encoder
    from keras_genai.tasks.answering import QuestionAnswering

    draws = np.random.default_rng(0)

    def ints(length, most=VOCABULARY):
        return draws.integers(1, most, (2 * ROWS, length)).astype("int32")

    tokens, targets = ints(LENGTH), ints(LENGTH)
    real = np.arange(SOURCE) < draws.integers(2, SOURCE, (2 * ROWS, 1))
    pairs = {"inputs": ints(SOURCE), "inputs_mask": real, "targets": tokens}
    read = {
        "tokens": ints(SOURCE),
        "tokens_mask": real,
        "segments": ints(SOURCE, 2),
    }
    sizes = {"width": 8, "num_heads": 2, "hidden": 12, "dropout": 0.0}
    halves = {"context": 8, "encoder_depth": 1, "decoder_depth": 1, **sizes}

    def of(kind, **settings):
        return lambda: kind(VOCABULARY, **settings)

    def with_head(head, **settings):
        return lambda: head(
            models.BERT(VOCABULARY, context=8, depth=1, **sizes), **settings
        )

    recurrent = {"embedding_dim": 6, "units": 4, "num_layers": 1}
    t5 = {name: value for name, value in halves.items() if name != "context"}
    columns = np.arange(2 * ROWS) % 2
    return {
        "GPT": (of(models.GPT, context=8, depth=1, **sizes), tokens, targets),
        "RNNLM": (of(models.RNNLM, **recurrent), tokens, targets),
        "RNNLM with lanes": (
            of(models.RNNLM, lanes=ROWS, **recurrent),
            tokens,
            targets,
        ),
        "Transformer": (of(models.Transformer, **halves), pairs, targets),
        "BART": (of(models.BART, **halves), pairs, targets),
        "Blenderbot": (of(models.Blenderbot, **halves), pairs, targets),
        "T5": (of(models.T5, head_dim=4, **t5), pairs, targets),
        "RecurrentSeq2Seq": (
            of(models.RecurrentSeq2Seq, dropout=0.0, **recurrent),
            pairs,
            targets,
        ),
        "MaskedLM": (
            with_head(encoder.MaskedLM),
            {**read, "places": ints(2, SOURCE)},
            ints(2),
        ),
        "SequenceClassifier": (
            with_head(encoder.SequenceClassifier, dropout=0.0),
            read,
            columns,
        ),
        "TokenClassifier": (
            with_head(encoder.TokenClassifier, dropout=0.0),
            read,
            ints(SOURCE, 2),
        ),
        "QuestionAnswering": (
            with_head(QuestionAnswering),
            read,
            {"start": columns, "end": columns + 1},
        ),
        "RecurrentEncoder": (
            lambda: encoder.SequenceClassifier(
                models.RecurrentEncoder(VOCABULARY, dropout=0.0, **recurrent),
                dropout=0.0,
            ),
            read,
            columns,
        ),
    }


def learn(make, inputs, targets, scope):
    """What two batches change, and the loss that is logged."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    with scope:
        model = make()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if isinstance(targets, dict):
            loss = dict.fromkeys(targets, loss)
        model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=[])
    before = [each.numpy() for each in model.trainable_variables]
    data = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(ROWS)
    history = model.fit(data, shuffle=False, verbose=0).history
    after = [each.numpy() for each in model.trainable_variables]
    change = [new - old for new, old in zip(after, before, strict=True)]
    return np.concatenate([each.ravel() for each in change]), history["loss"][0]


def compare():
    import numpy as np
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, two)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {}
    for name, settings in makers().items():
        one, loss = learn(*settings, contextlib.nullcontext())
        other, other_loss = learn(*settings, strategy.scope())
        apart = float(np.abs(one - other).max())
        found[name] = float(np.linalg.norm(one)), apart, loss, other_loss
    return found


@pytest.fixture(scope="module")
def found():
    root = pathlib.Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, __file__], cwd=root, capture_output=True, text=True
    )
    assert not run.returncode, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(name, found):
    norm, apart, loss, other_loss = found[name]
    assert norm > 1e-3
    assert apart < 1e-6
    assert other_loss == pytest.approx(loss, rel=1e-5)


if __name__ == "__main__":
    sys.path.insert(0, "")
    print(json.dumps(compare()))
