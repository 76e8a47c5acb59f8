"""The callback that lets a policy write, and runs that go on amid its updates."""

import functools
import json
import os
import signal

import keras
import numpy as np
import policy_run
import pytest
from amid_updates import Process, check_that_it_goes_on_to_the_bit
from toy_strings import REFERENCE, policy, worth

from keras_genai import compat
from keras_genai.tasks.advantages import LeaveOneOut
from keras_genai.tasks.objectives import KL
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.training.rollouts import KLStop, Rollouts
from keras_genai.training.run import train

SETTINGS = RolloutSettings(completions=8, prompt_length=1, length=3, stop=(0,))
RUN = dict(log_every=8, save_every=1, steps_per_execution=1, progress=False)


class Told:
    """What stands in for a policy: it keeps what it was asked."""

    steps_per_execution = 1
    prompts_per_rollout = 3
    stop_training = False

    def __init__(self):
        self.optimizer = keras.optimizers.SGD()
        self.has_rollout = False
        self.asked = []

    def refill(self, prompts, seed, once):
        self.has_rollout = True
        self.once = once
        self.asked.append((prompts, seed))
        return [{"prompt": each, "reward": float("nan")} for each in prompts]

    def go(self, callback, steps):
        callback.set_model(self)
        callback.on_train_begin()
        for step in steps:
            compat.batches_seen(self.optimizer).assign(step)
            callback.on_train_batch_begin(0)


def test_a_policy_writes_every_so_many_steps_with_a_seed_of_the_step():
    told = Told()
    told.go(Rollouts("abcdefg", every=4), range(10))
    assert len(told.asked) == 3
    assert len({seed for _, seed in told.asked}) == 3
    again = Told()
    again.has_rollout = True  # a run that goes on amid a rollout's updates
    again.go(Rollouts("abcdefg", every=4), range(6, 10))
    assert again.asked == told.asked[2:]


def test_batches_are_counted_where_gradients_are_accumulated():
    told, often = Told(), Told()
    often.optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    for each in (told, often):
        each.go(Rollouts("abcdefg", every=4), range(10))
    assert often.asked == told.asked


@pytest.mark.parametrize("every", [1, 2])
def test_a_policy_is_told_whether_a_rollout_is_for_one_step(every):
    told = Told()
    told.go(Rollouts("abc", every), range(2))
    assert told.once == (every == 1)


def test_a_policy_without_a_rollout_writes_at_once():
    told = Told()
    told.go(Rollouts("abc", every=4), range(6, 8))
    assert len(told.asked) == 1


def test_all_prompts_come_once_before_one_comes_again():
    told = Told()
    told.go(Rollouts("abcdefg"), range(7))
    came = "".join(prompt for prompts, _ in told.asked for prompt in prompts)
    assert [sorted(came[begin : begin + 7]) for begin in (0, 7, 14)] == [
        list("abcdefg")
    ] * 3
    assert came[:7] != came[7:14]


def test_the_first_completions_are_written_and_those_of_later_steps_replaced(tmp_path):
    path = tmp_path / "samples" / "rollouts.jsonl"
    Told().go(Rollouts("abcdefg", path=path, shown=2), range(4))
    whole = path.read_text()
    records = [json.loads(line) for line in whole.splitlines()]
    assert [record["step"] for record in records] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert records[0]["reward"] is None
    path.write_text(f"{whole}{{ half a li")  # as a crash leaves it
    Told().go(Rollouts("abcdefg", path=path, shown=2), range(2, 4))
    assert path.read_text() == whole


def test_what_was_written_is_added_to_and_not_read_again(tmp_path):
    path = tmp_path / "rollouts.jsonl"
    rollouts, told = Rollouts("abcdefg", path=path, shown=2), Told()
    told.go(rollouts, range(1))
    path.write_text("no record\n")
    told.optimizer.iterations.assign(1)
    rollouts.on_train_batch_begin(0)
    first, *others = path.read_text().splitlines()
    assert first == "no record"
    assert [json.loads(line)["step"] for line in others] == [1, 1]


def test_several_steps_at_once_must_divide_every():
    told = Told()
    told.steps_per_execution = 3
    with pytest.raises(ValueError, match="`every` must be a multiple of steps_per"):
        told.go(Rollouts("abc", every=4), range(1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rollouts([]), "`prompts` must be at least one"),
        (lambda: Rollouts("a", every=0), "`every` must be an int >= 1"),
        (lambda: Rollouts("a", seed=-1), "`seed` must be an int >= 0"),
        (lambda: KLStop(0), "`limit` must be above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_policy_that_went_too_far_ends_its_training():
    told, stop = Told(), KLStop(0.2)
    stop.set_model(told)
    for nats, ends in ((0.1, False), (0.2, False), (0.3, True)):
        stop.on_epoch_end(0, {"kl": nats})
        assert told.stop_training == ends


def tuning():
    model = PolicyTuning(
        policy(REFERENCE), worth, LeaveOneOut(2), kl=KL(0.1), rollouts=SETTINGS
    )
    model.compile(keras.optimizers.Adam(0.5), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def process():
    return Process(tuning())


def run(process, folder, *more, settings=None):
    """A run of 8 steps, two rollouts of two passes; its weights and its log."""
    model = process.begin()
    outcome = train(
        model,
        policy_run.Splits(model.loader(4)),
        folder,
        steps=8,
        callbacks=[Rollouts([[0]], every=4, path=folder / "rollouts.jsonl"), *more],
        say=lambda line: None,
        **{**RUN, **(settings or {})},
    )
    weights = [variable.numpy() for variable in model.variables]
    return weights, outcome


@pytest.mark.slow
def test_a_run_that_ended_amid_a_rollouts_updates_goes_on_to_the_bit(process, tmp_path):
    check_that_it_goes_on_to_the_bit(functools.partial(run, process), tmp_path)


@pytest.mark.slow
def test_a_run_ends_where_its_policy_went_too_far(process, tmp_path):
    settings = {"log_every": 2}  # twice a rollout
    _, whole = run(process, tmp_path / "whole", KLStop(100.0), settings=settings)
    nats = [record["kl"] for record in whole.history]
    assert nats == pytest.approx([0, 0, nats[2], nats[2]], abs=1e-6)
    assert nats[2] > 0.1
    for _ in ("a run", "and the same command again"):
        stop = KLStop(nats[2] / 2)
        _, outcome = run(process, tmp_path / "far", stop, settings=settings)
        assert outcome.steps == 6
        assert outcome.history[-1]["kl"] == nats[2]


def test_a_policy_that_is_compared_with_nothing_cannot_go_too_far():
    told, stop = Told(), KLStop(0.2)
    stop.set_model(told)
    with pytest.raises(ValueError, match="`kl` must be given to a policy"):
        stop.on_train_begin()


@pytest.mark.slow
def test_steps_at_once_are_as_many_as_divide_a_rollouts(process, tmp_path):
    strides = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            strides.append(self.model.steps_per_execution)

    once, _ = run(process, tmp_path / "one")
    several, _ = run(
        process, tmp_path / "several", Count(), settings={"steps_per_execution": 8}
    )
    assert strides == [4, 4]
    for one, other in zip(once, several, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of POSIX")
def test_a_killed_process_goes_on_to_the_bit(tmp_path):
    whole = policy_run.start(tmp_path / "whole", 0, "writer")
    assert whole.returncode == 0, whole.stderr
    cut = policy_run.start(tmp_path / "cut", 7, "writer")
    assert cut.returncode == -signal.SIGKILL
    resumed = policy_run.start(tmp_path / "cut", 0, "writer")
    assert "going on from step 6 of 8" in resumed.stdout
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]
