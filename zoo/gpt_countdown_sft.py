"""A small GPT that imitates what it solved by itself: rejection sampling.

Run: python train.py gpt_countdown, and then python train.py gpt_countdown_sft

It is the floor of gpt_countdown_grpo, from a seventh of its completions.
"""

from zoo import _alignment, _countdown, _solving
from zoo.entry import Entry, Recipe

STEPS = 500

entry = Entry(
    task=_alignment.fine_tuned,
    config=dict(dropout=0.0),
    tiny={},
    source=_countdown.SOURCE,
    embedded=True,
    alphabet=True,
    feed=_solving.feed_solved,
    recipe=Recipe(
        compile=lambda steps=STEPS: _alignment.compiled(3e-4, 50, steps),
        batch_size=128,
        steps=STEPS,
    ),
    evaluate=_countdown.score,
    sample=_countdown.show,
    family="alignment",
    notes=f"""\
It imitates the expressions of gpt_countdown that a parser found to be right.

{_countdown.NOTES}""",
    paper="Yuan et al. 2023, https://arxiv.org/abs/2308.01825",
    parts=dict(trained="gpt_countdown"),
)
