"""PolicyGradient: a task whose policy learns by the clipped surrogate."""

import functools
from typing import Any

import numpy as np
from keras import ops

from keras_genai import replicas
from keras_genai.samplers.session import compiled
from keras_genai.tasks.objectives import (
    KL,
    AdaptiveKL,
    Clipped,
    mean_over,
    value_error,
)
from keras_genai.tasks.reference import FromBatch, acting
from keras_genai.tasks.rollout_figures import (
    COEFFICIENT,
    ENTROPY,
    EXPLAINED,
    explained,
)
from keras_genai.tasks.rollout_tuning import RolloutTuning
from keras_genai.tasks.rows import over_rows

UPDATES = (
    "loss/policy_avg",
    "policy/approxkl_avg",
    "clip_ratio/low_mean",
    "clip_ratio/high_mean",
    "clip_ratio/region_mean",
)
UPDATES_OF_VALUES = ("loss/value_avg", "val/clipfrac_avg")


class PolicyGradient(RolloutTuning):
    """What tasks share whose policy learns by the clipped surrogate.

    What is made is made of places, the tokens of a text or the steps of a picture. A
    subclass says how probable the policy finds them, in `_read`; its buffer has arrays
    of all that `_kept` names, `(N, L)`.
    """

    objective: Clipped = Clipped()
    kl: KL | None = KL()
    reference: Any = None

    def _make_if_complete(self):
        if self.kl is None:
            self.reference = FromBatch()
        super()._make_if_complete()

    def make(self):
        super().make()
        if self.kl is not None:
            self.buffer.note({COEFFICIENT: self.kl.coefficient})

    @property
    def _updates(self):
        return UPDATES + UPDATES_OF_VALUES * self.has_values

    @property
    def _figures(self):
        return (
            *super()._figures,
            *(() if self.kl is None else ("kl", COEFFICIENT)),
            *((EXPLAINED,) if self.has_values else ()),
        )

    @property
    def _kept(self):
        """tuple of str: what the loss reads of every place of the rollout."""
        in_loss = self.kl is not None and self.kl.where == "loss"
        return (
            *("before", "advantages"),
            *(("reference",) if in_loss else ()),
            *(("values", "returns") if self.has_values else ()),
        )

    @property
    def has_values(self):
        """bool: whether there is a critic."""
        return self.advantages.has_values

    @property
    def kl_coefficient(self):
        """float: what a nat of divergence costs now."""
        return float(ops.convert_to_numpy(self.buffer.figures[COEFFICIENT]))

    def call(self, rows, training=False):
        return self._read(self.buffer.rows(rows))

    def _read(self, batch):
        """What the policy as it is says of rows: `log_probabilities`, float32 `(B, L)`.

        With a critic also `values`, likewise.
        """
        raise NotImplementedError

    def _reference_of(self, model, batch):
        """float32 `(B, L)`: what a reference says of rows."""
        raise NotImplementedError

    def _mask(self, batch):
        """float32 `(B, L)`: 1 at places that are learned from; all are."""
        return ops.ones_like(batch["before"])

    @property
    def _tokens_per_row(self):
        """Places of a row that count, on average; `None` where all have as many."""
        return None

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        batch = self.buffer.rows(x)
        mask = self._mask(batch)
        nats = y_pred["log_probabilities"]
        fresh = self.buffer.is_fresh > 0
        before = ops.where(fresh, ops.stop_gradient(nats), batch["before"])
        surrogate = self.objective(nats, before, batch["advantages"], mask)
        loss = self._mean("loss/policy_avg", surrogate.loss, mask)
        if "reference" in batch:
            cost = self.kl.penalty(nats, batch["reference"], surrogate.ratio)
            loss += self.buffer.figures[COEFFICIENT] * self._mean(None, cost, mask)
        if self.has_values:
            loss += self._value_loss(batch, y_pred["values"], mask)
        self._track_updates(surrogate, nats - before, mask)
        self._track_rollout(fresh, _seen(nats, batch.get("reference"), mask))
        return replicas.share(loss)

    def _value_loss(self, batch, values, mask):
        clip = self.advantages.value_clip
        error = value_error(values, batch["values"], batch["returns"], clip)
        self._track("val/clipfrac_avg", error.clipped, mask)
        loss = self._mean("loss/value_avg", error.loss, mask)
        return self.advantages.value_weight * loss

    def _mean(self, name, values, mask):
        """The mean that the objective takes of places, logged under a name."""
        mean = mean_over(values, mask, self.objective.mean, self._tokens_per_row)
        if name is not None:
            self.trackers[name].update_state(mean)
        return mean

    def _track_updates(self, surrogate, change, mask):
        self._track("policy/approxkl_avg", 0.5 * ops.square(change), mask)
        self._track("clip_ratio/low_mean", surrogate.low, mask)
        self._track("clip_ratio/high_mean", surrogate.high, mask)
        self._track("clip_ratio/region_mean", surrogate.low + surrogate.high, mask)

    def _track(self, name, values, mask):
        """Logs the mean over the places of a batch."""
        self.trackers[name].update_state(replicas.masked_mean(values, mask))

    # What happens between steps, on the host.

    def learn_from(self, rollout, ratings, once=False):
        """Fills what is learned from.

        Args:
            rollout: what was made, `rollouts.rows` of it.
            ratings: `Ratings` of it.
            once: bool. Whether the next step is the only one that learns from it. Then
                its own probabilities are the old ones, which need no pass of their own,
                if neither a critic nor the price of divergence asks for them before.
        """
        fresh = once and not self._asks_before
        self._hold(rollout)
        self.buffer.is_fresh.assign(float(fresh))
        found = self._scores(fresh)
        lengths = self._lengths(rollout)
        mask = np.arange(self._places)[None] < lengths[:, None]
        totals = self._totals(rollout, ratings)
        rewards = self._place_rewards(totals, lengths, found, mask)
        estimated = self.advantages(rewards, found.get("values"), mask)
        known = {**found, **estimated._asdict()}
        known["before"] = found.get("log_probabilities")
        self.buffer.put(
            **{name: known[name] for name in self._kept if known[name] is not None}
        )
        figures = self._figures_of(rollout, known, mask)
        self.buffer.note({**self._figures_of_rewards(ratings), **figures})

    @property
    def _asks_before(self):
        """bool: whether what is learned depends on what a policy says before a step."""
        in_reward = self.kl is not None and self.kl.where == "reward"
        return self.has_values or in_reward or isinstance(self.kl, AdaptiveKL)

    def _hold(self, rollout):
        """Puts what was made into the buffer."""
        raise NotImplementedError

    @property
    def _places(self):
        """int, L: most places of a row."""
        raise NotImplementedError

    def _lengths(self, rollout):
        """int `(N,)`: places of each row."""
        raise NotImplementedError

    def _totals(self, rollout, ratings):
        """float64 `(N,)`: what each row is worth."""
        return ratings.total

    @property
    def _at_once(self):
        """int: rows that are read at once outside of training."""
        raise NotImplementedError

    def _scores(self, fresh):
        """What policy, critic and reference say of the rollout: float64 `(N, L)`.

        Nothing of the policy if it is `fresh`: the step will say it.
        """
        if fresh and self.kl is None:
            return {}
        score = functools.partial(self._score, fresh)
        score = compiled(self, ("scores", fresh), lambda: score)
        found = over_rows(
            lambda rows: score(ops.convert_to_tensor(rows)),
            self.rollouts.rows,
            self._at_once,
        )
        return {name: nats.astype("float64") for name, nats in found.items()}

    def _score(self, fresh, places):
        batch = self.buffer.rows(places)
        found = {} if fresh else self._read(batch)
        if self.kl is not None:
            with acting(self.policy, self.reference) as model:
                found["reference"] = self._reference_of(model, batch)
        return found

    def _place_rewards(self, totals, lengths, found, mask):
        """float64 `(N, L)`: the score where a row ends, what it costs before."""
        rewards = np.zeros(mask.shape)
        rewards[np.arange(len(mask)), lengths - 1] = totals
        if self.kl is not None and self.kl.where == "reward":
            change = found["log_probabilities"] - found["reference"]
            rewards -= self.kl_coefficient * change * mask
        return rewards

    def _figures_of(self, rollout, known, mask):
        """dict of float: what the logs say of a rollout besides its rewards.

        Args:
            rollout: what was made.
            known: dict of float64 `(N, L)`: `log_probabilities`, or nothing of the
                policy where a step says it; `reference` if there is one; `values` and
                `returns` of a critic.
            mask: bool `(N, L)`.
        """
        figures = {}
        if self.kl is not None and "log_probabilities" in known:
            change = (known["log_probabilities"] - known["reference"]) * mask
            figures["kl"] = float(change.sum(axis=1).mean())
            figures[COEFFICIENT] = self.kl.following(
                self.kl_coefficient, figures["kl"], len(rollout)
            )
        if self.has_values:
            pair = known["values"][mask], known["returns"][mask]
            figures[EXPLAINED] = explained(*pair)
        return figures


def _seen(nats, reference, mask):
    """Figures of a rollout as the step that learns from it sees them, by name.

    Args:
        nats: float32 `(B, L)`, of the policy.
        reference: float32 `(B, L)`, or `None` where nothing is kept of it.
        mask: float32 `(B, L)`.
    """
    figures = {ENTROPY: -replicas.masked_mean(nats, mask)}
    if reference is not None:
        figures["kl"] = ops.mean(ops.sum((nats - reference) * mask, axis=1))
    return figures
