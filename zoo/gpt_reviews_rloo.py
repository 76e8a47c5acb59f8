"""GPT that learns to praise films from a reward model, by RLOO.

Run: python train.py gpt_reviews --data-dir DIR_WITH_sst2, reward_sst2 likewise, then
     python train.py gpt_reviews_rloo --data-dir DIR_WITH_sst2
"""

import functools

from keras_genai.data.reviews import reviews
from keras_genai.tasks.advantages import LeaveOneOut
from keras_genai.tasks.objectives import KL, Clipped
from keras_genai.tasks.rollout_settings import RolloutSettings
from zoo import _policies, _reviews
from zoo.entry import Entry

entry = Entry(
    task=_reviews.rewarded,
    config=dict(
        advantages=LeaveOneOut(4),
        objective=Clipped(mean="sequence", ratio="sequence"),
        kl=KL(0.15),
        rollouts=RolloutSettings(
            256, _reviews.PROMPT, _reviews.LENGTH, missing_eos_penalty=0.5
        ),
    ),
    tiny=dict(rollouts=RolloutSettings(16, _reviews.PROMPT, 4)),
    source=functools.partial(
        reviews, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    feed=_policies.feed,
    recipe=_policies.recipe(steps=240, rate=1e-4, every=4),
    evaluate=_reviews.score,
    sample=_reviews.write,
    family="alignment",
    notes=f"""\
It was rewarded by reward_sst2, a model of praise, for what it wrote itself, at a price
for every nat that it went from gpt_reviews, and less where it came to no end.

{_reviews.NOTES}""",
    paper="Ahmadian et al. 2024, https://arxiv.org/abs/2402.14740",
    parts=dict(policy="gpt_reviews", reward="reward_sst2"),
    needs=("sklearn",),
)
