"""A reward model of which answer of an assistant people found less harmful, on HH-RLHF.

Run:   python train.py reward_hh --data-dir DIR_WITH_harmless_base

It learns from a thousand pairs alone, too few to read what is meant: it is here to be
honest about that. Beside its figure stands the `floor`, of runs of letters and
length, and how often the shorter answer wins. **The texts are offensive by design**;
no weights ship.
"""

import functools

from keras_genai.data.preferences import hh
from keras_genai.networks.gpt import GPT, Style
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from zoo import _preferred
from zoo.entry import Entry, Recipe

LENGTH = 256  # tokens of prompt and answer
STEPS = 300

entry = Entry(
    task=_preferred.reward_model,
    networks=dict(network=GPT),
    given=("tokens",),
    config=dict(
        context=LENGTH,
        depth=2,
        width=128,
        num_heads=4,
        dropout=0.3,
        style=Style(positions="rotary", norm="rms", use_bias=False),
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=functools.partial(hh, length=LENGTH, tokenizer="bpe:4096"),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=adamw(warmup_cosine(5e-4, 30, steps)),
            jit_compile=True,
        ),
        batch_size=16,
        steps=STEPS,
        validate_every=50,
        keep_best=True,
    ),
    evaluate=_preferred.score,
    sample=_preferred.show,
    family="alignment",
    notes="""\
It says which of two answers of an assistant people took for less harmful, from a
thousand pairs. The number has no zero and no unit. Look at `floor`, a logistic
regression on runs of letters and length, and at `shorter_wins` before you believe
`pair_accuracy`, and at its `standard_error`.

It does not know what harm is, and is no filter of harmful texts. It learned from
offensive ones.""",
    paper="Bai et al. 2022, https://arxiv.org/abs/2204.05862",
    needs=("sklearn",),
)
