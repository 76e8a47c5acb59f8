"""Feature extractors for scoring pictures, the default one trained in the run.

An *extractor* is any object with a `name` and `features(images)`, float32 `(N, D)` of
pictures. A score is only comparable between runs with the same extractor, so its name
is part of the score's.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.augmentation import Translate
from keras_genai.data.image_splits import floats
from keras_genai.data.loading import DataLoader
from keras_genai.files.paths import as_path
from keras_genai.files.writing import file_hash

_CHUNK = 500  # pictures looked at once


class Classifier:
    """A small convolutional network that tells the classes of pictures.

    Two convolutions of 32 and 64 filters, each followed by pooling, and a hidden layer
    of 128 whose activations are the features. See `fit_classifier`.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: int.
        seed: int, of the initial weights and of dropout.
        name: str.

    Attributes:
        accuracy: float, on the test pictures, or `None` before `fit_classifier`.
    """

    def __init__(self, image_shape, num_classes, seed=0, name="cnn_v1"):
        self.name = name
        self.num_classes = num_classes
        self.image_shape = tuple(image_shape)
        self.accuracy = None
        self.model, self._hidden = _network(self.image_shape, num_classes, seed)
        signature = [tf.TensorSpec((None, *self.image_shape), "float32")]
        self._features = tf.function(self._hidden, input_signature=signature)
        self._logits = tf.function(self.model, input_signature=signature)

    def features(self, images):
        """float32 `(N, 128)` of uint8 or float pictures `(N, H, W, C)`."""
        return _by_chunks(self._features, images)

    def probabilities(self, images):
        """float32 `(N, num_classes)` of uint8 or float pictures `(N, H, W, C)`."""
        return tf.nn.softmax(_by_chunks(self._logits, images)).numpy()

    def classify(self, images):
        """int `(N,)`, the likeliest class of each of `(N, H, W, C)` pictures."""
        return self.probabilities(images).argmax(axis=-1)


class Frames:
    """An extractor of videos, made of one for pictures.

    The features of a video are those of its frames, averaged, and how much they
    change from frame to frame, averaged.

    Args:
        extractor: extractor of single frames.
    """

    def __init__(self, extractor):
        self.extractor = extractor
        self.name = f"{extractor.name}_frames"

    def features(self, videos):
        """float32 `(N, 2 D)` of uint8 or float videos `(N, F, H, W, C)`."""
        own = self.extractor.features(_flat(videos)).reshape(*videos.shape[:2], -1)
        changes = np.abs(np.diff(own, axis=1)) if own.shape[1] > 1 else 0 * own
        return np.concatenate([own.mean(axis=1), changes.mean(axis=1)], axis=-1)

    def classify(self, videos):
        """int `(N,)`, the class that the frames of each video speak for."""
        own = self.extractor.probabilities(_flat(videos))
        return own.reshape(*videos.shape[:2], -1).mean(axis=1).argmax(axis=-1)


class Inception:
    """InceptionV3 with weights that the user has, checked by their digest.

    Its 2,048 pooled features are those of Keras' weights for ImageNet, not those of
    the network that published Frechet Inception distances use: compare scores only
    with others of the same digest.

    Args:
        path: path of the weights without the top layer, a file of
            `keras.applications.InceptionV3`.
        sha256: str, the digest of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has another digest.
    """

    def __init__(self, path, sha256):
        data = as_path(path)
        if not data.is_file():
            raise FileNotFoundError(f"`path` must be a file. Received: {str(path)!r}")
        digest = file_hash(data)
        if digest != sha256.lower():
            raise ValueError(
                f"`sha256` must be that of {data.name}, {digest}. Received: {sha256}"
            )
        self.name = f"inception_{digest[:8]}"
        model = keras.applications.InceptionV3(
            include_top=False, weights=None, pooling="avg"
        )
        model.load_weights(data)
        self._features = tf.function(
            lambda images: model(_for_inception(images), training=False)
        )

    def features(self, images):
        """float32 `(N, 2048)` of uint8 or float pictures `(N, H, W, C)`."""
        return _by_chunks(self._features, images, chunk=32)


def fit_classifier(
    images,
    labels,
    test_images,
    test_labels,
    num_classes=None,
    seed=0,
    steps=1_500,
    batch_size=128,
    name="cnn_v1",
):
    """Trains a `Classifier`: a minute on two cores for MNIST, less for digits.

    Args:
        images: uint8 `(N, H, W, C)`.
        labels: int `(N,)`.
        test_images: uint8 `(M, H, W, C)`, what `accuracy` is measured on.
        test_labels: int `(M,)`.
        num_classes: int, or `None` for the largest label and one.
        seed: int.
        steps: int.
        batch_size: int.
        name: str, under which its scores are reported.

    Returns:
        `Classifier`.

    Raises:
        ValueError: if pictures and labels are not equally many.
    """
    labels = np.asarray(labels, "int32")
    if num_classes is None:
        num_classes = int(labels.max()) + 1
    found = Classifier(images.shape[1:], num_classes, seed, name)
    loader = DataLoader(
        {"images": images, "labels": labels},
        min(batch_size, len(images)),
        seed=seed,
        transform=_as_pair,
    )
    found.model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                0.0, steps, warmup_target=2e-3, warmup_steps=max(1, steps // 20)
            )
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=min(steps, 10),
        auto_scale_loss=False,
    )
    found.model.fit(loader.dataset(), steps_per_epoch=steps, shuffle=False, verbose=0)
    right = found.classify(test_images) == np.asarray(test_labels)
    found.accuracy = float(right.mean())
    return found


def fit_turns(images, test_images, seed=0, name="turns_v1", **options):
    """Trains a `Classifier` without labels: it tells how a picture has been turned.

    Args:
        images: uint8 `(N, H, W, C)`. Squares are turned by quarters, others upside
            down.
        test_images: uint8 `(M, H, W, C)`.
        seed: int.
        name: str.
        **options: arguments of `fit_classifier`.

    Returns:
        `Classifier`. Its classes are turns.

    Reference: Gidaris et al. 2018, https://arxiv.org/abs/1803.07728
    """
    turned, turns = _turned(images)
    test_turned, test_turns = _turned(test_images)
    return fit_classifier(
        turned, turns, test_turned, test_turns, seed=seed, name=name, **options
    )


def _network(image_shape, num_classes, seed):
    """The classifier and the part of it that ends in the features."""
    seeds = iter(range(1000 * seed, 1000 * seed + 10))

    def own(**changes):
        initializer = keras.initializers.HeNormal(seed=next(seeds))
        return dict(kernel_initializer=initializer, dtype="float32", **changes)

    relu = dict(activation="relu")
    x = inputs = keras.Input(image_shape, dtype="float32")
    for filters in (32, 64):
        x = keras.layers.Conv2D(filters, 3, padding="same", **own(**relu))(x)
        x = keras.layers.MaxPooling2D(2, padding="same", dtype="float32")(x)
    x = keras.layers.Flatten(dtype="float32")(x)
    hidden = keras.layers.Dense(128, **own(**relu))(x)
    x = keras.layers.Dropout(0.4, seed=next(seeds), dtype="float32")(hidden)
    logits = keras.layers.Dense(num_classes, **own())(x)
    return keras.Model(inputs, logits), keras.Model(inputs, hidden)


def _as_pair(batch, seed):
    batch = floats(batch)
    side = min(batch["images"].shape[1:3])
    return Translate(round(side / 14))(batch["images"], seed), batch["labels"]


def _by_chunks(function, images, chunk=_CHUNK):
    """A function of float32 pictures, over any number of uint8 or float ones."""
    if len(images) == 0:
        raise ValueError(f"`images` must have one or more. Received: {images.shape}")
    results = []
    for first in range(0, len(images), chunk):
        part = np.asarray(images[first : first + chunk])
        scale = 255.0 if part.dtype == np.uint8 else 1.0
        results.append(function(tf.constant(part, "float32") / scale).numpy())
    return np.concatenate(results)


def _flat(videos):
    return np.reshape(videos, (-1, *videos.shape[2:]))


def _for_inception(images):
    """float32 `(N, 299, 299, 3)` in [-1, 1]."""
    if images.shape[-1] == 1:
        images = tf.image.grayscale_to_rgb(images)
    return 2.0 * tf.image.resize(images, (299, 299), method="bicubic") - 1.0


def _turned(images):
    """Each picture in all its turns, or a large set with one turn for each."""
    turns = range(4) if images.shape[1] == images.shape[2] else (0, 2)
    parts = [images[index :: len(turns)] for index in range(len(turns))]
    if len(images) <= 15_000:
        parts = [images] * len(turns)
    turned = [np.rot90(p, t, axes=(1, 2)) for p, t in zip(parts, turns, strict=True)]
    labels = np.repeat(np.arange(len(turns)), [len(part) for part in parts])
    return np.concatenate(turned), labels
