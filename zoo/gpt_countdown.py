"""A small GPT that tries until three numbers make a target, from a thousand problems.

Run:   python train.py gpt_countdown
Then:  python train.py gpt_countdown_grpo learns from what it solves by itself

Every number is to be used once: "3 5 7 -> 38: 3*5*7=105;3+5*7=38". A parser checks the
last try exactly. What its texts learn from besides, true equations, solves nothing.
"""

from keras_genai.networks.gpt import GPT, Style
from keras_genai.tasks.language import CausalLM
from zoo import _alignment, _countdown
from zoo.entry import Entry, Recipe

STEPS = 2_000

entry = Entry(
    task=CausalLM,
    networks=dict(network=GPT),
    config=dict(
        context=_countdown.CONTEXT,
        depth=4,
        width=128,
        num_heads=4,
        dropout=0.0,
        style=Style(positions="rotary", norm="rms", use_bias=False),
    ),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=_countdown.SOURCE,
    embedded=True,
    alphabet=True,
    recipe=Recipe(
        compile=lambda steps=STEPS: _alignment.compiled(1e-3, 100, steps),
        batch_size=64,
        steps=STEPS,
        validate_every=250,
    ),
    evaluate=_countdown.score,
    sample=_countdown.show,
    family="alignment",
    notes=f"""\
It imitates a thousand problems with tries, the last of which solves them, and true
equations. Nothing rewarded it.

{_countdown.NOTES}""",
    paper="Gandhi et al. 2024, section 3, https://arxiv.org/abs/2404.03683",
)
