"""Batches of pictures: every form of them, and what is no such batch is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.variational import VAE

SHAPE = (8, 8, 1)
DRAWS = np.random.default_rng(0)
IMAGES = DRAWS.random((8, *SHAPE), "float32")
LABELS = np.arange(8) % 3
GREYS = np.uint8(255 * IMAGES)


def make(num_classes=None, **compiling):
    keras.utils.set_random_seed(0)
    given = Label(num_classes) if num_classes else ()
    network = DenseAutoencoder(latent_size=3, hidden=(9,))
    model = VAE(network, Image(SHAPE), given)
    model.compile("adam", **compiling)
    return model


def pipeline(*data):
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


def shapeless(*data):
    return pipeline(*data).map(
        lambda *batch: tf.nest.map_structure(
            lambda part: tf.numpy_function(lambda x: x, [part], part.dtype), batch
        )
    )


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return IMAGES[rows], LABELS[rows]


def generator():
    for index in range(2):
        yield Sequence()[index]


FORMS = {
    "dict": lambda: ({"images": IMAGES, "labels": LABELS},),
    "arrays": lambda: (IMAGES, LABELS),
    "dict and labels": lambda: ({"images": IMAGES}, LABELS),
    "tensors": lambda: (tf.constant(IMAGES), tf.constant(LABELS)),
    "doubles": lambda: (IMAGES.astype("float64"), LABELS),
    "pipeline": lambda: (pipeline(IMAGES, LABELS),),
    "pipeline of dicts": lambda: (pipeline({"images": IMAGES, "labels": LABELS}),),
    "no shapes": lambda: (shapeless(IMAGES, LABELS),),
    "generator": lambda: (generator(),),
    "sequence": lambda: (Sequence(),),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_one_batch_in_every_form_is_one_batch(form):
    expected = fit_by_four({"images": IMAGES, "labels": LABELS})
    assert fit_by_four(*FORMS[form]()) == expected


def fit_by_four(*data):
    """The losses of two epochs; arrays are given so many at a time."""
    arrays = all(hasattr(part, "shape") or isinstance(part, dict) for part in data)
    size = {"batch_size": 4} if arrays else {"steps_per_epoch": 2}
    return make(3).fit(*data, shuffle=False, verbose=0, **size).history["loss"]


BAD_PICTURES = {
    "greys": (GREYS, "uint8 of "),
    "grey floats": (GREYS * np.float32(1), "values from 0 to 25.; divide greys by 255"),
    "symmetric": (
        2 * IMAGES - 1,
        r"; from \[-1, 1\] they come by 0.5 \* images \+ 0.5",
    ),
    "rank": (IMAGES[..., 0], r"shape \(.*8, 8\)"),
    "size": (IMAGES[:, :4], r"shape \(.*4, 8, 1\)"),
    "bools": (IMAGES > 0.5, "bool of "),
}
BAD_LABELS = {
    "from 1": (LABELS + 1, "values from 1 to 3"),
    "unknown": (LABELS - 1, "values from -1 to 1"),
    "floats": (LABELS + 0.5, "float64 of "),
    "one-hot": (np.eye(3, dtype="float32")[LABELS], "float32 of "),
    "a column": (LABELS[:, None], r"shape \(.*1\)"),
}
BAD = {
    **{f"pictures, {name}": (bad, LABELS, say) for name, (bad, say) in BAD_PICTURES.items()},  # noqa: E501
    **{f"labels, {name}": (IMAGES, bad, say) for name, (bad, say) in BAD_LABELS.items()},  # noqa: E501
}  # fmt: skip


def arrays(*data):
    return data


@pytest.fixture(scope="module", params=[False, True], ids=["graph", "XLA"])
def model(request):
    return make(3, jit_compile=request.param)


@pytest.mark.slow
def test_not_a_number_shows_in_the_loss_where_stock_callbacks_look():
    pictures = np.where(IMAGES[5, 3, 3] == IMAGES, np.nan, IMAGES)
    stop = keras.callbacks.TerminateOnNaN()
    for data in (arrays(pictures, LABELS), (pipeline(pictures, LABELS),)):
        logs = make(3).fit(*data, epochs=3, shuffle=False, verbose=0, callbacks=[stop])
        assert len(logs.epoch) == 1


@pytest.mark.slow
@pytest.mark.parametrize("form", [arrays, pipeline, shapeless])
@pytest.mark.parametrize("case", BAD)
def test_what_is_no_batch_is_one_clear_line(case, form, model):
    images, labels, message = BAD[case]
    data = form(images, labels)
    data = data if form is arrays else (data,)
    wanted = "`(images|labels)` must be .* Received: .*"
    for method in (model.fit, model.evaluate):
        options = {"shuffle": False} if method == model.fit else {}
        with pytest.raises(ValueError, match=wanted + message) as caught:
            method(*data, verbose=0, **options)
        assert "\n" not in str(caught.value)
