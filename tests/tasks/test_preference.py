"""PreferenceTuning: exact on a small language, and a task like all others."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_strings import (
    BEST,
    BETA,
    PROMPTED,
    REFERENCE,
    REWARDS,
    every_pair,
    nats,
    optimum,
    policy,
    table,
)

from keras_genai import from_preset, training
from keras_genai.data import tokenizers
from keras_genai.data.loading import Splits
from keras_genai.data.preferences import unpaired
from keras_genai.layers import adapters
from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.preferences import IPO, KTO, ORPO, Sigmoid, SimPO
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.preference import PreferenceTuning
from keras_genai.tasks.reference import AdapterOff, FromBatch
from keras_genai.tasks.seq2seq import Seq2SeqLM

ROWS = [
    {"prompt": "the cat ", "chosen": "sat", "rejected": "ate it all"},
    {"prompt": "a dog ", "chosen": "ran home", "rejected": "sat"},
    {"prompt": "no ", "chosen": "cat", "rejected": "dog at all"},
    {"prompt": "the dog ", "chosen": "ate", "rejected": "is no cat"},
]
JUDGED = unpaired(ROWS)
ROLES = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")
TEXTS = "".join(text for row in ROWS for text in row.values())


def tokenizer():
    return tokenizers.characters(TEXTS, **ROLES)


def gpt(**settings):
    keras.utils.set_random_seed(0)
    network = GPT(context=24, depth=1, width=8, num_heads=2, **settings)
    return CausalLM(network, Text(tokenizer()))


def sequence_pair():
    keras.utils.set_random_seed(0)
    sizes = {"encoder_depth": 1, "decoder_depth": 1, "width": 8, "num_heads": 2}
    return Seq2SeqLM(EncoderDecoder(context=24, **sizes), Text(tokenizer()))


def all_pairs():
    """Every pair of strings, and how often people would show and prefer it."""
    one, other, arrays = every_pair()
    shown = np.exp(nats(REFERENCE))
    prefer = 1 / (1 + np.exp(REWARDS[other] - REWARDS[one]))
    return arrays, 2 * len(one) * shown[one] * shown[other] * prefer


def tensors(arrays):
    return keras.tree.map_structure(tf.convert_to_tensor, arrays)


def loss_and_gradient(tuning, arrays, weight):
    """The loss of a batch and its gradient by the table of the policy."""
    arrays, weight = tensors(arrays), tf.constant(weight, "float32")
    with tf.GradientTape() as tape:
        scored = tuning(arrays)
        loss = tuning.compute_loss(arrays, None, scored, weight, training=False)
    return loss, tape.gradient(loss, tuning.policy.network.table.value)


def implicit_reward(model, beta=BETA):
    """float64 `(40,)`: the reward that a policy stands for."""
    return beta * (nats(table(model)) - nats(REFERENCE))


def test_log_probabilities_are_those_of_whole_strings():
    arrays, _ = all_pairs()
    tuning = PreferenceTuning(policy(REFERENCE), Sigmoid(BETA))
    found = tuning(tensors(arrays))
    one, other, _ = every_pair()
    sums = nats(REFERENCE)
    expected = np.stack([sums[one], sums[other]], axis=1)
    np.testing.assert_allclose(found["policy"], expected, atol=1e-5)
    np.testing.assert_array_equal(found["policy"], found["reference"])


def test_the_best_policy_is_where_the_loss_is_flat():
    arrays, weight = all_pairs()
    tuning = PreferenceTuning(policy(REFERENCE), Sigmoid(BETA))
    loss, slope = loss_and_gradient(tuning, arrays, weight)
    np.testing.assert_allclose(loss, math.log(2), atol=1e-5)
    assert np.abs(slope).max() > 1e-2
    tuning.policy.network.table.assign(optimum())
    least, slope = loss_and_gradient(tuning, arrays, weight)
    assert least < loss
    assert np.abs(slope).max() < 1e-6
    reward = implicit_reward(tuning.policy)
    np.testing.assert_allclose(reward - REWARDS, -BEST, atol=1e-5)


@pytest.mark.slow
def test_dpo_recovers_the_reward_up_to_a_constant():
    arrays, weight = all_pairs()
    tuning = PreferenceTuning(policy(REFERENCE), Sigmoid(BETA))
    steps = 6000
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps)
    tuning.compile(keras.optimizers.Adam(rate, epsilon=1e-12), jit_compile=True)
    batch = (tensors(arrays), tf.zeros(len(weight)), tf.constant(weight, "float32"))
    data = tf.data.Dataset.from_tensors(batch).repeat()
    tuning.steps_per_execution = 200
    tuning.fit(data, steps_per_epoch=steps, verbose=0)
    apart = implicit_reward(tuning.policy) - REWARDS
    assert np.ptp(apart) < 1e-3
    np.testing.assert_allclose(apart, -BEST, atol=1e-3)
    found, best = (np.exp(nats(logits)) for logits in (table(tuning.policy), optimum()))
    assert 0.5 * np.abs(found - best).sum() < 1e-3


def test_the_optimum_of_ipo_is_how_often_a_string_wins():
    tau = 0.3
    arrays, weight = all_pairs()
    shown = np.exp(nats(REFERENCE))
    wins = (1 / (1 + np.exp(REWARDS[None] - REWARDS[:, None]))) @ shown
    # A policy of log-ratios wins / tau is that of the rewards wins at beta = tau.
    tuning = PreferenceTuning(policy(REFERENCE), IPO(tau, average=False))
    loss, _ = loss_and_gradient(tuning, arrays, weight)
    np.testing.assert_allclose(loss, 1 / (4 * tau**2), rtol=1e-5)
    tuning.policy.network.table.assign(optimum(tau, wins))
    _, slope = loss_and_gradient(tuning, arrays, weight)
    assert np.abs(slope).max() < 1e-5


def fit(tuning, rows=ROWS, epochs=1, **settings):
    # A few small steps take less time than their graph.
    tuning.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    loader = tuning.loader(rows, batch_size=len(rows), **settings)
    return tuning.fit(loader, epochs=epochs, verbose=0).history


@pytest.mark.parametrize(
    "make", [gpt, pytest.param(sequence_pair, marks=pytest.mark.slow)]
)
def test_the_first_loss_is_ln_2_whatever_drops_out_and_then_it_falls(make):
    tuning = PreferenceTuning(make(dropout=0.3) if make is gpt else make())
    logs = fit(tuning, epochs=3)
    np.testing.assert_allclose(logs["loss"][0], math.log(2), atol=1e-6)
    assert logs["loss"][-1] < logs["loss"][0]
    assert {"loss", *Sigmoid().names} == logs.keys()
    assert logs["rewards/margins"][0] == 0.0
    assert logs["rewards/margins"][-1] > 0.0
    untouched = tuning.reference.network.weights
    assert not any(weight.trainable for weight in untouched)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [ORPO(), SimPO(), KTO()], ids=repr)
def test_other_losses_train_too(loss):
    tuning = PreferenceTuning(gpt(), loss)
    logs = fit(tuning, ROWS if loss.paired else JUDGED, epochs=3)
    assert logs["loss"][-1] < logs["loss"][0]
    assert {"loss", *loss.names} == logs.keys()
    assert tuning.reference == FromBatch() or loss.needs_reference


@pytest.mark.slow
def test_kto_begins_with_half_of_the_weights():
    logs = fit(PreferenceTuning(gpt(), KTO(0.1, 1.0, 2.0)), JUDGED)
    np.testing.assert_allclose(logs["loss"][0], 0.75, atol=1e-6)
    assert logs["kl"][0] == 0.0


@pytest.mark.slow
def test_only_an_adapter_is_trained_and_the_base_is_the_reference_to_the_bit():
    plain, adapted = PreferenceTuning(gpt()), gpt()
    adapters.add(adapted, names=("query", "output"), rank=2, dropout=0.2)
    tuning = PreferenceTuning(adapted)
    assert tuning.reference == AdapterOff()
    base = [w.numpy() for w in adapters.base_weights(adapted).values()]
    logs = fit(tuning, epochs=2)
    np.testing.assert_allclose(logs["loss"][0], math.log(2), atol=1e-6)
    assert logs["loss"][-1] < logs["loss"][0]
    after = [w.numpy() for w in adapters.base_weights(adapted).values()]
    assert all(np.array_equal(*pair) for pair in zip(base, after, strict=True))
    batch = tensors(tuning.loader(ROWS, len(ROWS), shuffle=False).content)
    np.testing.assert_array_equal(tuning(batch)["reference"], plain(batch)["reference"])


@pytest.mark.slow
def test_stored_log_probabilities_stand_for_the_reference():
    tuning = PreferenceTuning(gpt())
    arrays = tuning.loader(ROWS, 4, shuffle=False, store_reference=True).content
    computed = tuning(tensors({k: v for k, v in arrays.items() if k != "reference"}))
    np.testing.assert_allclose(arrays["reference"], computed["reference"], atol=1e-5)
    # In parts, of which the last one is filled up.
    parts = tuning.reference_log_probabilities(
        {key: np.asarray(value) for key, value in arrays.items()}, batch_size=3
    )
    np.testing.assert_allclose(parts, arrays["reference"], atol=1e-5)
    light = PreferenceTuning(gpt(), reference=FromBatch())
    assert len(light.weights) == len(light.policy.weights) + 1
    logs = fit(light, store_reference=True)
    np.testing.assert_allclose(logs["loss"][0], math.log(2), atol=1e-5)
    with pytest.raises(ValueError, match="unless batches have log-probabilities"):
        light(tensors(PreferenceTuning(gpt()).loader(ROWS, 4).content))


def test_a_policy_that_is_not_its_reference_at_the_start_is_refused():
    tuning = PreferenceTuning(gpt())
    tuning.policy.network.embedding.embeddings.assign_add(
        keras.random.normal(tuning.policy.network.embedding.embeddings.shape, seed=1)
    )
    with pytest.raises(ValueError, match="`reference` must find completions as prob"):
        fit(tuning)
    # With another reference that is as it should be.
    named = PreferenceTuning(tuning.policy, reference=gpt())
    assert fit(named)["loss"][0] != pytest.approx(math.log(2), abs=1e-4)


def test_an_empty_completion_is_refused():
    tuning = PreferenceTuning(gpt())
    batch = dict(tuning.loader(ROWS, 4).content)
    batch["completion_mask"] = np.array(batch["completion_mask"])
    batch["completion_mask"][2, 1] = False
    tuning.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="no completion may be empty"):
        tuning.fit(tensors(batch), batch_size=4, verbose=0)


@pytest.mark.slow
def test_its_preset_is_the_policy(tmp_path):
    tuning = PreferenceTuning(gpt())
    fit(tuning)
    tuning.save_to_preset(tmp_path / "preset")
    config = json.loads((tmp_path / "preset" / "config.json").read_text())
    assert config["model"] == "CausalLM"
    again = from_preset(tmp_path / "preset")
    prompt = {"prompts": "the ", "max_length": 12, "seed": 3}
    assert again.generate(**prompt) == tuning.generate(**prompt)


@pytest.mark.slow
def test_it_comes_back_whole_from_a_keras_file(tmp_path):
    tuning = PreferenceTuning(gpt(), IPO(0.2))
    fit(tuning)
    tuning.save(tmp_path / "tuning.keras")
    again = keras.models.load_model(tmp_path / "tuning.keras")
    assert again.loss == IPO(0.2)
    assert again.tokenizer.to_json() == tuning.tokenizer.to_json()
    batch = tensors(tuning.loader(ROWS, 4).content)
    for one, other in zip(
        keras.tree.flatten(tuning(batch)),
        keras.tree.flatten(again(batch)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match="`policy` must be a CausalLM or a Seq2SeqLM"):
        PreferenceTuning(gpt().network)
    with pytest.raises(TypeError, match="`loss` must be an object of keras_genai"):
        PreferenceTuning(gpt(), loss="sigmoid")
    with pytest.raises(ValueError, match="`reference` must be None: ORPO needs none"):
        PreferenceTuning(gpt(), ORPO(), reference=gpt())
    tuning = PreferenceTuning(gpt())
    with pytest.raises(ValueError, match="`loss` must be None"):
        tuning.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="must be a dict with"):
        tuning({"tokens": PROMPTED})
    with pytest.raises(ValueError, match="must be dicts with prompt, chosen"):
        tuning.loader(JUDGED)


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    def run(folder, steps):
        policy = gpt()
        adapters.add(policy, names=("query", "output"), rank=2)
        tuning = PreferenceTuning(policy)
        tuning.compile(keras.optimizers.Adam(0.01), jit_compile=True)
        loader = tuning.loader(ROWS, batch_size=2, seed=1)
        splits = Splits(loader, tokenizer=tuning.tokenizer, name="rows")
        outcome = training.train(
            tuning, splits, folder, steps, log_every=2, progress=False, say=str
        )
        return tuning, outcome

    whole, _ = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts, outcome = run(tmp_path / "parts", 4)
    assert outcome.resumed_from == 2
    for one, other in zip(whole.variables, parts.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert "rewards/margins" in outcome.history[-1]
