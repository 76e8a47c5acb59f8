"""GPT that learns to praise films from a reward model, by PPO with a critic.

Run: python train.py gpt_reviews --data-dir DIR_WITH_sst2, reward_sst2 likewise, then
     python train.py gpt_reviews_ppo --data-dir DIR_WITH_sst2
"""

import functools

from keras_genai.data.reviews import reviews
from keras_genai.tasks.advantages import GAE
from keras_genai.tasks.objectives import AdaptiveKL, Clipped
from keras_genai.tasks.rollout_settings import RolloutSettings
from zoo import _policies, _reviews
from zoo.entry import Entry

entry = Entry(
    task=_reviews.rewarded,
    config=dict(
        advantages=GAE(),
        objective=Clipped(),
        kl=AdaptiveKL(0.15, target=5.0),
        rollouts=RolloutSettings(
            256, _reviews.PROMPT, _reviews.LENGTH, missing_eos_penalty=0.5
        ),
    ),
    tiny=dict(rollouts=RolloutSettings(16, _reviews.PROMPT, 4)),
    source=functools.partial(
        reviews, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    feed=_policies.feed,
    # Four passes over each rollout of four batches.
    recipe=_policies.recipe(steps=640, rate=1e-4, every=16),
    evaluate=_reviews.score,
    sample=_reviews.write,
    family="alignment",
    notes=f"""\
It was rewarded by reward_sst2, a model of praise, for what it wrote itself, at a price
for every nat that it went from gpt_reviews, which rises where it goes too far, and less
where it came to no end.

{_reviews.NOTES}""",
    paper="Ziegler et al. 2019, https://arxiv.org/abs/1909.08593",
    parts=dict(policy="gpt_reviews", reward="reward_sst2"),
    needs=("sklearn",),
)
