"""A reference is what was meant, does not learn, and is refused where it cannot be."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data import tokenizers
from keras_genai.layers import adapters
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.likelihood import token_log_probabilities
from keras_genai.tasks.reference import AdapterOff, FromBatch, acting, settle

TOKENS = tf.constant(np.random.default_rng(0).integers(0, 7, (3, 6)), "int32")


def gpt(size=7, seed=0, text=None):
    keras.utils.set_random_seed(seed)
    network = GPT(context=8, depth=1, width=8, num_heads=2, dropout=0.1)
    return CausalLM(network, text or Text(vocabulary_size=size))


def adapted(name="mine", trained=False):
    model = gpt()
    adapters.add(model, names=("query", "output"), rank=2, name=name)
    if trained:
        draws = np.random.default_rng(1)
        for weight in adapters.adapter_weights(model, name).values():
            weight.assign(draws.normal(size=weight.shape))
    return model


def scores(model):
    return token_log_probabilities(model, TOKENS, np.ones(3, int), np.full(3, 6))[0]


def under(policy, reference):
    with acting(policy, reference) as model:
        return scores(model)


def test_without_adapters_it_is_a_frozen_copy_of_the_policy_as_it_was():
    policy = gpt()
    before = scores(policy)
    reference = settle(policy)
    assert not reference.trainable_weights
    assert policy.trainable_weights
    names = {weight.path for weight in policy.weights}
    assert not names & {weight.path for weight in reference.weights}
    for weight in policy.weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(under(policy, reference), before)


def test_a_new_adapter_is_switched_off():
    policy = adapted()
    before = scores(gpt())
    assert settle(policy) == AdapterOff()
    for weight in policy.trainable_weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(under(policy, AdapterOff()), before)
    assert np.abs(scores(policy) - before).max() > 1e-3
    assert adapters.installed(policy).active == "mine"


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_one_compiled_function_has_policy_and_base_to_the_bit(jit_compile):
    policy, plain = adapted(trained=True), gpt()

    @tf.function(jit_compile=jit_compile, autograph=False)
    def both(tokens):
        lengths = tf.fill([3], 6)
        own, _ = token_log_probabilities(policy, tokens, tf.ones_like(lengths), lengths)
        return own, under(policy, AdapterOff()), under(policy, plain)

    own, off, copy = both(TOKENS)
    np.testing.assert_array_equal(off, copy)
    np.testing.assert_allclose(own, scores(policy), atol=1e-5)
    assert np.abs(own - off).max() > 1e-3
    assert both.experimental_get_tracing_count() == 1


def test_an_adapter_that_has_learned_is_part_of_the_reference():
    policy = adapted(trained=True)
    before = scores(policy)
    reference = settle(policy)
    for weight in policy.trainable_weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(under(policy, reference), before)


def test_an_adapter_by_its_name():
    policy = adapted("sft", trained=True)
    before = scores(policy)
    adapters.add(policy, names="query", rank=2, name="dpo")
    assert settle(policy, "sft") == "sft"
    np.testing.assert_array_equal(under(policy, "sft"), before)
    assert settle(policy) == AdapterOff()  # what the new one adds to
    for name in ("dpo", "third"):  # the first of them is trained
        with pytest.raises(ValueError, match=r"`reference` must be one of \['sft'\]"):
            settle(policy, name)


def test_another_model_is_frozen_and_must_fit():
    policy, other = gpt(), gpt(seed=1)
    assert settle(policy, other) is other
    assert not other.trainable_weights
    recurrent = CausalLM(
        RNN(embedding_dim=4, units=4, num_layers=1), Text(vocabulary_size=7)
    )
    assert settle(policy, recurrent) is recurrent
    with pytest.raises(ValueError, match="`reference` must be another model"):
        settle(policy, policy)
    with pytest.raises(ValueError, match="the policy's vocabulary, token by token"):
        settle(policy, gpt(size=8))
    ours, theirs = (tokenizers.characters(text) for text in ("abc", "abd"))
    with pytest.raises(ValueError, match="the policy's vocabulary, token by token"):
        settle(gpt(text=Text(ours)), gpt(text=Text(theirs)))
    with pytest.raises(TypeError, match="`reference` must be a CausalLM"):
        settle(policy, keras.Sequential())


def test_of_batches_nothing_can_be_computed():
    assert settle(gpt(), FromBatch()) == FromBatch()
    with (
        pytest.raises(ValueError, match="unless batches have"),
        acting(gpt(), FromBatch()),
    ):
        pass
