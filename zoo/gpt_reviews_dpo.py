"""GPT that learns to praise films from 4,000 pairs it wrote, by DPO.

Run: python train.py gpt_reviews --data-dir DIR_WITH_sst2, reward_sst2 likewise, then
     python train.py gpt_reviews_dpo --data-dir DIR_WITH_sst2

Which one of a pair is preferred is drawn by a reward that is known, so that nothing but
the method stands between it and the policy.
"""

import functools

from keras_genai.data.reviews import reviews
from keras_genai.preferences import Sigmoid
from zoo import _alignment, _reviews
from zoo.entry import Entry, Recipe

STEPS = 250

entry = Entry(
    task=_reviews.preferring,
    config=dict(loss=Sigmoid(beta=0.3)),
    tiny={},
    source=functools.partial(
        reviews, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    feed=_reviews.feed_pairs,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_alignment.falling_adam(5e-5, steps), jit_compile=True
        ),
        batch_size=32,
        steps=STEPS,
    ),
    evaluate=_reviews.score,
    sample=_reviews.write,
    family="alignment",
    notes=f"""\
It learned from pairs that gpt_reviews wrote, of which one was preferred by chance, the
likelier the higher reward_sst2, a model of praise, puts it.

{_reviews.NOTES}""",
    paper="Rafailov et al. 2023, https://arxiv.org/abs/2305.18290",
    parts=dict(policy="gpt_reviews", reward="reward_sst2"),
    needs=("sklearn",),
)
