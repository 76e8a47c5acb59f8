"""Language models on two replicas learn what one device learns from the same batch.

This file is a program, too; see `tests/two_cpus.py`.
"""

import pytest
from two_cpus import check_training, findings, report, training

# One process runs the program whose findings all tests look at.
pytestmark = pytest.mark.xdist_group("language_replicas")
ROWS, SOURCE, LENGTH, VOCABULARY = 4, 6, 5, 11
NAMES = (
    "GPT",
    "RNN",
    "RNN with lanes",
    "EncoderDecoder",
    "EncoderDecoder of BART",
    "EncoderDecoder of Blenderbot",
    "T5",
    "RecurrentEncoderDecoder",
    "MaskedLM",
    "SequenceClassifier",
    "TokenClassifier",
    "QuestionAnswering",
    "RecurrentEncoder",
)


SIZES = dict(context=8, width=8, num_heads=2, inner_width=12)
DEPTHS = dict(encoder_depth=1, decoder_depth=1, dropout=0.0)
RECURRENT = dict(embedding_dim=6, units=4, num_layers=1)


def causal():
    """dict of functions that make a model of the next token."""
    from flat import flat

    from keras_genai.networks.gpt import GPT
    from keras_genai.networks.rnn import RNN
    from keras_genai.tasks.language import CausalLM
    from keras_genai.tasks.truncated import TruncatedLM

    def task(kind, network, **settings):
        return lambda: flat(kind, network, vocabulary_size=VOCABULARY, **settings)

    return {
        "GPT": task(CausalLM, GPT, depth=1, **SIZES),
        "RNN": task(TruncatedLM, RNN, **RECURRENT),
        "RNN with lanes": task(TruncatedLM, RNN, lanes=ROWS, **RECURRENT),
    }


def rewriters():
    """dict of functions that make a model of one text from another."""
    from keras_genai.networks.encoder_decoder import BART, BLENDERBOT, EncoderDecoder
    from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
    from keras_genai.networks.t5 import T5
    from keras_genai.tasks.seq2seq import Seq2SeqLM

    def task(network, **settings):
        return lambda: Seq2SeqLM(network(vocabulary_size=VOCABULARY, **settings))

    halves = SIZES | DEPTHS
    t5 = {name: value for name, value in halves.items() if name != "context"}
    return {
        "EncoderDecoder": task(EncoderDecoder, **halves),
        "EncoderDecoder of BART": task(EncoderDecoder, style=BART, **halves),
        "EncoderDecoder of Blenderbot": task(
            EncoderDecoder, style=BLENDERBOT, **halves
        ),
        "T5": task(T5, head_dim=4, **t5),
        "RecurrentEncoderDecoder": task(
            RecurrentEncoderDecoder, dropout=0.0, **RECURRENT
        ),
    }


def readers():
    """dict of functions that make an encoder with a head."""
    from keras_genai.networks.bert import BERT
    from keras_genai.networks.recurrent_encoder import RecurrentEncoder
    from keras_genai.tasks.answering import QuestionAnswering
    from keras_genai.tasks.classification import SequenceClassifier
    from keras_genai.tasks.masked import MaskedLM
    from keras_genai.tasks.tagging import TokenClassifier

    def task(head, network=BERT, sizes=SIZES | {"depth": 1}, **settings):
        own = dict(vocabulary_size=VOCABULARY, dropout=0.0, **sizes)
        return lambda: head(network(**own), **settings)

    return {
        "MaskedLM": task(MaskedLM),
        "SequenceClassifier": task(SequenceClassifier, dropout=0.0),
        "TokenClassifier": task(TokenClassifier, dropout=0.0),
        "QuestionAnswering": task(QuestionAnswering),
        "RecurrentEncoder": task(
            SequenceClassifier, RecurrentEncoder, RECURRENT, dropout=0.0
        ),
    }


def cases():
    """dict of `(function that makes a model, inputs, targets)` by name."""
    import numpy as np

    draws = np.random.default_rng(0)

    def ints(length, most=VOCABULARY):
        return draws.integers(1, most, (2 * ROWS, length)).astype("int32")

    tokens, targets = ints(LENGTH), ints(LENGTH)
    real = np.arange(SOURCE) < draws.integers(2, SOURCE, (2 * ROWS, 1))
    pairs = {"inputs": ints(SOURCE), "inputs_mask": real, "targets": tokens}
    read = {"tokens": ints(SOURCE), "tokens_mask": real, "segments": ints(SOURCE, 2)}
    columns = np.arange(2 * ROWS) % 2
    headed = {
        "MaskedLM": ({**read, "places": ints(2, SOURCE)}, ints(2)),
        "TokenClassifier": (read, ints(SOURCE, 2)),
        "QuestionAnswering": (read, {"start": columns, "end": columns + 1}),
    }
    found = {name: (make, tokens, targets) for name, make in causal().items()}
    found |= {name: (make, pairs, targets) for name, make in rewriters().items()}
    return found | {
        name: (make, *headed.get(name, (read, columns)))
        for name, make in readers().items()
    }


def compared(make, inputs, targets, strategy):
    """Two batches, on one device and on two."""
    import keras
    import tensorflow as tf

    def compiled():
        model = make()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if isinstance(targets, dict):
            loss = dict.fromkeys(targets, loss)
        model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=[])
        return model

    def fit(model):
        data = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(ROWS)
        return model.fit(data, shuffle=False, verbose=0)

    return training(compiled, fit, strategy)


def compare(strategy):
    return {name: compared(*case, strategy) for name, case in cases().items()}


@pytest.fixture(scope="module")
def found():
    return findings(__file__)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(name, found):
    check_training(found[name], least=1e-3)


if __name__ == "__main__":
    report(compare)
