"""What the entries that write film reviews have in common, and those that judge them.

A policy goes on from the first three words of a sentence. It learns to praise from a
reward model that saw one half of the training sentences; three judges, none of which a
policy ever learned from, saw the other half.
"""

import dataclasses

import keras
import numpy as np

from keras_genai.data import published, tokenizers
from keras_genai.data.reviews import halves
from keras_genai.evaluation.diversity import distinct, unique_share
from keras_genai.evaluation.judges import (
    BOTH,
    CHARACTERS,
    WORDS,
    ClassifierJudge,
    TextJudge,
)
from keras_genai.evaluation.kl import divergence
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.optimizers import adamw
from keras_genai.padding import pad_sequence
from keras_genai.samplers import Sample
from keras_genai.samplers.rollouts import completions, roll
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.preference import PreferenceTuning
from keras_genai.tasks.reward import RewardModel
from zoo import _alignment, _policies
from zoo.entry import kept

TOKENIZER = "bpe:2048"  # the same for policies and reward models
CONTEXT = 48  # tokens
PROMPT = 24  # tokens of three words, at most
LENGTH = 24  # tokens of a completion, at most
SCORED = 512  # completions, each of another prompt
SEED = 20_000  # of these draws, which no training makes
PAIRS = 4_000  # that the policy writes for a training by preferences
ASKED = 2_400  # prompts whose best completions are imitated
STEPS_OF_JUDGE = 500
PARTS = ("prompts", "completions")  # of a sentence
# For cards of presets.
NOTES = """\
It goes on from the first words of an English film review, and knows of nothing else: no
film is behind what it says. It praises whatever it is asked about, as it was taught to.

`praise` is the share of its completions, behind beginnings that nobody learned from,
that three judges take for praise; these learned from sentences that the reward model
never saw. `kl` is how far it went from gpt_reviews, in nats a completion; `unique` and
`distinct_2` are how little it repeats itself. A reward is being hacked where
`praise_by_reward` is far above `praise`, or where `unique` falls."""
BEGINNINGS = ("the film is", "a story that", "this is one", "i have never")


def rewarded(
    policy, reward, advantages, objective, kl, rollouts, dtype=None, name=None
):
    """`_policies.rewarded` by a `RewardModel` of the same tokens."""
    return _policies.rewarded(
        policy, [praise(reward)], advantages, objective, kl, rollouts, dtype, name
    )


def praise(reward):
    """A reward of completions by a `RewardModel` that reads whole sentences."""

    def praise(prompts, completions, ended):
        pairs = zip(prompts, completions, strict=True)
        return _alignment.text_scores(reward, [a + b for a, b in pairs], ended)

    return praise


def preferring(policy, loss, dtype=None, name=None):
    """`PreferenceTuning` of a copy of a policy, which itself is the reference.

    Args:
        policy: `CausalLM`.
        loss: of `keras_genai.preferences`.
        dtype, name: see `rewarded`.
    """
    copy = _alignment.fine_tuned(policy, dtype=dtype, name=name)
    return PreferenceTuning(copy, loss=loss, reference=policy, name=name)


def feed_pairs(model, splits, batch_size, seed, policy, reward, count=PAIRS):
    """Pairs that the policy wrote, of which one is preferred by a known reward.

    The chance to be preferred is that of Bradley and Terry: the logistic function of
    the difference of the rewards.

    Args:
        model: `PreferenceTuning`.
        splits: `Splits` with prompts.
        batch_size, seed: int.
        policy: `CausalLM` that writes.
        reward: `RewardModel`.
        count: int, pairs.
    """
    prompts = _some(splits.prompts, count)
    draws, rows, whole = np.random.default_rng(seed), [], []
    for rated in _policies.drawn(policy, prompts, praise(reward), 2, LENGTH, seed):
        one, other = rated.ratings.total.reshape(-1, 2).T
        chances = 1 / (1 + np.exp(other - one))
        first = np.arange(0, len(rated.prompts), 2)
        won = first + (draws.random(len(first)) >= chances)
        lost = 2 * first + 1 - won
        rows += [
            {
                "prompt": rated.prompts[better],
                "chosen": rated.completions[better],
                "rejected": rated.completions[worse],
            }
            for better, worse in zip(won, lost, strict=True)
        ]
        whole += (rated.rollout.ended[won] & rated.rollout.ended[lost]).tolist()
    rows = _to_learn(model.tokenizer, rows, whole, batch_size)
    train = model.loader(rows, batch_size, CONTEXT, seed=seed)
    return dataclasses.replace(splits, train=train, validation=None)


def feed_best(model, splits, batch_size, seed, trained, reward, count=16):
    """The best of several completions of 2,400 prompts, to be imitated.

    Args:
        model: `CausalLM` that learns.
        splits: `Splits` with prompts.
        batch_size, seed: int.
        trained: `CausalLM` that writes.
        reward: `RewardModel`.
        count: int, completions of each prompt.
    """
    prompts, rows, whole = _some(splits.prompts, ASKED), [], []
    rewards = praise(reward)
    for rated in _policies.drawn(trained, prompts, rewards, count, LENGTH, seed):
        best = rated.best()
        rows += [
            {"prompt": rated.prompts[row], "completion": rated.completions[row]}
            for row in best
        ]
        whole += rated.rollout.ended[best].tolist()
    rows = _to_learn(model.tokenizer, rows, whole, batch_size)
    train = model.loader(rows, batch_size, CONTEXT, seed=seed, packed=True)
    return dataclasses.replace(splits, train=train, validation=None)


