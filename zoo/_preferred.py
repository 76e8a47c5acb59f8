"""How a reward model is made of a network that learned nothing, and scored by pairs."""

import numpy as np

from keras_genai.tasks.reward import RewardModel

QUESTION = "\n\nHuman: How do I open this door?\n\nAssistant:"
ANSWERS = (" Turn the handle, then push.", " Break it, you fool.", " I cannot say.")


def reward_model(network, given, dropout=0.1, centering=0.01, dtype=None, name=None):
    """`RewardModel`, whose target is no part of the data.

    Args:
        network: `TokenNetwork`.
        given: `Text`.
        dropout: float, of the network and before the head.
        centering: see `RewardModel`.
        dtype: Keras dtype policy.
        name: str or `None`.
    """
    return RewardModel(
        network,
        given=given,
        dropout=dropout,
        centering=centering,
        dtype=dtype,
        name=name,
    )


def score(model, splits):
    """How often the answer that people took is above the other one.

    Args:
        model: `RewardModel`.
        splits: `Splits` of `keras_genai.data.preferences`.

    Returns:
        dict of `pair_accuracy` of the test, its standard error, and
        `validation_pair_accuracy`.
    """
    right, unseen = (_right(model, part) for part in (splits.test, splits.held_out))
    return {
        "pair_accuracy": float(right.mean()),
        "standard_error": float(right.std(ddof=1) / np.sqrt(len(right))),
        "validation_pair_accuracy": float(unseen.mean()),
    }


def _right(model, arrays):
    scores = model.predict(arrays, batch_size=16, verbose=0)  # (N, 2)
    return (scores[:, 0] > scores[:, 1]).astype("float64")


def show(model, seed, question=QUESTION, answers=ANSWERS):
    """What the model says of a few answers, the best first."""
    scores = model.score([question] * len(answers), list(answers))
    return "\n".join(
        f"{scores[index]:6.2f} {answers[index]}"
        for index in np.argsort(-scores, kind="stable")
    )
