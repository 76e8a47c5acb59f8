"""A small GPT that learns arithmetic from what it solves by itself, by GRPO.

Run: python train.py gpt_countdown, and then python train.py gpt_countdown_grpo

The reward is a parser: 1 for an expression that makes the target of all numbers, and a
tenth for one that is legal. Nobody shows it a solution any more.
"""

from keras_genai.tasks.advantages import GroupMean
from keras_genai.tasks.objectives import Clipped
from keras_genai.tasks.rollout_settings import RolloutSettings
from zoo import _countdown, _policies, _solving
from zoo.entry import Entry

entry = Entry(
    task=_solving.rewarded,
    config=dict(
        advantages=GroupMean("none", group=8),
        objective=Clipped(0.2, 0.28),
        kl=None,
        rollouts=RolloutSettings(512, _countdown.PROMPT, _countdown.LENGTH),
    ),
    tiny=dict(rollouts=RolloutSettings(16, _countdown.PROMPT, 8)),
    source=_countdown.SOURCE,
    embedded=True,
    alphabet=True,
    feed=_policies.feed,
    recipe=_policies.recipe(steps=3_000, rate=3e-4, every=4, batch_size=128),
    evaluate=_countdown.score,
    sample=_countdown.show,
    family="alignment",
    notes=f"""\
It was rewarded by a parser: for an expression that solves the problem, and a little for
one that is legal. There is no judge to please.

{_countdown.NOTES}""",
    paper="Shao et al. 2024, https://arxiv.org/abs/2402.03300; without its deviation "
    "Liu et al. 2025, https://arxiv.org/abs/2503.20783",
    parts=dict(policy="gpt_countdown"),
)
