"""Policies that learn from rewards, on a language of which everything is known."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_strings import (
    BEST,
    BETA,
    LENGTHS,
    MASK,
    OPTIMUM,
    OTHER,
    REFERENCE,
    REWARDS,
    SOFT_VALUES,
    N,
    V,
    every_string,
    nats,
    policy,
    score,
    token_nats,
    worth,
)

from keras_genai.data.tokenizers import characters
from keras_genai.layers import adapters
from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.advantages import GAE, GroupMean, LeaveOneOut
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.objectives import KL, AdaptiveKL, Clipped
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.rewards import Ratings, Reward, rate, read_rewards
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM

ALL = RolloutSettings(completions=N, prompt_length=1, length=3, stop=(0,))
RATINGS = Ratings(REWARDS, REWARDS[:, None])
SUMS = Clipped(mean="constant")  # of tokens, up to a constant


def tuning_of(logits, settings=ALL, **given):
    """Of a table of logits, kept near `REFERENCE`."""
    given = {"rewards": worth, "reference": policy(REFERENCE), **given}
    if given.get("kl", KL()) is None:
        given.pop("reference")
    given.setdefault("kl", KL(BETA))
    return PolicyTuning(policy(logits), rollouts=settings, **given)


@pytest.fixture(autouse=True)
def eager():
    """Nothing is compiled: each is called once or twice."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def plain(task, network, *kinds):
    """A policy whose loops XLA does not compile, which takes longer than they do."""
    model = task(network, *kinds)
    model.jit_generate = False
    return model


def gpt(**settings):
    """A `CausalLM` of a tiny transformer."""
    network = GPT(
        vocabulary_size=V, context=8, depth=1, width=8, num_heads=2, **settings
    )
    return plain(CausalLM, network)


def array(tuning, name):
    return keras.ops.convert_to_numpy(tuning.buffer.arrays[name])


def figure(tuning, name):
    return float(keras.ops.convert_to_numpy(tuning.buffer.figures[name]))


def slope(tuning):
    """The slope of the loss of all rows at the table of logits."""
    rows = tf.range(N)
    with tf.GradientTape() as tape:
        loss = tuning.compute_loss(rows, None, tuning(rows))
    return tape.gradient(loss, tuning.policy.network.table.value).numpy()


def logged(tuning):
    """dict of float: what the logs of the last step say."""
    found = {name: float(each.result()) for name, each in tuning.trackers.items()}
    for tracker in tuning.trackers.values():
        tracker.reset_state()
    return found


def test_at_the_optimum_nothing_is_left_to_be_learned():
    tuning = tuning_of(OPTIMUM)
    tuning.learn_from(every_string(), RATINGS)
    assert np.abs(array(tuning, "advantages")).max() < 1e-5


def test_at_the_optimum_a_critic_that_knows_it_has_no_errors():
    tuning = tuning_of(OPTIMUM, advantages=GAE(whiten=False))
    tuning.critic.kernel.assign(SOFT_VALUES[:, None])
    tuning.learn_from(every_string(), RATINGS)
    assert np.abs(array(tuning, "advantages")).max() < 1e-5
    np.testing.assert_allclose(SOFT_VALUES[0], BEST, atol=1e-9)
    np.testing.assert_allclose(
        array(tuning, "returns"), array(tuning, "values"), atol=1e-5
    )


def test_what_is_known_of_a_rollout_is_what_numpy_says():
    tuning = tuning_of(OTHER, kl=KL(BETA, "loss"))
    tuning.learn_from(every_string(), RATINGS)
    for name, logits in (("before", OTHER), ("reference", REFERENCE)):
        np.testing.assert_allclose(array(tuning, name), token_nats(logits), atol=1e-5)
    assert array(tuning, "lengths").tolist() == (1 + LENGTHS).tolist()
    change = nats(OTHER) - nats(REFERENCE)
    np.testing.assert_allclose(figure(tuning, "kl"), change.mean(), rtol=1e-5)
    entropy = -token_nats(OTHER)[MASK].mean()
    np.testing.assert_allclose(figure(tuning, "entropy"), entropy, rtol=1e-5)
    np.testing.assert_allclose(figure(tuning, "reward"), REWARDS.mean(), rtol=1e-5)
    figures = {"mean": LENGTHS.mean(), "min": 1, "max": 3}
    for name, value in figures.items():
        found = figure(tuning, f"completions/{name}_length")
        np.testing.assert_allclose(found, value, rtol=1e-6)
    np.testing.assert_allclose(figure(tuning, "completions/clipped_ratio"), 27 / 40)


