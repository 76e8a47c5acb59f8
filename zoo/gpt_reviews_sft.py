"""GPT that imitates reviews of praise alone: the floor of learning from rewards.

Run: python train.py gpt_reviews --data-dir DIR_WITH_sst2, and then
     python train.py gpt_reviews_sft --data-dir DIR_WITH_sst2
"""

import functools

from keras_genai.data.reviews import reviews
from zoo import _alignment, _reviews
from zoo.entry import Entry, Recipe

STEPS = 300

entry = Entry(
    task=_alignment.fine_tuned,
    config=dict(dropout=0.2),
    tiny={},
    source=functools.partial(
        reviews,
        length=_reviews.CONTEXT,
        tokenizer=_reviews.TOKENIZER,
        praise_only=True,
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: _alignment.compiled(3e-4, 30, steps),
        batch_size=32,
        steps=STEPS,
        validate_every=100,
    ),
    evaluate=_reviews.score,
    sample=_reviews.write,
    family="alignment",
    notes=f"""\
It imitates reviews of praise. Nothing rewarded it: `reward` is only looked at.

{_reviews.NOTES}""",
    paper="Ouyang et al. 2022, section 3.5, https://arxiv.org/abs/2203.02155",
    parts=dict(trained="gpt_reviews", reward="reward_sst2"),
    needs=("sklearn",),
)
