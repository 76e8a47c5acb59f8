"""Diffusion models that learn from rewards, where every step is a known Gaussian."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toy_pictures import (
    ANY,
    CLASSES,
    SHAPE,
    STEPS,
    brightness,
    levels,
    means_of,
    painter,
    posterior,
)

from keras_genai import from_preset
from keras_genai.samplers.diffusion import DDIM, Ancestral, DPMSolver
from keras_genai.tasks.advantages import GAE, Exponential, GroupMean, LeaveOneOut
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.diffusion_tuning import DiffusionTuning
from keras_genai.tasks.objectives import KL, Clipped
from keras_genai.tasks.picture_sampling import best_pictures, sampled_pictures
from keras_genai.tasks.reward_weighted import RewardWeightedRegression
from keras_genai.tasks.trajectories import step_log_probabilities
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from keras_genai.training.rollouts import Rollouts

DRAWS = np.random.default_rng(0)
MEANS = DRAWS.uniform(-0.1, 0.1, (CLASSES + 1, *SHAPE)).astype("float32")
ROWS = 8
SMALL = TrajectorySettings(ROWS, STEPS)
CLASS = [{"labels": 0}, {"labels": 1}]


def tuning_of(policy=None, settings=SMALL, task=DiffusionTuning, **given):
    given = {"rewards": brightness, "advantages": LeaveOneOut(4), **given}
    return task(policy or painter(MEANS), rollouts=settings, **given)


def array(tuning, name):
    return keras.ops.convert_to_numpy(tuning.buffer.arrays[name])


def figure(tuning, name):
    return float(keras.ops.convert_to_numpy(tuning.buffer.figures[name]))


def known_nats(noisy, labels, means):
    """float64 `(N, steps - 1)` of trajectories without their pictures."""
    mean, deviation, _ = posterior(noisy[:, :-1], means[labels], noisy.shape[1])
    return stats.norm.logpdf(noisy[:, 1:], mean, deviation).sum((2, 3, 4))


def slope(tuning):
    """The slope of the loss of all rows at the means."""
    rows = tf.range(tuning.rollouts.rows)
    with tf.GradientTape() as tape:
        loss = tuning.compute_loss(rows, None, tuning(rows))
    return tf.convert_to_tensor(
        tape.gradient(loss, tuning.policy.network.means.value)
    ).numpy()


@pytest.mark.parametrize("sampler", [Ancestral(), DDIM(eta=1.0)], ids=str)
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_a_step_is_as_probable_as_its_gaussian_says(sampler, guidance, eager):
    model = painter(MEANS)
    found = model.trajectories(
        6, guidance, STEPS, sampler, seed=3, labels=[0, 1, 0, 1, 0, 1]
    )
    assert found.noisy.shape == (6, STEPS + 1, *SHAPE)
    noisy, labels = found.noisy[:, :-1], found.condition["labels"]
    times = [part[:-1] for part in SMALL.sampler.grid(model.schedule, STEPS)]
    nats = step_log_probabilities(
        model, tf.constant(noisy), times, found.condition, sampler, guidance
    )
    # To mix what is seen of two Gaussians of one deviation is to mix their means.
    means = MEANS.astype("float64")
    means = means[ANY] + guidance * (means - means[ANY])
    expected = known_nats(noisy.astype("float64"), labels, means)
    assert nats.shape == (6, STEPS - 1)
    np.testing.assert_allclose(nats, expected, rtol=1e-5, atol=1e-5)


def test_trajectories_end_in_the_pictures_that_are_generated(eager):
    model = painter(MEANS)
    found = model.trajectories(3, steps=STEPS, seed=1, labels=1)
    images = model.generate(3, steps=STEPS, sampler=Ancestral(), seed=1, labels=1)
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_allclose(found.images, (found.noisy[:, -1] + 1) / 2, atol=1e-6)
    assert model.trajectories(3, steps=2).condition["labels"].tolist() == [ANY] * 3


def test_samplers_that_draw_nothing_have_no_probabilities(eager):
    found = painter().trajectories(2, steps=3)
    times = [part[:-1] for part in DDIM().grid(painter().schedule, 3)]
    for sampler in (DDIM(), DPMSolver()):
        with pytest.raises(ValueError, match="`sampler` must draw its steps"):
            step_log_probabilities(
                painter(), found.noisy[:, :-1], times, found.condition, sampler
            )
        with pytest.raises(ValueError, match=r"`rollouts.sampler` must draw"):
            tuning_of(settings=TrajectorySettings(ROWS, 3, sampler=sampler))


def test_a_rollout_is_made_rated_once_and_told(eager):
    calls = []

    def counted(images, labels):
        calls.append((images, labels))
        return [float(each) for each in labels]

    tuning = tuning_of(rewards=[brightness, (counted, 0.5)])
    assert tuning.prompts_per_rollout == 2
    assert not tuning.has_rollout
    records = tuning.refill(CLASS, seed=7)
    assert tuning.has_rollout
    ((images, labels),) = calls
    assert images.shape == (ROWS, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 1
    assert labels == [0] * 4 + [1] * 4
    for record, label in zip(records, labels, strict=True):
        assert record["labels"] == label
        assert record["reward"] == record["brightness"] + 0.5 * record["counted"]
    assert array(tuning, "labels").tolist() == labels
    noisy = array(tuning, "noisy")
    assert tuning.refill(CLASS, seed=7) == records
    np.testing.assert_array_equal(array(tuning, "noisy"), noisy)
    assert tuning.refill(CLASS, seed=8) != records


def test_the_first_step_is_that_of_reinforce(eager):
    tuning = tuning_of()
    tuning.refill(CLASS, seed=0)
    noisy = array(tuning, "noisy").astype("float64")
    labels, advantages = array(tuning, "labels"), array(tuning, "advantages")
    before = known_nats(noisy, labels, MEANS.astype("float64"))
    np.testing.assert_allclose(array(tuning, "before"), before, rtol=1e-5, atol=1e-5)
    mean, deviation, change = posterior(noisy[:, :-1], MEANS[labels].astype("float64"))
    scores = (noisy[:, 1:] - mean) / deviation**2 * change
    each = advantages[..., None, None, None] * scores
    expected = np.zeros(MEANS.shape)
    np.add.at(expected, labels, -each.sum(axis=1) / advantages.size)
    found = slope(tuning)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_one_step_has_its_own_probabilities_for_the_old_ones(eager):
    tuning = tuning_of()
    tuning.refill(CLASS, seed=0)
    expected = slope(tuning)
    tuning.refill(CLASS, seed=0, once=True)
    tuning.buffer.put(before=np.full((ROWS, STEPS - 1), np.nan))
    np.testing.assert_allclose(slope(tuning), expected, atol=1e-6)


def test_a_step_that_became_much_likelier_or_rarer_no_longer_counts(eager):
    tuning = tuning_of(objective=Clipped(0.2))
    tuning.refill(CLASS, seed=0)
    before = array(tuning, "before")
    signs = np.where(DRAWS.random(before.shape) < 0.5, 1.0, -1.0)
    # The ratio is 1.5 where the advantage is positive, and 0.5 where it is not.
    ratio = np.where(signs > 0, 1.5, 0.5)
    tuning.buffer.put(before=before - np.log(ratio), advantages=signs)
    np.testing.assert_array_equal(slope(tuning), np.zeros(MEANS.shape))


def test_what_it_costs_to_leave_the_reference_is_counted(eager):
    moved = MEANS + np.float32(0.1)
    tuning = tuning_of(painter(moved), kl=KL(0.5), reference=painter(MEANS))
    tuning.refill(CLASS, seed=0)
    noisy = array(tuning, "noisy").astype("float64")
    labels = array(tuning, "labels")
    change = known_nats(noisy, labels, moved.astype("float64"))
    change -= known_nats(noisy, labels, MEANS.astype("float64"))
    total = change.sum(axis=1)
    np.testing.assert_allclose(figure(tuning, "kl"), total.mean(), rtol=1e-3)
    rewards = np.array([each["reward"] for each in tuning.refill(CLASS, seed=0)])
    found = array(tuning, "advantages")[:, 0]
    worth = (rewards - 0.5 * total).reshape(2, 4)
    expected = (worth - worth.mean(1, keepdims=True)) * 4 / 3
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-3)


def test_as_long_as_nothing_is_learned_the_reference_says_the_same(eager):
    tuning = tuning_of(kl=KL(0.5, "loss"))
    tuning.refill(CLASS, seed=0)
    np.testing.assert_array_equal(array(tuning, "before"), array(tuning, "reference"))
    assert figure(tuning, "kl") == 0
    assert not tuning.reference.trainable_weights


def test_pictures_weigh_what_their_rewards_say(eager):
    tuning = tuning_of(task=RewardWeightedRegression, advantages=Exponential(0.1, 4))
    rewards = np.array([each["reward"] for each in tuning.refill(CLASS, seed=0)])
    weights = np.exp(rewards / 0.1).reshape(2, 4)
    weights = (weights / weights.mean(axis=1, keepdims=True)).ravel()
    np.testing.assert_allclose(array(tuning, "advantages")[:, 0], weights, rtol=1e-5)
    rows = tf.range(ROWS)
    images, labels = (array(tuning, name) for name in ("images", "labels"))
    plain = tuning.policy({"images": images, "labels": labels.astype("int32")})
    expected = np.mean(weights * plain["weight"] * plain["error"])
    loss = tuning.compute_loss(rows, None, tuning(rows))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


METHODS = {
    "DDPO": (DiffusionTuning, GroupMean("group", 64)),
    "RWR": (RewardWeightedRegression, Exponential(0.05, 64)),
}


@pytest.mark.parametrize(
    "method", ["DDPO", pytest.param("RWR", marks=pytest.mark.slow)]
)
def test_pictures_become_what_is_rewarded(method):
    task, advantages = METHODS[method]
    settings = TrajectorySettings(64, STEPS)
    tuning = tuning_of(painter(), settings, task, advantages=advantages)
    tuning.compile(keras.optimizers.Adam(0.02))
    logs = tuning.fit(
        tuning.loader(64), epochs=20, verbose=0, callbacks=[Rollouts([{}])]
    ).history
    # Of any class: two means out of three have nothing to learn from.
    found = means_of(tuning.policy)
    np.testing.assert_array_equal(found[:CLASSES], 0)
    assert (found[ANY] > 0.1).all()
    assert logs["reward"][-1] > logs["reward"][0]
    assert np.isfinite([*logs.values()]).all()
    assert {"loss", "reward_std", "rewards/brightness/mean"} <= logs.keys()


def test_the_best_of_several_pictures_is_taken(eager):
    seen = []

    def bright(images):
        seen.append(len(images))
        return images.mean(axis=(1, 2, 3))

    policy = painter(MEANS)
    rated = sampled_pictures(policy, CLASS, bright, 3, seed=5, steps=STEPS)
    assert seen == [6]
    assert [row["labels"] for row in rated.prompts] == [0, 0, 0, 1, 1, 1]
    best = best_pictures(policy, CLASS, bright, 3, seed=5, steps=STEPS)
    images = rated.completions.reshape(2, 3, *SHAPE)
    means = images.mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(best, images[np.arange(2), means.argmax(axis=1)])


def test_the_policy_is_what_is_saved(eager, tmp_path):
    tuning = tuning_of(kl=KL())
    tuning.refill(CLASS, seed=0)
    tuning.save_to_preset(tmp_path / "preset")
    again = from_preset(tmp_path / "preset")
    assert type(again) is Diffusion
    np.testing.assert_array_equal(means_of(again), MEANS)
    np.testing.assert_array_equal(again.generate(2), tuning.generate(2))


def test_the_range_of_the_authors_code_is_what_the_docstring_says():
    allowed = np.exp(16_384 * np.log1p([-1e-4, 1e-4]))
    np.testing.assert_allclose(allowed, [0.194, 5.15], rtol=0.01)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"policy": keras.Sequential()}, "`policy` must be a Diffusion"),
        ({"advantages": GAE()}, "`advantages` must need no critic"),
        ({"advantages": LeaveOneOut(5)}, "`rollouts.pictures` must be a multiple"),
        ({"reference": keras.Sequential(), "kl": KL()}, "`reference` must be a Diff"),
        ({"rewards": ["bright"]}, "`rewards` must be functions of prompts"),
    ],
)
def test_what_does_not_go_together_is_refused(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        tuning_of(**given)


def test_a_reference_of_other_pictures_is_refused():
    other = painter()
    other.given = ()
    with pytest.raises(ValueError, match="`reference` must denoise what the policy"):
        tuning_of(kl=KL(), reference=other)


def test_prompts_of_another_number_or_with_other_names_are_refused(eager):
    tuning = tuning_of()
    with pytest.raises(ValueError, match="`prompts` must be 2 for a rollout of 8"):
        tuning.refill([{}], seed=0)
    for prompts in ([{}, {"labels": 0}], [0, 1]):
        with pytest.raises(ValueError, match="`prompts` must be at least one dict"):
            tuning.refill(prompts, seed=0)
    with pytest.raises(ValueError, match="`label` must be `None` for this model"):
        tuning.refill([{"label": 0}] * 2, seed=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pictures": 0}, "`pictures` must be an int >= 1"),
        ({"steps": 1}, "`steps` must be an int >= 2"),
        ({"guidance": -1.0}, "`guidance` must be at least 0"),
        ({"sampler": Ancestral}, "`sampler` must be an object of"),
    ],
)
def test_settings_out_of_range_are_refused(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        TrajectorySettings(**given)


def test_the_toy_is_far_from_the_edges_of_what_pictures_can_be():
    alpha, sigma = levels()
    assert (alpha > 0).all()
    assert (sigma > 0).all()
    assert np.abs(MEANS).max() + 3 * 0.2 < 1