@pytest.mark.parametrize("where", ["reward", "loss"])
def test_the_first_step_goes_where_the_whole_objective_rises(where):
    tuning = tuning_of(OTHER, objective=SUMS, kl=KL(BETA, where))
    tuning.learn_from(every_string(), RATINGS)
    # Each string counts as often as it is written.
    chances = np.exp(nats(OTHER))
    change = nats(OTHER) - nats(REFERENCE)
    total = REWARDS - BETA * change * (where == "reward")
    weights = (chances * total)[:, None] * np.ones((1, 3))
    tuning.buffer.put(advantages=weights)
    expected = -score(OTHER, weights)
    if where == "loss":
        pull = 1 - np.exp(token_nats(REFERENCE) - token_nats(OTHER))
        expected += BETA * score(OTHER, pull)
    expected /= N * 3
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(slope(tuning), expected, atol=tolerance)


def test_ratios_are_1_in_the_first_step_also_with_dropout():
    tuning = PolicyTuning(gpt(dropout=0.5), worth, kl=None, rollouts=ALL)
    tuning.learn_from(every_string(), RATINGS)
    found = tuning(tf.range(N), training=True)["log_probabilities"]
    np.testing.assert_allclose(found, array(tuning, "before"), atol=1e-6)


@pytest.mark.parametrize("kl", [None, KL(BETA, "loss")], ids=["no price", "price"])
def test_one_step_has_its_own_probabilities_for_the_old_ones(kl, monkeypatch):
    tuning = tuning_of(OTHER, kl=kl)
    tuning.learn_from(every_string(), RATINGS)
    expected, figures = slope(tuning), logged(tuning)
    with monkeypatch.context() as patch:
        patch.delattr(PolicyTuning, "_read")  # no pass before the step
        tuning.learn_from(every_string(), RATINGS, once=True)
    tuning.buffer.put(before=np.full((N, 3), np.nan))
    tuning.buffer.note({"entropy": np.nan})
    np.testing.assert_allclose(slope(tuning), expected, atol=1e-6)
    assert logged(tuning) == pytest.approx(figures, abs=1e-5)


@pytest.mark.parametrize(
    "given",
    [dict(kl=KL()), dict(kl=AdaptiveKL(where="loss")), dict(advantages=GAE(), kl=None)],
    ids=["in the reward", "adaptive", "critic"],
)
def test_what_asks_before_the_step_has_a_pass_of_its_own(given):
    tuning = tuning_of(OTHER, **given)
    tuning.learn_from(every_string(), RATINGS, once=True)
    np.testing.assert_allclose(array(tuning, "before"), token_nats(OTHER), atol=1e-5)
    assert float(tuning.buffer.is_fresh) == 0


def test_cut_completions_cost_the_penalty():
    settings = RolloutSettings(N, 1, 3, stop=(0,), missing_eos_penalty=2.0)
    group = GroupMean("none", group=N)
    tuning = tuning_of(OTHER, settings, kl=None, advantages=group)
    tuning.learn_from(every_string(), RATINGS)
    expected = REWARDS - 2.0 * (np.arange(N) >= 13)
    found = array(tuning, "advantages")[:, 0]
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-6)


