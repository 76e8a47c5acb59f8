"""What the entries have in common whose policy learns from what it makes itself."""

import dataclasses

from keras_genai.progress import watched
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.sampling import sampled
from keras_genai.training.rollouts import Rollouts
from zoo import _alignment
from zoo._command import say
from zoo.entry import Recipe

ROWS = 2_048  # completions that are drawn at once


def rewarded(
    policy,
    rewards,
    advantages,
    objective,
    kl,
    rollouts,
    dtype=None,
    name=None,
    tuning=PolicyTuning,
):
    """A task that learns from rewards: a copy of a policy, which is the reference.

    Args:
        policy: `CausalLM`, `Seq2SeqLM` or `Diffusion`.
        rewards, advantages, objective, kl, rollouts: see `tuning`.
        dtype: Keras dtype policy, or `None`: that of `policy`.
        name: str or `None`.
        tuning: `PolicyTuning` or `DiffusionTuning`.
    """
    return tuning(
        _alignment.fine_tuned(policy, dtype=dtype, name=name),
        rewards=rewards,
        advantages=advantages,
        objective=objective,
        kl=kl,
        reference=None if kl is None else policy,
        rollouts=rollouts,
        name=name,
    )


def recipe(steps, rate, every, batch_size=64, jit_compile=True):
    """`Recipe` of a policy that makes a rollout every so many steps.

    Args:
        steps, every: int; `steps` is a multiple of `every`.
        rate: float, the highest learning rate.
        batch_size: int, rows of a rollout in a step.
        jit_compile: bool.
    """

    def callbacks(splits, seed, folder):
        path = None if folder is None else folder / "rollouts.jsonl"
        return [Rollouts(splits.prompts, every, seed, path)]

    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=_alignment.falling_adam(rate, steps), jit_compile=jit_compile
        ),
        batch_size=batch_size,
        steps=steps,
        log_every=every,
        callbacks=callbacks,
    )


def feed(model, splits, batch_size, seed):
    """What a policy learns from: numbers of rows of its rollouts."""
    train = model.loader(batch_size, seed)
    return dataclasses.replace(splits, train=train, validation=None)


def drawn(policy, prompts, rewards, count, length, seed):
    """Yields what a policy writes, some prompts after the others.

    Args:
        policy, prompts, rewards, count, length: see
            `keras_genai.tasks.sampling.sampled`.
        seed: int, of the first prompts; that of the next ones is one more.

    Yields:
        `Rated` of at most 2,048 completions.
    """
    step = max(1, ROWS // count)
    say("zoo", f"{policy.name} writes {count} completions of {len(prompts):,} prompts")
    for number in watched(range(-(-len(prompts) // step)), "batch"):
        some = prompts[number * step :][:step]
        yield sampled(policy, some, rewards, count, length, seed + number)
