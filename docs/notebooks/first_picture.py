# %% [markdown]
# # First picture: diffusion on digits
#
# A U-Net learns to remove noise from handwritten digits of 8 by 8 pixels, which come
# with scikit-learn. It takes some minutes on two cores.

# %%
import matplotlib.pyplot as plt
import numpy as np

from keras_genai.data import images
from keras_genai.modalities import Image, Label, grid
from keras_genai.networks import UNet
from keras_genai.samplers.diffusion import DDIM, DPMSolver
from keras_genai.tasks import Diffusion

EPOCHS = 50


def show(pictures):
    """Draws a grid of pictures, float `(N, H, W, C)` in [0, 1]."""
    plt.figure()
    plt.imshow(grid(pictures), cmap="gray")
    plt.axis("off")


# %% [markdown]
# ## The data

# %%
splits = images.digits(batch_size=64)
batch = next(iter(splits.train))
print({name: array.shape for name, array in batch.items()})
show(batch["images"][:16])

# %% [markdown]
# ## The model
#
# The network is told the noise level and the class; what it learns from is the task's
# affair. Schedule, prediction and weighting are objects; these are the defaults.

# %%
network = UNet(width=32, multipliers=(1, 2, 2), blocks=1)
model = Diffusion(network, Image((8, 8, 1)), given=Label(10))
model.compile("adam")  # a diffusion model has a loss of its own
history = model.fit(splits.train, epochs=EPOCHS)

# %% [markdown]
# ## Pictures
#
# Thirty steps from noise to a picture are the default. Guidance above 1 makes
# pictures clearer examples of their class.

# %%
labels = np.repeat(np.arange(4), 4)
show(model.generate(16, labels=labels, guidance=1.5, sampler=DPMSolver(), steps=10))

# %% [markdown]
# ## Pictures from pictures
#
# `edit` draws something like a picture, `inpaint` paints a part of it anew, `invert`
# finds the noise that leads to it.

# %%
some = splits.held_out["images"][:4].astype("float32") / 255
their = splits.held_out["labels"][:4]
show(model.edit(some, strength=0.5, labels=their, steps=10))

# %%
lower = np.zeros((8, 8), bool)
lower[4:] = True
show(model.inpaint(some, lower, labels=their, steps=5, resample=2))

# %%
noise = model.invert(some, labels=their, steps=10)
show(model.reconstruct(noise, labels=their, steps=10, sampler=DDIM()))

# %% [markdown]
# `train.py ddpm_digits` does the training with averaged weights and a falling rate,
# scores what comes out, and survives being killed.
