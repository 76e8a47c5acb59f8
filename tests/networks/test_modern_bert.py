"""ModernBERT looks far in some blocks and near in the others."""

import keras
import numpy as np
import pytest
from marks import slow_but

from keras_genai.layers.rotary import Rotary
from keras_genai.modalities.text import Label
from keras_genai.networks.modern_bert import ModernBERT, ModernBERTStyle
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier

SIZES = dict(
    vocabulary_size=11, context=8, depth=1, width=8, num_heads=2, inner_width=6
)
LABELLING = (TokenClassifier, QuestionAnswering)
TOKENS = np.array([[2, 5, 3, 7, 9, 1, 4]], "int32")


def make(head=None, style=None, **sizes):
    """A network, or a head on one, whose weights are large enough to be seen."""
    keras.utils.set_random_seed(0)
    network = ModernBERT(**{**SIZES, **sizes}, style=style or ModernBERTStyle())
    model = network.complete() if head is None else head(network)
    for weight in model.trainable_variables:
        noise = np.random.default_rng(len(weight.path)).normal(size=weight.shape)
        weight.assign_add(0.3 * noise)
    return model


def seen(model, place):
    """Which tokens' vectors change with the token at a place."""
    changed = TOKENS.copy()
    changed[0, place] = 10
    before, after = (np.asarray(model(x)["hidden"]) for x in (TOKENS, changed))
    return np.flatnonzero(np.abs(after - before).max(-1)[0] > 1e-6).tolist()


def test_local_blocks_look_to_both_sides_as_far_as_the_window():
    near = make(style=ModernBERTStyle(window=2, local_blocks=(True,)))
    assert seen(near, 3) == [1, 2, 3, 4, 5]
    assert seen(make(), 0) == [*range(7)]


def test_blocks_are_local_in_turns():
    style = ModernBERTStyle()
    expected = [False, True, True, False, True]
    assert [style.is_local(index) for index in range(5)] == expected


@pytest.mark.parametrize("pooling", slow_but(("mean",), ("cls", "mean")))
def test_padding_is_never_seen(pooling):
    style = ModernBERTStyle(window=2, local_blocks=(True, False), pooling=pooling)
    model = make(style=style, depth=2)
    alone = model(TOKENS[:, :5])
    mask = (np.arange(7) < 5)[None]
    for filler in (0, 10):
        padded = np.where(mask, TOKENS, filler)
        found = model({"tokens": padded, "tokens_mask": mask})
        np.testing.assert_allclose(found["hidden"][:, :5], alone["hidden"], atol=1e-5)
        np.testing.assert_allclose(found["pooled"], alone["pooled"], atol=1e-5)


@pytest.mark.slow
def test_waves_of_local_blocks_are_their_own():
    """Of one block, only the waves of its kind count."""
    for local, field in ((True, "local_rotary"), (False, "rotary")):
        base = make(style=ModernBERTStyle(local_blocks=(local,)))
        for name in ("rotary", "local_rotary"):
            style = ModernBERTStyle(local_blocks=(local,), **{name: Rotary(20.0)})
            found = np.abs(make(style=style)(TOKENS)["hidden"] - base(TOKENS)["hidden"])
            assert (found.max() > 1e-4) == (name == field)


def test_the_last_hidden_state_is_what_heads_read():
    model = make(depth=2)
    states = model.hidden_states(TOKENS)
    assert len(states) == 3
    np.testing.assert_array_equal(states[-1], model(TOKENS)["hidden"])
    np.testing.assert_allclose(np.mean(states[0], -1), 0, atol=1)


def weights(model):
    return {weight.path.partition("/")[2] for weight in model.trainable_variables}


def test_there_are_no_biases_and_no_first_norm_unless_asked_for():
    names = weights(make(depth=2))
    assert not [name for name in names if name.endswith(("bias", "beta"))]
    assert "block_0/attention_norm/gamma" not in names
    assert "block_1/attention_norm/gamma" in names
    all_biases = ModernBERTStyle(
        attention_bias=True, feedforward_bias=True, norm_bias=True, head_bias=True
    )
    more = weights(make(style=all_biases, depth=2)) - names
    assert {name.rpartition("/")[2] for name in more} == {"bias", "beta"}
    assert len(more) == 6 + 2 * 5 + 1


@pytest.mark.parametrize("transform", slow_but((True,), (False, True)))
@pytest.mark.parametrize("task", slow_but((QuestionAnswering,), LABELLING))
def test_a_head_may_have_a_layer_and_a_norm_before_the_last_one(task, transform):
    model = make(lambda network: task(network, transform=transform))
    names = {path for path in model.preset_weights() if path.startswith("transform")}
    wanted = {"transform/kernel", "transform_norm/gamma"} if transform else set()
    assert names == wanted
    assert not model.network.has_pooler
    found = model(TOKENS)
    changed = make(lambda network: task(network, transform=transform))
    if transform:
        changed.dense_norm.gamma.assign(2 * changed.dense_norm.gamma)
        found, other = (
            each["start"] if isinstance(each, dict) else each
            for each in (found, changed(TOKENS))
        )
        assert np.abs(np.asarray(found) - np.asarray(other)).max() > 1e-3


def test_gaps_may_be_guessed_without_biases():
    model = make(lambda network: MaskedLM(network, use_bias=False))
    assert not [name for name in model.preset_weights() if "bias" in name]
    assert model(TOKENS).shape == (1, 7, 11)


def test_a_text_is_judged_by_its_pooler():
    model = make(lambda network: SequenceClassifier(network, Label(2)))
    assert model.network.has_pooler
    assert model(TOKENS).shape == (1, 2)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`width` must be a multiple of `num_heads`"):
        make(num_heads=3)
    with pytest.raises(ValueError, match="even length to be turned"):
        make(width=6)
    with pytest.raises(ValueError, match="at most context=8"):
        make()(np.ones((1, 9), "int32"))
    with pytest.raises(ValueError, match="`local_blocks` must be a tuple"):
        ModernBERTStyle(local_blocks=())
    with pytest.raises(ValueError, match="`pooling` must be one of"):
        ModernBERTStyle(pooling="max")
