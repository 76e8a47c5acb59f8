"""Dates to ISO 8601, learned further from right or wrong: an encoder-decoder policy.

Run: python train.py seq2seq_dates_base, and then python train.py seq2seq_dates_grpo
"""

import functools

from keras_genai.data import translation
from keras_genai.tasks.advantages import GroupMean
from keras_genai.tasks.objectives import Clipped
from keras_genai.tasks.rollout_settings import RolloutSettings
from zoo import _dates, _policies
from zoo.entry import Entry
from zoo.seq2seq_dates import DATES

entry = Entry(
    task=_dates.rewarded,
    config=dict(
        advantages=GroupMean("none", group=8),
        objective=Clipped(0.2, 0.28),
        kl=None,
        rollouts=RolloutSettings(512, _dates.READ, _dates.LENGTH),
    ),
    tiny=dict(rollouts=RolloutSettings(16, _dates.READ, 4)),
    source=translation.dates,
    embedded=True,
    feed=_dates.feed,
    recipe=_policies.recipe(steps=800, rate=5e-4, every=4, batch_size=128),
    evaluate=_dates.score,
    sample=functools.partial(_dates.write, texts=DATES),
    family="alignment",
    notes="""\
It was rewarded for each date that was right to the letter, which is what is measured,
on other dates. There is no judge to please. It reads dates as eight countries write
them, and knows of nothing else.""",
    paper="Shao et al. 2024, https://arxiv.org/abs/2402.03300",
    parts=dict(policy="seq2seq_dates_base"),
)
