"""What the entries that solve Countdown have in common."""

import functools

import numpy as np

from keras_genai.data.countdown import Problem, countdown, solved, uses_all
from keras_genai.data.countdown_tries import SEPARATOR
from keras_genai.evaluation.attempts import pass_at
from keras_genai.samplers import Greedy, Sample

CONTEXT = 128  # characters
PROMPT = 20  # characters of a problem, at most
LENGTH = 100  # characters of all tries, their end included
ATTEMPTS = 8
TRIED = 200  # problems of which several attempts are made
# A thousand problems, solved after up to six tries that fail, and true equations.
SOURCE = functools.partial(countdown, tries=6, true=50_000)
# For cards of presets.
NOTES = """\
It makes a target of three numbers from 1 to 13, each used once, by +, - and *, and does
nothing else. It writes what each try comes to, and tries again; the last try counts.
`solved` is the share of unseen problems that its likeliest text solves, as a parser
finds exactly; `solved_at_random` is that of legal expressions taken blindly, one each,
and `tries` is how many it makes. `pass_at_8` is the share that one of eight draws
solves: where `solved` rises and it does not, only the choice has become better, at the
cost of variety."""
SHOWN = (
    Problem((3, 5, 7), 38),
    Problem((2, 6, 12), 36),
    Problem((4, 9, 13), 65),
    Problem((1, 8, 11), 18),
)


def score(model, splits):
    """Problems that were never seen: the share that is solved.

    Args:
        model: a task that writes.
        splits: `Splits` of `keras_genai.data.countdown.countdown`.

    Returns:
        dict of `solved`, by the likeliest characters; `legal`, the share of their last
        tries that use every number once; `tries`, how many a text has; `pass_at_8`, the
        share of the first 200 problems that one of 8 draws solves; and
        `solved_at_random`, the share that legal expressions solve which are taken
        blindly, exactly, and `solved_at_random_in_tries`, if as many of them are taken
        as the model makes.
    """
    prompts = splits.test["prompts"].tolist()
    found = written(model, prompts, Greedy())
    tried = prompts[:TRIED]
    draws = np.stack(
        [
            solved(tried, written(model, tried, Sample(), seed))
            for seed in range(ATTEMPTS)
        ],
        axis=1,
    )
    tries = np.array([1 + text.count(SEPARATOR) for text in found])
    chances = np.array([Problem.read(prompt).chance() for prompt in prompts])
    return {
        "solved": float(np.mean(solved(prompts, found))),
        "legal": float(np.mean(uses_all(prompts, found))),
        "tries": float(np.mean(tries)),
        f"pass_at_{ATTEMPTS}": pass_at(draws, ATTEMPTS),
        "solved_at_random": float(np.mean(chances)),
        "solved_at_random_in_tries": float(np.mean(1 - (1 - chances) ** tries)),
    }


def written(model, prompts, sampler, seed=0):
    """What a model writes behind problems: list of str."""
    return model.generate(
        prompts,
        max_length=CONTEXT,
        sampler=sampler,
        seed=seed,
        strip_prompt=True,
    )


def show(model, seed, problems=SHOWN):
    """Problems, what the model writes, and whether that solves them, a line each."""
    prompts = [problem.prompt for problem in problems]
    found = written(model, prompts, Greedy(), seed)
    marks = ("wrong", "right")
    return "\n".join(
        f"{prompt}{text}  {marks[int(right)]}"
        for prompt, text, right in zip(
            prompts, found, solved(prompts, found), strict=True
        )
    )
