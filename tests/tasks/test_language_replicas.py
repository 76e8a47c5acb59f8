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


def makers():
    """dict of `(function that makes a model, inputs, targets)` by name."""
    import numpy as np
    from flat import flat

    from keras_genai.networks.bert import BERT
    from keras_genai.networks.encoder_decoder import BART, BLENDERBOT, EncoderDecoder
    from keras_genai.networks.gpt import GPT
    from keras_genai.networks.recurrent_encoder import RecurrentEncoder
    from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
    from keras_genai.networks.rnn import RNN
    from keras_genai.networks.t5 import T5
    from keras_genai.tasks.answering import QuestionAnswering
    from keras_genai.tasks.classification import SequenceClassifier
    from keras_genai.tasks.language import CausalLM
    from keras_genai.tasks.masked import MaskedLM
    from keras_genai.tasks.seq2seq import Seq2SeqLM
    from keras_genai.tasks.tagging import TokenClassifier
    from keras_genai.tasks.truncated import TruncatedLM

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
    halves = {
        "context": 8,
        "encoder_depth": 1,
        "decoder_depth": 1,
        "width": 8,
        "num_heads": 2,
        "inner_width": 12,
        "dropout": 0.0,
    }

    def of(kind, **settings):
        return lambda: kind(VOCABULARY, **settings)

    def rewriter(network, **settings):
        return lambda: Seq2SeqLM(network(vocabulary_size=VOCABULARY, **settings))

    def task(kind, network, **settings):
        return lambda: flat(kind, network, vocabulary_size=VOCABULARY, **settings)

    def with_head(head, **settings):
        return lambda: head(
            BERT(
                vocabulary_size=VOCABULARY,
                context=8,
                depth=1,
                width=8,
                num_heads=2,
                inner_width=12,
                dropout=0.0,
            ),
            **settings,
        )

    gpt = {"context": 8, "depth": 1, "width": 8, "num_heads": 2, "inner_width": 12}
    recurrent = {"embedding_dim": 6, "units": 4, "num_layers": 1}
    t5 = {name: value for name, value in halves.items() if name != "context"}
    columns = np.arange(2 * ROWS) % 2
    return {
        "GPT": (task(CausalLM, GPT, **gpt), tokens, targets),
        "RNN": (task(TruncatedLM, RNN, **recurrent), tokens, targets),
        "RNN with lanes": (
            task(TruncatedLM, RNN, lanes=ROWS, **recurrent),
            tokens,
            targets,
        ),
        "EncoderDecoder": (rewriter(EncoderDecoder, **halves), pairs, targets),
        "EncoderDecoder of BART": (
            rewriter(EncoderDecoder, style=BART, **halves),
            pairs,
            targets,
        ),
        "EncoderDecoder of Blenderbot": (
            rewriter(EncoderDecoder, style=BLENDERBOT, **halves),
            pairs,
            targets,
        ),
        "T5": (rewriter(T5, head_dim=4, **t5), pairs, targets),
        "RecurrentEncoderDecoder": (
            rewriter(RecurrentEncoderDecoder, dropout=0.0, **recurrent),
            pairs,
            targets,
        ),
        "MaskedLM": (
            with_head(MaskedLM),
            {**read, "places": ints(2, SOURCE)},
            ints(2),
        ),
        "SequenceClassifier": (
            with_head(SequenceClassifier, dropout=0.0),
            read,
            columns,
        ),
        "TokenClassifier": (
            with_head(TokenClassifier, dropout=0.0),
            read,
            ints(SOURCE, 2),
        ),
        "QuestionAnswering": (
            with_head(QuestionAnswering),
            read,
            {"start": columns, "end": columns + 1},
        ),
        "RecurrentEncoder": (
            lambda: SequenceClassifier(
                RecurrentEncoder(vocabulary_size=VOCABULARY, dropout=0.0, **recurrent),
                dropout=0.0,
            ),
            read,
            columns,
        ),
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
    return {name: compared(*case, strategy) for name, case in makers().items()}


@pytest.fixture(scope="module")
def found():
    return findings(__file__)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_learn_what_one_device_does(name, found):
    check_training(found[name], least=1e-3)


if __name__ == "__main__":
    report(compare)
