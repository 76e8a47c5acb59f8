"""GPT that goes on from the first words of film reviews, before it is aligned.

Run:  python train.py gpt_reviews --data-dir DIR_WITH_sst2
Then: python train.py reward_sst2, and gpt_reviews_rloo, _ppo, _dpo, _best_of_n, _sft
"""

import functools

from keras_genai.data.reviews import reviews
from keras_genai.networks.gpt import GPT, Style
from keras_genai.tasks.language import CausalLM
from zoo import _alignment, _reviews
from zoo.entry import Entry, Recipe

STEPS = 1_500

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=_reviews.CONTEXT,
        depth=4,
        width=160,
        num_heads=5,
        dropout=0.2,
        style=Style(positions="rotary", norm="rms", use_bias=False),
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(
        reviews, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: _alignment.compiled(1e-3, 100, steps),
        batch_size=32,
        steps=STEPS,
        validate_every=250,
        keep_best=True,
    ),
    evaluate=_reviews.score_base,
    sample=_reviews.write,
    family="alignment",
    notes="""\
It goes on from the first words of an English film review, and knows of nothing else: no
film is behind what it says. It imitates praise and blame alike, and nothing rewarded
it: policies that are begin here. `praise` is the share of its completions that three
judges of words, letters and order take for praise.""",
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    needs=("sklearn",),
)
