"""Diffusion of digits that imitates the even ones which it painted itself.

Run: python train.py ddpm_digits_rwr

It goes on from the ddpm_digits that ships, unless one was trained here.
"""

from keras_genai.tasks.advantages import Exponential
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from zoo import _even, _policies
from zoo.entry import Entry

entry = Entry(
    task=_even.imitating,
    config=dict(
        advantages=Exponential(0.2, group=128),
        rollouts=TrajectorySettings(128, _even.STEPS),
    ),
    tiny=dict(advantages=Exponential(0.2, group=4), rollouts=TrajectorySettings(4, 3)),
    source=_even.digits,
    embedded=True,
    feed=_policies.feed,
    recipe=_policies.recipe(
        steps=56, rate=1e-4, every=8, batch_size=64, jit_compile=False
    ),
    evaluate=_even.score,
    sample=_even.draw,
    family="alignment",
    notes=_even.NOTES,
    paper="Black et al. 2023, section 4.2, https://arxiv.org/abs/2305.13301",
    parts=dict(policy="ddpm_digits"),
    needs=("sklearn",),
)
