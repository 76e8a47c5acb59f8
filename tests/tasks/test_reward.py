"""RewardModel: it learns from pairs, whatever network reads them."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_strings import REWARDS, WholeStrings, every_pair

from keras_genai import from_preset
from keras_genai.data import published, tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.preference import PreferenceTuning
from keras_genai.tasks.reward import RewardModel

ROLES = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")
ROWS = [
    {"prompt": "the cat ", "chosen": "sat", "rejected": "ate it all"},
    {"prompt": "a dog ", "chosen": "ran home", "rejected": "sat"},
    {"prompt": "no ", "chosen": "cat", "rejected": "dog at all"},
    {"prompt": "the dog ", "chosen": "ate", "rejected": "is no cat"},
]
TEXTS = [text for row in ROWS for text in row.values()]
PROMPTS, CHOSEN, REJECTED = (
    [row[key] for row in ROWS] for key in ("prompt", "chosen", "rejected")
)


def gpt():
    text = Text(tokenizers.characters(TEXTS, **ROLES))
    network = GPT(context=24, depth=1, width=8, num_heads=2)
    return RewardModel(network, given=text)


def rnn():
    text = Text(tokenizers.characters(TEXTS, **ROLES))
    return RewardModel(
        RNN(embedding_dim=8, units=8, num_layers=1, tie_embeddings=True), given=text
    )


def bert():
    words = tokenizers.wordpiece(TEXTS, 60, **ROLES, unknown_token="<unk>")
    network = BERT(context=24, depth=1, width=8, num_heads=2, dropout=0.0)
    return RewardModel(network, given=Text(published.for_encoder(words)))


NETWORKS = {"gpt": gpt, "rnn": rnn, "bert": bert}
every_network = pytest.mark.parametrize(
    "name", ["gpt", *(pytest.param(n, marks=pytest.mark.slow) for n in ("rnn", "bert"))]
)


def made(name="gpt"):
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    model.run_eagerly = True  # of a few scores, too
    return model


def fit(model, rows=ROWS, epochs=1, optimizer=None, **settings):
    # A few small steps take less time than their graph.
    optimizer = optimizer or keras.optimizers.SGD(0.5)
    model.compile(optimizer, run_eagerly=True)
    loader = model.loader(rows, batch_size=len(rows), **settings)
    return model.fit(loader, epochs=epochs, verbose=0).history


def tensors(arrays):
    return keras.tree.map_structure(tf.convert_to_tensor, arrays)


@every_network
def test_it_learns_pairs_and_scores_texts_as_it_was_trained(name):
    model = made(name)
    # What is fast enough without a graph is not fast enough for BERT.
    slow = None if name == "gpt" else keras.optimizers.Adam(0.02)
    logs = fit(model, epochs=8 if slow is None else 12, optimizer=slow)
    assert logs["loss"][-1] < logs["loss"][0]
    assert logs["accuracy"][-1] == 1.0
    chosen, rejected = model.score(PROMPTS, CHOSEN), model.score(PROMPTS, REJECTED)
    assert chosen.dtype == "float32"
    assert (chosen > rejected).all()
    arrays = model.loader(ROWS, len(ROWS), shuffle=False).content
    pairs = model(tensors(arrays))
    np.testing.assert_allclose(pairs, np.stack([chosen, rejected], 1), atol=1e-5)
    assert model.score(PROMPTS[0], CHOSEN[0]) == pytest.approx(chosen[0], abs=1e-5)


@pytest.mark.parametrize("name", ["gpt", pytest.param("rnn", marks=pytest.mark.slow)])
def test_the_number_is_that_of_the_last_real_token(name):
    model = made(name)
    tokens = np.random.default_rng(0).integers(0, 9, (2, 8)).astype("int32")
    alone = [
        model.score_tokens([row[:end]])[0]
        for row, end in zip(tokens, (8, 5), strict=True)
    ]
    np.testing.assert_allclose(
        model.score_tokens([tokens[0], tokens[1, :5]]), alone, atol=1e-5
    )
    hidden = model.network.hidden(tf.constant(tokens))
    by_hand = model.head(tf.stack([hidden[0, 7], hidden[1, 4]]))[:, 0]
    np.testing.assert_allclose(alone, by_hand, atol=1e-5)


def test_the_end_token_is_seen():
    model = made()
    whole, cut = (model.score("the cat ", "sat", ended=e) for e in (True, False))
    rows = [model.tokenizer.encode("the cat sat")]
    np.testing.assert_allclose(cut, model.score_tokens(rows)[0], atol=1e-6)
    assert abs(whole - cut) > 1e-4


def test_a_new_head_has_numbers_of_about_one():
    model = made()
    assert not model.head.bias.numpy().any()
    assert 0.1 < model.head.kernel.numpy().std() < 0.7  # 1 / sqrt(9)
    logs = fit(model)  # one step, whose loss is that before it
    assert 0.2 < logs["loss"][0] < 2.0


def test_loss_and_figures_are_as_written():
    model = made()
    model.centering = 0.5
    rows = [{**row, "margin": 0.25 * index} for index, row in enumerate(ROWS)]
    arrays = tensors(model.loader(rows, len(rows), shuffle=False).content)
    scores = np.asarray(model(arrays), "float64")
    margin = scores[:, 0] - scores[:, 1]
    asked = 0.25 * np.arange(4)
    expected = np.log1p(np.exp(asked - margin)) + 0.5 * scores.sum(axis=1) ** 2
    loss = model.compute_loss(arrays, None, model(arrays))
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-5)
    figures = {name: float(each.result()) for name, each in model.trackers.items()}
    assert figures == pytest.approx(
        {
            "accuracy": (margin > 0).mean(),
            "margin": margin.mean(),
            "mean_reward": scores.mean(),
            "min_reward": scores.min(),
            "max_reward": scores.max(),
        },
        abs=1e-5,
    )


def test_normalizing_gives_mean_0_and_deviation_1_and_keeps_the_order(tmp_path):
    model = made()
    before = model.score(PROMPTS, CHOSEN)
    model.normalize(PROMPTS, CHOSEN)
    after = model.score(PROMPTS, CHOSEN)
    np.testing.assert_allclose([after.mean(), after.std()], [0, 1], atol=1e-5)
    np.testing.assert_array_equal(np.argsort(before), np.argsort(after))
    model.normalize(PROMPTS, CHOSEN)  # nothing is left to be done
    np.testing.assert_allclose(model.score(PROMPTS, CHOSEN), after, atol=1e-5)
    model.save_to_preset(tmp_path / "preset")
    again = from_preset(tmp_path / "preset")
    model.run_eagerly = again.run_eagerly = True  # a graph may round otherwise
    np.testing.assert_array_equal(
        again.score(PROMPTS, CHOSEN), model.score(PROMPTS, CHOSEN)
    )
    with pytest.raises(ValueError, match="must be of different scores"):
        model.normalize(PROMPTS[:1] * 2, CHOSEN[:1] * 2)


def test_a_policy_lends_its_network():
    text = Text(tokenizers.characters(TEXTS, **ROLES))
    policy = CausalLM(GPT(context=24, depth=1, width=8, num_heads=2), text)
    model = RewardModel(policy.network, given=text)
    assert model.network is policy.network
    own = {weight.path for weight in model.weights} - {
        weight.path for weight in policy.weights
    }
    assert len(own) == 4  # kernel, bias; gain, bias
    # Both read the same rows.
    one, other = (
        task.loader(ROWS, 4, shuffle=False).content
        for task in (model, PreferenceTuning(policy))
    )
    np.testing.assert_array_equal(one["tokens"], other["tokens"])


def test_scores_are_flat_at_the_maximum_of_the_likelihood():
    # Of a linear head on one vector a string, the scores are free: with infinite data
    # the likelihood is largest at the true reward.
    model = RewardModel(WholeStrings(), given=Text(vocabulary_size=4))
    model.head.kernel.assign(REWARDS[:, None])
    one, other, arrays = every_pair()
    arrays = tensors(arrays)
    prefer = 2 / (1 + np.exp(REWARDS[other] - REWARDS[one]))
    with tf.GradientTape() as tape:
        scores = model(arrays)
        weight = tf.constant(prefer, "float32")
        loss = model.compute_loss(arrays, None, scores, weight)
    np.testing.assert_allclose(scores[:, 0], REWARDS[one], atol=1e-6)
    assert loss < math.log(2)
    slope = tape.gradient(loss, model.head.kernel.value)
    assert np.abs(slope).max() < 1e-6


def test_what_does_not_fit_is_named():
    model = made()
    with pytest.raises(ValueError, match="`loss` must be None"):
        model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="must be dicts with prompt, chosen, rejected"):
        model.loader([("a", "b")])
    with pytest.raises(ValueError, match="`prompts` must each have a completion that"):
        model.score(["the cat " * 9], ["sat"])
    model.compile("sgd", run_eagerly=True)
    tokens = np.zeros((2, 5), "int32")
    with pytest.raises(ValueError, match="`tokens` must be pairs"):
        model.fit({"tokens": tokens}, verbose=0)
