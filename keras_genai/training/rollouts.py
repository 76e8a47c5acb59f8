"""Callbacks of policies that learn from what they write themselves."""

import json
import math

import keras
import numpy as np

from keras_genai import compat
from keras_genai.checks import check_integer, check_number
from keras_genai.files.paths import as_path
from keras_genai.files.text import read_bytes
from keras_genai.files.writing import append_bytes, write_bytes
from keras_genai.replicas import on_several_workers
from keras_genai.training import workers
from keras_genai.training.errors import writing
from keras_genai.training.log import plain, sound_lines

__all__ = ["KLStop", "Rollouts"]


class Rollouts(keras.callbacks.Callback):
    """Lets a policy write anew every so many steps, and fills what it learns from.

    Prompts come in another order each time that all of them have been used. What is
    drawn is a function of the seed, the step and the weights, so that a run goes on
    after a crash as if there had been none. Of several workers each writes all of it,
    and a part of each batch is learned on each.

    Args:
        prompts: list of prompts, see `PolicyTuning.refill`.
        every: int. Steps between rollouts: the number of batches in one, or a multiple,
            for several passes.
        seed: int.
        path: path or `None`. A file of JSON lines, to which the first completions of
            each rollout are added with their rewards.
        shown: int. How many of them.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of range, if there are no prompts, or, in `fit`, if
            several steps are done at once that do not divide `every`.
        TrainingError: if several workers write, or are rewarded for, different things.
    """

    def __init__(self, prompts, every=1, seed=0, path=None, shown=8):
        super().__init__()
        check_integer("every", every, 1)
        check_integer("seed", seed, 0)
        check_integer("shown", shown, 1)
        self.prompts = list(prompts)
        if not self.prompts:
            raise ValueError("`prompts` must be at least one. Received: none")
        self.every = every
        self.seed = seed
        self.path = None if path is None else as_path(path, "path")
        self.shown = shown

    def on_train_begin(self, logs=None):
        at_once = self.model.steps_per_execution
        if self.every % at_once:
            raise ValueError(
                f"`every` must be a multiple of steps_per_execution={at_once}. "
                f"Received: every={self.every}"
            )
        self.is_new, self.is_cut = True, False

    def on_train_batch_begin(self, batch, logs=None):
        step = int(compat.batches_seen(self.model.optimizer).numpy())
        if step % self.every == 0 or (self.is_new and not self.model.has_rollout):
            self._refill(step)
        self.is_new = False

    def _refill(self, step):
        chosen = self._chosen(step // self.every)
        # One number of 64 bits: a sum would be another pair's, too.
        seed = np.random.SeedSequence([self.seed, step]).generate_state(1, "uint64")[0]
        once = self.every == 1
        written = self.model.refill(chosen, int(seed) % 2**63, once)
        strategy = workers.strategy_of(self.model)
        if on_several_workers(strategy):
            workers.check_alike(strategy, "rollouts", json.dumps(plain(written)))
        if self.path is not None and workers.is_chief(strategy):
            self._write(step, written[: self.shown])

    def _chosen(self, turn):
        """The prompts of a rollout: the next ones in the order of their pass."""
        count, total = self.model.prompts_per_rollout, len(self.prompts)
        places = np.arange(turn * count, (turn + 1) * count)
        orders = {
            each: np.random.default_rng([self.seed, each]).permutation(total)
            for each in sorted(set(places // total))
        }
        return [self.prompts[orders[each // total][each % total]] for each in places]

    def _write(self, step, records):
        """Adds lines, which are on the disk before a checkpoint counts on them."""
        written = [
            json.dumps(plain({"step": step, **record}), ensure_ascii=False)
            for record in records
        ]
        with writing(self.path):
            if not self.is_cut:
                self._cut(step)
            append_bytes(self.path, "".join(f"{line}\n" for line in written).encode())

    def _cut(self, step):
        """Leaves what was written before a step; a killed run may have gone on."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        present = read_bytes(self.path) if self.path.exists() else b""
        write_bytes(self.path, sound_lines(present, step - 1))
        self.is_cut = True


class KLStop(keras.callbacks.Callback):
    """Ends a training whose policy has gone too far from its reference.

    Args:
        limit: float > 0, nats a completion: the largest mean of an epoch's rollouts,
            which of a run is an interval of its log.

    Raises:
        TypeError: if `limit` is no number.
        ValueError: if it is not above 0, or, in `fit`, if the model has no `kl`: then
            nothing is compared with a reference.
    """

    def __init__(self, limit):
        super().__init__()
        check_number("limit", limit, "above 0", lambda value: 0 < value < math.inf)
        self.limit = limit

    def on_train_begin(self, logs=None):
        if getattr(self.model, "kl", None) is None:
            raise ValueError(
                "`kl` must be given to a policy that `KLStop` watches: without it "
                "nothing is compared with a reference. Received: kl=None"
            )

    def on_epoch_end(self, epoch, logs=None):
        if logs["kl"] > self.limit:
            self.model.stop_training = True