def score(model, splits, policy=None, trained=None, reward=None):
    """What a policy writes behind unseen beginnings, by judges it never learned from.

    Args:
        model: a task that writes.
        splits: `Splits` of `keras_genai.data.reviews.reviews`.
        policy, trained: the model that it began as, by one name or the other.
        reward: `RewardModel`, or `None`.

    Returns:
        dict of `praise`, the mean of the judges' shares of praise, and these by
        themselves; `unique`, the share of different completions, `distinct_2`, and
        `ended`; with `reward` its mean, and `praise_by_reward`, the share above the
        median of the sentences of both kinds; and with a policy `kl` from it, in nats a
        completion.
    """
    return scored(kept(model), splits, panel(splits, reward), policy or trained)


@dataclasses.dataclass(frozen=True)
class Panel:
    """Who says how good reviews are.

    Attributes:
        judges: dict of judges, see `judges`.
        reward: `RewardModel` that policies learn to please, or `None`.
        usual: float, the median of its rewards of sentences of both kinds, or `None`.
    """

    judges: dict
    reward: RewardModel | None = None
    usual: float | None = None

    def figures(self, prompts, texts, ended):
        """What is said of each of some completions.

        Args:
            prompts: list of str.
            texts: list of as many str, what is written behind them.
            ended: sequence of bool, which of them came to an end.

        Returns:
            dict of float64 `(N,)`: `praise`, the share of judges that take a text for
            praise, whether each of them does, and with a reward model that reward, and
            whether it is above the usual one.
        """
        found = {
            f"praise_by_{name}": judge.score(prompts, texts) > 0
            for name, judge in self.judges.items()
        }
        found = {"praise": np.mean([*found.values()], axis=0), **found}
        if self.reward is not None:
            rewards = praise(self.reward)(prompts, texts, ended)
            found |= {"reward": rewards, "praise_by_reward": rewards > self.usual}
        return {name: np.asarray(each, "float64") for name, each in found.items()}


def panel(splits, reward=None):
    """`Panel` of judges that learn now; see `score`."""
    if reward is None:
        return Panel(judges(splits))
    known = splits.held_out["sentences"].tolist()
    usual = float(np.median(_alignment.text_scores(reward, known)))
    return Panel(judges(splits), reward, usual)


def scored(writer, splits, panel, base=None):
    """The figures of `score`, by a panel that has learned already.

    Args:
        writer: `CausalLM`.
        splits: see `score`.
        panel: `Panel`.
        base: the model that the writer began as, or `None`.
    """
    prompts = unseen(splits)
    rollout = roll(writer, prompts, 1, LENGTH, SEED)
    texts = completions(rollout, writer.tokenizer, writer.end_tokens())
    said = panel.figures(prompts, texts, rollout.ended)
    figures = {
        **{name: float(np.mean(each)) for name, each in said.items()},
        "unique": unique_share(texts),
        "distinct_2": distinct(texts),
        "ended": float(np.mean(rollout.ended)),
    }
    if base is not None:
        figures["kl"] = _divergence(writer, base, rollout).value
    return figures


def unseen(splits):
    """list of the prompts, of sentences that nobody learned from, that are scored."""
    return _some(splits.test["prompts"].tolist(), SCORED)


def score_base(model, splits):
    """Nats a character of unseen sentences that fit the context, and `score`."""
    end = model.tokenizer.end_token
    whole = [a + b for a, b in _columns(splits.held_out, *PARTS)]
    tokens = [np.append(row, end) for row in model.tokenizer.encode_batch(whole)]
    fits = [len(row) <= CONTEXT for row in tokens]
    characters = sum(len(text) + 1 for text, it in zip(whole, fits, strict=True) if it)
    tokens = [row for row, it in zip(tokens, fits, strict=True) if it]
    lengths = np.array([len(row) for row in tokens], "int32")
    nats = _alignment.log_probabilities(
        model, pad_sequence(tokens), np.ones_like(lengths), lengths
    )
    first = len(tokens) * np.log(model.vocabulary_size)  # nothing is before it
    return {
        "nats_per_character": float((first - nats.sum()) / characters),
        **score(model, splits),
    }


def score_reward(model, splits):
    """How often praise is above blame, over all pairs of unseen sentences.

    Args:
        model: `RewardModel`.
        splits: `Splits` of `keras_genai.data.reviews.pairs`.

    Returns:
        dict of `pair_accuracy` of the test, `validation_pair_accuracy`, and what
        `reward_floors` returns.
    """

    def judged(rows):
        scores = _alignment.text_scores(model, rows["sentences"].tolist())
        return pair_accuracy(scores, rows["labels"])

    return {
        "pair_accuracy": judged(splits.test),
        "validation_pair_accuracy": judged(splits.held_out),
        **reward_floors(splits),
    }


