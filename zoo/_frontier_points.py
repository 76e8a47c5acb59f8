"""Reward, praise by judges and divergence, from a reference to what learned from it.

Reference: linear interpolation towards the initialization is that of Ramé et al. 2024,
    https://arxiv.org/abs/2406.16768
"""

import math

import numpy as np

import zoo
from keras_genai import from_preset
from keras_genai.evaluation.kl import best_of_divergence
from keras_genai.samplers.rollouts import completions, roll
from zoo import _alignment, _policies, _reviews
from zoo._command import say
from zoo._opening import locate
from zoo._settings import Settings

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the way from the reference to a policy
COUNTS = (1, 2, 4, 8, 16)  # of the best of n


def measured(names, data_dir=None):
    """The points of all policies, and of the best of n of their reference.

    Args:
        names: entries that write reviews, trained in runs/NAME.
        data_dir: path or `None`, where the data lie.

    Returns:
        dict, JSON: `reference`, `reward`, `prompts`, the number of them; `policies`,
        from a name to points in the order of their `share`, which is 0 of the
        reference; and `best_of`, points in the order of their `count`. A point is the
        figures of `_reviews.score`; one of `best_of` has those of the reward and the
        judges, and as `kl` the most that it can be.

    Raises:
        ValueError: if an entry is not rewarded like the first one, or not trained.
    """
    reference, reward = stages(names)
    places = {name: locate(name) for name in (reference, reward, *names)}
    models = {name: from_preset(place) for name, place in places.items()}
    splits = Settings.of(zoo.get(reference), data_dir=data_dir).splits()
    panel = _reviews.panel(splits, models[reward])
    learned = {name: models[name] for name in names}
    return {
        "reference": reference,
        "reward": reward,
        "prompts": len(_reviews.unseen(splits)),
        "policies": curves(models[reference], learned, splits, panel),
        "best_of": best_of(models[reference], splits, panel),
    }


def stages(names):
    """The names of the reference and the reward model that entries have in common.

    Raises:
        ValueError: if they have none.
    """
    found = {}
    for name in names:
        parts = zoo.get(name).parts
        begins = parts.get("policy", parts.get("trained"))
        found.setdefault((begins, parts.get("reward")), name)
    if len(found) > 1 or None in next(iter(found)):
        raise ValueError(
            "`names` must be of entries that begin as one model and are judged by one "
            f"reward model. Received: {', '.join(found.values())}"
        )
    return next(iter(found))


def curves(reference, policies, splits, panel):
    """The points from a reference to each of some policies.

    Args:
        reference: `CausalLM`.
        policies: dict of such models, of the same weights' shapes.
        splits: see `_reviews.score`.
        panel: `_reviews.Panel`.

    Returns:
        dict of lists of points, see `measured`.
    """
    writer = _alignment.fine_tuned(reference)  # compiled once, for all weights

    def point(share, policy, name="the reference"):
        say("zoo", f"scoring {name}, {share:.0%} of the way")
        between(writer, reference, policy, share)
        return {
            "share": share,
            **_reviews.scored(writer, splits, panel, reference),
        }

    begin = point(0.0, reference)
    return {
        name: [begin, *(point(share, policy, name) for share in SHARES)]
        for name, policy in policies.items()
    }


def between(writer, reference, policy, share):
    """Gives a model the weights that lie between those of two others.

    Args:
        writer, reference, policy: models of one kind.
        share: float, 0 for the reference and 1 for the policy.
    """
    every = zip(writer.weights, reference.weights, policy.weights, strict=True)
    for weight, begin, end in every:
        begin, end = begin.numpy(), end.numpy()
        weight.assign(end if share == 1 else begin + share * (end - begin))


def best_of(reference, splits, panel, counts=COUNTS):
    """The best of n of a reference, for several n, from one set of draws.

    Args:
        reference, splits, panel: see `curves`.
        counts: ints, the largest of which is drawn.

    Returns:
        list of points, see `measured`.
    """
    prompts, most = _reviews.unseen(splits), max(counts)
    say("zoo", f"drawing {most} completions of each of {len(prompts)} prompts")
    step = max(1, _policies.ROWS // most)
    parts = [
        _said(reference, prompts[begin : begin + step], panel, most, number)
        for number, begin in enumerate(range(0, len(prompts), step))
    ]
    said = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return best(said, counts)


def _said(reference, prompts, panel, count, number):
    """What a panel says of completions, dict of float64 `(N, count)`."""
    seed = _reviews.SEED + number
    rollout = roll(reference, prompts, count, _reviews.LENGTH, seed)
    texts = completions(rollout, reference.tokenizer, reference.end_tokens())
    asked = [prompt for prompt in prompts for _ in range(count)]
    said = panel.figures(asked, texts, rollout.ended)
    return {name: each.reshape(-1, count) for name, each in said.items()}


def best(said, counts):
    """The points of the best of n by the reward, the mean over all choices of n draws.

    Args:
        said: dict of float64 `(N, K)`, figures of K draws for each prompt, the `reward`
            among them.
        counts: ints up to K.
    """
    order = np.argsort(said["reward"], axis=1, kind="stable")
    ranked = {
        name: np.take_along_axis(each, order, axis=1).mean(axis=0)
        for name, each in said.items()
    }
    drawn = order.shape[1]
    return [
        {
            "count": count,
            "kl": best_of_divergence(count),
            **{
                name: float(each @ ranks(drawn, count)) for name, each in ranked.items()
            },
        }
        for count in counts
    ]


def ranks(drawn, count):
    """How probably each of some draws is the best of `count` that are taken of them.

    Args:
        drawn: int.
        count: int, at most `drawn`.

    Returns:
        float64 `(drawn,)`, of the worst draw first.
    """
    ways = [math.comb(worse, count - 1) for worse in range(drawn)]
    return np.array(ways) / math.comb(drawn, count)
