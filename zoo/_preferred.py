"""How a reward model is made of a network that learned nothing, and scored by pairs."""

import numpy as np

from keras_genai.evaluation.judges import CHARACTERS, PairJudge
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
        dict of `pair_accuracy` of the test, its standard error,
        `validation_pair_accuracy`, and what `floors` returns.
    """
    right, unseen = (_right(model, part) for part in (splits.test, splits.held_out))
    return {
        "pair_accuracy": float(right.mean()),
        "standard_error": float(right.std(ddof=1) / np.sqrt(len(right))),
        "validation_pair_accuracy": float(unseen.mean()),
        **floors(splits),
    }


def floors(splits):
    """What pairs of the test are told apart by without a network.

    Args:
        splits: see `score`. What is read is what the model reads, cut where it is.

    Returns:
        dict of shares: `floor`, in the right order by logistic regression on the runs
        of 2 to 5 letters and the length of answers, learned from the same pairs;
        `floor_of_shuffled`, likewise where a coin said which of a pair was taken, so
        that there is nothing to learn; and `shorter_wins`, where people took the
        shorter one. A tie is half.
    """
    train, test = (
        _answers(splits.tokenizer, arrays)
        for arrays in (splits.train.content, splits.test)
    )
    coins = np.random.default_rng(0).random(len(train)) < 0.5
    shuffled = [
        pair[::-1] if coin else pair for pair, coin in zip(train, coins, strict=True)
    ]
    return {
        "floor": _wins(_judge(train), test),
        "floor_of_shuffled": _wins(_judge(shuffled), test),
        "shorter_wins": _wins(lambda texts: [-len(text) for text in texts], test),
    }


def _judge(pairs):
    """A function from texts to how good they are, learned from pairs."""
    rows = [{"prompt": "", "chosen": a, "rejected": b} for a, b in pairs]
    judge = PairJudge(rows, CHARACTERS, reads_length=True)
    return lambda texts: judge.score([""] * len(texts), texts)


def _wins(score, pairs):
    """The share of pairs whose first text has the higher score."""
    first, second = (np.asarray(score(list(side))) for side in zip(*pairs, strict=True))
    return float(np.mean((first > second) + 0.5 * (first == second)))


def _answers(tokenizer, arrays):
    """list of `(chosen, rejected)`, the texts of what a language model is given."""
    tokens, prompts, mask = (
        np.asarray(arrays[key])
        for key in ("tokens", "prompt_lengths", "completion_mask")
    )
    ends = prompts[:, None] + mask.sum(axis=-1)  # (N, 2)
    return [
        tuple(
            tokenizer.decode(row[begin:end])
            for row, end in zip(rows, both, strict=True)
        )
        for rows, begin, both in zip(tokens, prompts, ends, strict=True)
    ]


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