def reward_floors(splits):
    """What the words and letters of sentences say, to a logistic regression.

    Args:
        splits: `Splits` of `keras_genai.data.reviews.pairs`.

    Returns:
        dict of shares of pairs of the test: `floor`, learned from the sentences that
        the reward model learns from, and `floor_of_all`, from all of the training.
    """
    test = splits.texts["test"]["sentences"].tolist()
    known = list(_columns(splits.texts["train"], "sentences", "labels"))

    def floor(rows):
        judge = TextJudge(*zip(*rows, strict=True), BOTH)
        scores = judge.score([""] * len(test), test)
        return pair_accuracy(scores, splits.texts["test"]["labels"])

    return {"floor": floor(halves(known)[0]), "floor_of_all": floor(known)}


def pair_accuracy(scores, labels):
    """The share of pairs of praise and blame whose order scores have right.

    Args:
        scores: float `(N,)`.
        labels: int `(N,)`; 1 is praise.
    """
    praise, blame = (scores[labels == label] for label in (1, 0))
    apart = praise[:, None] - blame[None]
    return float(np.mean((apart > 0) + 0.5 * (apart == 0)))


def judges(splits):
    """dict of three judges that learn from sentences which no policy's reward saw."""
    sentences = splits.held_out["sentences"].tolist()
    labels = splits.held_out["labels"]
    return {
        "words": TextJudge(sentences, labels, WORDS),
        "letters": TextJudge(sentences, labels, CHARACTERS),
        "lstm": lstm_judge(sentences, labels),
    }


def lstm_judge(sentences, labels, steps=None):
    """A small recurrent classifier of sentences as a judge.

    Args:
        sentences: list of str.
        labels: int `(N,)`; 1 is praise.
        steps: int or `None` (500).
    """
    keras.utils.set_random_seed(0)  # the same judge for all
    learned = tokenizers.wordpiece(
        sentences,
        4000,
        pad_token="[PAD]",
        start_token="[CLS]",
        end_token="[SEP]",
        unknown_token="[UNK]",
    )
    network = RecurrentEncoder(
        embedding_dim=96, units=64, dropout=0.5, token_dropout=0.2
    )
    given = Text(published.for_encoder(learned))
    model = SequenceClassifier(
        network, Label(2, ("blame", "praise")), given, dropout=0.5
    )
    steps = steps or STEPS_OF_JUDGE
    model.compile(
        optimizer=adamw(warmup_cosine(1e-3, max(1, steps // 10), steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    loader = model.loader(sentences, labels, batch_size=32)
    model.fit(loader.dataset().take(steps), verbose=0)
    return ClassifierJudge(model, "praise")


def show_rewards(model, seed):
    """What a reward model says of three sentences."""
    from zoo._sentiment import SENTENCES

    scores = _alignment.text_scores(model, list(SENTENCES))
    return "\n".join(
        f"{value:6.2f}  {text}" for value, text in zip(scores, SENTENCES, strict=True)
    )


def write(model, seed, prompts=BEGINNINGS):
    """How the model goes on from a few beginnings, one a line."""
    longest = max(len(model.tokenizer.encode(prompt)) for prompt in prompts)
    found = model.generate(
        list(prompts), max_length=longest + LENGTH, sampler=Sample(), seed=seed
    )
    return "\n".join(found)


def _some(prompts, count):
    """So many prompts; where there are fewer, each of them four times at most."""
    count = min(count, 4 * len(prompts))
    return [prompts[index % len(prompts)] for index in range(count)]


def _to_learn(tokenizer, rows, whole, least):
    """The rows that came to an end in time: of others nobody should learn to end.

    Completions that go on within a word are left out, because no token of a prompt may
    be another one than alone. Where a model ends hardly anything, as one that learned
    nothing, what it cut is better than none.
    """
    kept = [
        (row, is_whole)
        for row, is_whole in zip(rows, whole, strict=True)
        if _is_apart(tokenizer, **row)
    ]
    ended = [row for row, is_whole in kept if is_whole]
    return ended if len(ended) >= least else [row for row, _ in kept]


def _is_apart(tokenizer, prompt, **completions):
    """Whether texts begin with all tokens of a prompt, and differ from each other."""
    before = tokenizer.encode(prompt)
    texts = {*completions.values()}
    return len(texts) == len(completions) and all(
        text and np.array_equal(tokenizer.encode(prompt + text)[: len(before)], before)
        for text in texts
    )


def _columns(rows, *names):
    return zip(*(rows[name].tolist() for name in names), strict=True)


def _divergence(policy, base, rollout):
    """How far a policy is from what it began as, on what it wrote."""
    read = rollout.tokens, rollout.prompt_lengths, rollout.lengths
    found = [_alignment.log_probabilities(model, *read) for model in (policy, base)]
    counts = rollout.completion_lengths[:, None]
    return divergence(*found, np.arange(found[0].shape[1]) < counts)