def test_cut_completions_teach_nothing_if_they_are_masked():
    settings = RolloutSettings(N, 1, 3, stop=(0,), mask_truncated_completions=True)
    tuning = tuning_of(OTHER, settings, kl=None)
    tuning.learn_from(every_string(), RATINGS)
    mask = tuning.buffer.mask(tuning.buffer.rows(tf.range(N))).numpy()
    assert np.array_equal(mask, MASK * (np.arange(N) < 13)[:, None])
    # Numerator and denominator share one mask.
    tokens = keras.ops.convert_to_numpy(tuning.buffer.tokens_per_row)
    np.testing.assert_allclose(tokens, mask.sum() / N, rtol=1e-6)


SMALL = RolloutSettings(completions=16, prompt_length=1, length=3, stop=(0,))


def test_a_rollout_is_drawn_rated_once_and_told():
    calls = []

    def counted(prompts, completions, place):
        calls.append((prompts, completions, place))
        return [float(each) for each in place]

    tuning = tuning_of(OTHER, SMALL, rewards=[worth, (counted, 0.5)])
    assert tuning.prompts_per_rollout == 2
    assert not tuning.has_rollout
    rows = [{"prompt": [0], "place": 3}, {"prompt": [0], "place": 4}]
    records = tuning.refill(rows, seed=7)
    assert tuning.has_rollout
    assert len(calls) == 1
    assert calls[0][2] == [3] * 8 + [4] * 8
    for record in records:
        assert record["reward"] == record["worth"] + 0.5 * record["counted"]
        assert record["ended"] == (record["completion"][-1] == 0)
    tokens = array(tuning, "tokens")
    again = tuning.refill(rows, seed=7)
    assert again == records
    assert np.array_equal(array(tuning, "tokens"), tokens)
    assert tuning.refill(rows, seed=8) != records


def test_a_reward_that_does_not_apply_is_left_out():
    def first(prompts, completions):
        return [1.0, None, 2.0]

    def second(prompts, completions):
        return [None, 3.0, 4.0]

    found = rate(read_rewards([first, (second, 10)]), "abc", "abc")
    assert found.total.tolist() == [1, 30, 42]
    assert np.isnan(found.each[1, 0])
    with pytest.raises(ValueError, match="one that applies to each completion"):
        rate(read_rewards(lambda prompts, completions: [None]), ["a"], ["b"])


@pytest.mark.parametrize("found", [[1.0], [1.0, float("nan")], [1.0, "good"], None])
def test_rewards_that_are_no_numbers_are_refused(found):
    def odd(prompts, completions):
        return found

    with pytest.raises(ValueError, match="`odd` must return"):
        rate(read_rewards(odd), ["a", "b"], ["c", "d"])


def test_a_reward_model_is_asked_for_scores_and_must_read_the_same_tokens():
    class Model:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

        def score(self, prompts, completions):
            return [len(each) for each in completions]

    own, other = characters("abcd"), characters("dcbe")
    model = policy(OTHER)
    model.tokenizer = own
    make = functools.partial(PolicyTuning, model, kl=None, rollouts=SMALL)
    tuning = make(Model(own))
    record = tuning.refill(["a", "a"], seed=0)[0]
    assert record["prompt"] == "a"
    assert record["reward"] == len(record["completion"])
    with pytest.raises(ValueError, match="must read the policy's tokens"):
        make(Model(other))


def test_a_reward_model_that_reads_a_whole_text_is_given_the_very_tokens():
    class Model:
        reads_as_written = True
        context = 3

        def score(self, prompts, completions):
            raise AssertionError

        def score_tokens(self, rows):
            return [len(row) for row in rows]

    tuning = PolicyTuning(policy(OTHER), Model(), kl=None, rollouts=SMALL)
    records = tuning.refill([[0], [0]], seed=0)
    lengths = array(tuning, "lengths")
    assert [each["reward"] for each in records] == np.minimum(lengths, 3).tolist()


def test_the_price_of_divergence_adapts_and_is_part_of_the_run():
    tuning = tuning_of(OTHER, kl=AdaptiveKL(0.15, target=0.1, horizon=400))
    tuning.learn_from(every_string(), RATINGS)
    assert figure(tuning, "kl") < 0.08  # all strings count alike here
    np.testing.assert_allclose(tuning.kl_coefficient, 0.15 * 0.98, rtol=1e-6)
    names = {weight.path.rpartition("/")[2] for weight in tuning.variables}
    assert "kl_coefficient_of_rollout" in names


