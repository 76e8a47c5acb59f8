"""A reward model that puts praise of films above blame: an LSTM that reads both ways.

Run:   python train.py reward_sst2 --data-dir DIR_WITH_sst2

It learns from half of the training sentences: the judges of what it teaches have the
other half. Beside its figure stands what words and letters say to a logistic
regression: `floor`, of the same half, and `floor_of_all`, of all sentences.
"""

import functools

from keras_genai.data.reviews import pairs
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from zoo import _preferred, _reviews
from zoo.entry import Entry, Recipe

STEPS = 500

entry = Entry(
    task=_preferred.reward_model,
    networks=dict(network=RecurrentEncoder),
    given=("tokens",),
    # Few weights and half of the tokens unseen: there are 3,460 sentences.
    config=dict(embedding_dim=64, units=32, dropout=0.5, token_dropout=0.5),
    tiny=dict(embedding_dim=8, units=8),
    source=functools.partial(
        pairs, length=_reviews.CONTEXT, tokenizer=_reviews.TOKENIZER
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(2e-3, 50, steps)),
            jit_compile=True,
        ),
        batch_size=32,
        steps=STEPS,
        validate_every=100,
        keep_best=True,
    ),
    evaluate=_reviews.score_reward,
    sample=_reviews.show_rewards,
    family="alignment",
    notes="""\
It says which of two English sentences on films is more of praise. The number has no
zero and no unit: differences mean something, and of such sentences only. `floor` is
what a logistic regression on words and letters learns from the same sentences.

What is trained to please it finds what it takes for praise and people do not. Ask other
judges, who learned from other sentences, and look at the texts.""",
    paper="Ouyang et al. 2022, eq. 1, https://arxiv.org/abs/2203.02155",
    needs=("sklearn",),
)
