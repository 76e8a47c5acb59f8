"""GPT that imitates the best of sixteen completions which it wrote itself.

Run: python train.py gpt_reviews --data-dir DIR_WITH_sst2, reward_sst2 likewise, then
     python train.py gpt_reviews_best_of_n --data-dir DIR_WITH_sst2
"""

import functools

from keras_genai.data.reviews import reviews
from zoo import _alignment, _reviews
from zoo.entry import Entry, Recipe

STEPS = 150

entry = Entry(
    task=_alignment.fine_tuned,
    config=dict(dropout=0.0),
    tiny={},
    source=functools.partial(
        reviews, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    feed=_reviews.feed_best,
    recipe=Recipe(
        compile=lambda steps=STEPS: _alignment.compiled(3e-4, 30, steps),
        batch_size=32,
        steps=STEPS,
    ),
    evaluate=_reviews.score,
    sample=_reviews.write,
    family="alignment",
    notes=f"""\
It imitates the best of sixteen completions that gpt_reviews wrote, the best by
reward_sst2, a model of praise.

{_reviews.NOTES}""",
    paper="Stiennon et al. 2020, section 4.1, https://arxiv.org/abs/2009.01325; Dong "
    "et al. 2023, https://arxiv.org/abs/2304.06767",
    parts=dict(trained="gpt_reviews", reward="reward_sst2"),
    needs=("sklearn",),
)
