"""Optimizers come back from files as they were, with what they leave alone."""

import keras
import numpy as np
import pytest

from keras_genai.networks.gpt import GPT
from keras_genai.optimizers import VECTORS, GradualAdamW, adamw, muon
from keras_genai.tasks.language import CausalLM

TOKENS = np.random.default_rng(0).integers(0, 11, (8, 8)).astype("int32")


def gradual(rate):
    optimizer = GradualAdamW(rate, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer


@pytest.mark.slow
@pytest.mark.parametrize("make", [adamw, muon, gradual])
def test_training_goes_on_in_the_same_way_from_a_file(make, tmp_path):
    sizes = dict(context=8, depth=1, width=8, num_heads=2)
    model = CausalLM(GPT(vocabulary_size=11, **sizes))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make(1e-2), loss)
    model.train_on_batch(TOKENS, TOKENS)
    model.save(tmp_path / "model.keras")
    other = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, other):
        for _ in range(2):
            each.train_on_batch(TOKENS, TOKENS)
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=one.path)


def test_vectors_do_not_decay_and_only_names_are_kept():
    optimizer = adamw(1e-2)
    assert optimizer.excluded == tuple(VECTORS)
    assert optimizer.name.startswith("adam_w")  # part of what checkpoints are called
    with pytest.raises(ValueError, match="`var_list` must be None"):
        optimizer.exclude_from_weight_decay(var_list=[keras.Variable(1.0)])
