"""Diffusion of digits that learns to paint even ones from a reward, by DDPO.

Run: python train.py ddpm_digits_ddpo

It goes on from the ddpm_digits that ships, unless one was trained here.
"""

from keras_genai.tasks.advantages import GroupMean
from keras_genai.tasks.objectives import KL, Clipped
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from zoo import _even, _policies
from zoo.entry import Entry

entry = Entry(
    task=_even.rewarded,
    config=dict(
        advantages=GroupMean("group", group=128),
        objective=Clipped(0.2),
        kl=KL(0.05),
        rollouts=TrajectorySettings(128, _even.STEPS),
    ),
    tiny=dict(
        advantages=GroupMean("group", group=4), rollouts=TrajectorySettings(4, 3)
    ),
    source=_even.digits,
    embedded=True,
    feed=_policies.feed,
    recipe=_policies.recipe(
        steps=160, rate=1e-4, every=8, batch_size=16, jit_compile=False
    ),
    evaluate=_even.score,
    sample=_even.draw,
    family="alignment",
    notes=_even.NOTES,
    paper="Black et al. 2023, section 4.3, https://arxiv.org/abs/2305.13301",
    parts=dict(policy="ddpm_digits"),
    needs=("sklearn",),
)
