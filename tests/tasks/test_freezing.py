"""Freezing trains what was asked for, and what is frozen does not move by a bit."""

import keras
import numpy as np
import pytest

from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.optimizers import GradualAdamW
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.freezing import (
    freeze_all_but,
    freeze_all_but_last,
    train_all,
    trained_parameters,
)
from keras_genai.tasks.language import CausalLM

TOKENS = np.random.default_rng(0).integers(0, 20, (8, 6)).astype("int32")
LABELS = TOKENS[:, 0] % 2
SIZES = dict(vocabulary_size=20, context=8, depth=2, width=8, num_heads=2)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def classifier():
    keras.utils.set_random_seed(0)
    return SequenceClassifier(BERT(**SIZES, dropout=0.0), dropout=0.0)


def recurrent():
    keras.utils.set_random_seed(0)
    network = RecurrentEncoder(
        vocabulary_size=20, embedding_dim=4, units=3, dropout=0.0
    )
    return SequenceClassifier(network, dropout=0.0)


def values(model):
    return {path: weight.numpy() for path, weight in model.preset_weights().items()}


def moved(before, model):
    return {
        path for path, value in values(model).items() if (value != before[path]).any()
    }


@pytest.mark.slow
def test_only_the_head_moves_and_its_parameters_are_counted():
    model = classifier()
    before = values(model)
    assert freeze_all_but(model, "head") == 8 * 2 + 2 == trained_parameters(model)
    model.compile(keras.optimizers.Adam(0.1), LOSS)
    model.fit({"tokens": TOKENS}, LABELS, epochs=2, verbose=0)
    assert moved(before, model) == {"classifier/kernel", "classifier/bias"}
    assert len(model.optimizer.variables) == 2 + 2 * 2


def test_the_last_block_and_what_follows_is_trained():
    model = classifier()
    freeze_all_but_last(model, 1)
    trained = {w.path.removeprefix(f"{model.name}/") for w in model.trainable_weights}
    assert all(
        any(part in path for part in ("block_1", "pooler", "classifier"))
        for path in trained
    )
    assert any("block_1/attention/query" in path for path in trained)
    assert any("pooler" in path for path in trained)
    whole = sum(int(np.prod(weight.shape)) for weight in model.weights)
    assert train_all(model) == whole
    assert freeze_all_but_last(model, 0) < freeze_all_but_last(model, 2) < whole


def test_a_language_model_has_no_head_beside_its_network_and_freezes_too():
    model = CausalLM(GPT(**SIZES))
    count = freeze_all_but_last(model, 1)
    assert 0 < count < train_all(model)
    assert freeze_all_but(model, "block_0", "norm") == count
    assert not any("embedding" in weight.path for weight in model.trainable_weights)


def test_freezing_takes_the_optimizer_away():
    model = classifier()
    model.compile("adam", LOSS)
    freeze_all_but(model, "classifier")
    with pytest.raises(ValueError, match="compile"):
        model.fit({"tokens": TOKENS}, LABELS, verbose=0)


def test_unknown_layers_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="classifier"):
        freeze_all_but(classifier(), "haed")
    with pytest.raises(ValueError, match="from 0 to 2"):
        freeze_all_but_last(classifier(), 3)


@pytest.mark.slow
def test_layers_are_set_free_from_the_head_down():
    model = recurrent()
    groups = (("classifier",), ("layer_0_forward", "layer_0_backward"), ("embedding",))
    optimizer = GradualAdamW(0.05, groups, every=2, decay=2.6, weight_decay=0.1)
    optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    model.compile(optimizer, LOSS, jit_compile=True)
    seen = []
    for _ in range(3):
        before = values(model)
        model.fit(
            {"tokens": TOKENS}, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0
        )
        paths = [
            path.removeprefix("recurrent_encoder/") for path in moved(before, model)
        ]
        seen.append({path.split("/")[0] for path in paths})
    layers = {"layer_0_forward", "layer_0_backward"}
    assert seen[0] == {"classifier"}
    assert seen[1] == {"classifier", *layers}
    assert seen[2] == {"classifier", "embedding", *layers}


@pytest.mark.slow
def test_one_group_is_plain_adamw():
    results = []
    for optimizer in (
        GradualAdamW(0.01, weight_decay=0.1),
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
    ):
        model = recurrent()
        model.compile(optimizer, LOSS)
        model.fit({"tokens": TOKENS}, LABELS, epochs=2, shuffle=False, verbose=0)
        results.append(values(model))
    for path, value in results[0].items():
        np.testing.assert_allclose(value, results[1][path], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_two_accumulated_halves_are_one_whole_batch():
    whole, halves = recurrent(), recurrent()
    # Not Adam, which makes a whole step of the noise in a gradient near zero.
    whole.compile(keras.optimizers.SGD(1.0), LOSS)
    halves.compile(keras.optimizers.SGD(1.0, gradient_accumulation_steps=2), LOSS)
    before = values(halves)
    whole.train_on_batch({"tokens": TOKENS}, LABELS)
    halves.train_on_batch({"tokens": TOKENS[:4]}, LABELS[:4])
    assert not moved(before, halves)
    halves.train_on_batch({"tokens": TOKENS[4:]}, LABELS[4:])
    for path, value in values(whole).items():
        np.testing.assert_allclose(value, values(halves)[path], atol=1e-6)