def test_prompts_of_another_number_or_length_are_refused():
    tuning = tuning_of(OTHER, SMALL)
    with pytest.raises(ValueError, match="`prompts` must be 2 for a rollout of 16"):
        tuning.refill([[0]], seed=0)
    tuning = PolicyTuning(gpt(), worth, kl=None, rollouts=SMALL)
    with pytest.raises(ValueError, match="`prompts` must have at most 1 tokens"):
        tuning.refill([[0, 1], [0]], seed=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"settings": RolloutSettings(20, 1, 3)}, "must be a multiple of the 8"),
        ({"settings": RolloutSettings(16, 2, 3)}, "must have at most context=4"),
        ({"rewards": []}, "`rewards` must be at least one function"),
        ({"rewards": [worth, worth]}, "each of another name"),
        ({"kl": 0.1}, "`kl` must be a KL"),
        ({"rewards": ["polite"]}, "`rewards` must be functions"),
        ({"advantages": 1}, "`advantages` must be an object of"),
    ],
)
def test_what_does_not_go_together_is_refused(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        tuning_of(OTHER, **given)


def test_a_policy_in_float16_is_refused():
    with pytest.raises(ValueError, match="float16 overflows"):
        PolicyTuning(gpt(dtype="mixed_float16"), worth, rollouts=SMALL)


def test_an_encoder_decoder_learns_from_what_it_writes():
    network = EncoderDecoder(
        context=8, inner_width=8, width=8, num_heads=2, encoder_depth=1, decoder_depth=1
    )
    letters = characters("abc", pad_token="_", start_token="<", end_token=">")
    model = plain(Seq2SeqLM, network, Text(letters))
    seen = []

    def short(prompts, completions):
        seen.extend(prompts)
        return [-len(each) for each in completions]

    settings = RolloutSettings(completions=4, prompt_length=4, length=3)
    tuning = PolicyTuning(
        model, short, LeaveOneOut(2), Clipped(), KL(0.1, "loss"), rollouts=settings
    )
    tuning.refill(["abc", "a"], seed=0)
    assert seen == ["abc", "abc", "a", "a"]
    assert array(tuning, "inputs_lengths").tolist() == [3, 3, 1, 1]
    np.testing.assert_array_equal(
        array(tuning, "before"), array(tuning, "reference")
    )  # a frozen copy says the same to the bit
    rows = tf.range(4)
    with tf.GradientTape() as tape:
        loss = tuning.compute_loss(rows, None, tuning(rows))
    weights = [weight.value for weight in model.trainable_variables]
    slopes = tape.gradient(loss, weights)
    assert all(slope is not None for slope in slopes)


def test_a_new_adapter_is_kept_near_its_base_without_a_second_model():
    model = gpt()
    adapters.add(model, rank=2)
    tuning = PolicyTuning(model, worth, kl=KL(0.1, "loss"), rollouts=ALL)
    own = {id(weight) for weight in model.weights}
    others = [weight for weight in tuning.weights if id(weight) not in own]
    assert all(weight.path.endswith(tuning.transient) for weight in others)
    tuning.learn_from(every_string(), RATINGS)
    base = array(tuning, "reference")
    np.testing.assert_array_equal(array(tuning, "before"), base)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.5)
    tuning.learn_from(every_string(), RATINGS)
    np.testing.assert_array_equal(array(tuning, "reference"), base)
    assert np.abs(array(tuning, "before") - base).max() > 0.01


def test_rewards_can_be_named_and_weighed():
    found = read_rewards([Reward(worth, 2.0, "first"), (worth, 3)])
    assert [(each.name, each.weight) for each in found] == [
        ("first", 2.0),
        ("worth", 3),
    ]


def test_a_loss_is_not_taken():
    with pytest.raises(ValueError, match="`loss` must be None"):
        tuning_of(OTHER).compile("sgd", loss="mse")
