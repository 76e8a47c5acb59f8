"""All that can be asked of a model, by what its task is."""

import dataclasses

from keras_genai.export.drawings import drawings
from keras_genai.export.forward import FORWARD, forward, vectors
from keras_genai.export.texts import texts
from keras_genai.tasks.adversarial import AdversarialTask
from keras_genai.tasks.variational import VAE

DRAWN = "generate is left out: its draws are no operations of this format"


def everything(model, steps=30, draws=True):
    """The endpoints of a model, `serving_default` first.

    Args:
        model: `Task`.
        steps: int, of a `Diffusion`.
        draws: bool. Whether what runs the file can draw as TensorFlow does.

    Returns:
        `(endpoints, notes)`: lists of `Endpoint` and of str, what is left out and why.
    """
    found, notes = [], []
    for endpoints, more in (texts(model), drawings(model, steps), (vectors(model), [])):
        found += endpoints
        notes += more
    if not found and not notes and hasattr(model, "generate"):
        notes = [
            f"generate is left out: that of a {type(model).__name__} is work of a host"
        ]
    drawing = [each for each in found if each.name.startswith("generate")]
    if drawing and not draws:
        found = [each for each in found if each not in drawing]
        notes = [DRAWN]
    return [_default(model, found, draws), *found], notes


def _default(model, found, draws):
    """What is called where nobody says a name: what the model computes of a batch.

    Of a GAN it would be noise, and a VAE adds some to what it decodes: so there it is
    pictures of latents.
    """
    decode = next((each for each in found if each.name == "decode"), None)
    noisy = isinstance(model, AdversarialTask) or (isinstance(model, VAE) and not draws)
    if noisy and decode is not None:
        return dataclasses.replace(decode, name=FORWARD)
    return forward(model)
