"""What the entries of autoencoders have in common."""

import functools

import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.evaluation.likelihood import (
    binarize,
    code_cross_entropy,
    evidence_bound,
    importance_bound,
)
from keras_genai.modalities.grids import png
from zoo import _images

SHOWN = 32  # pictures, each above its reconstruction
LATENTS, WAYS = 8, 4  # rows of `show_latents` at most, and exactly


def score(model, splits, samples=64, count=10_000, pictures=2_000):
    """Held-out loss of grey pictures, bounds on binarised ones, quality of samples.

    Args:
        model: `VAE`.
        splits: `Splits` of pictures.
        samples: int. Latents a picture of the importance-weighted bound.
        count: int. Held-out pictures that the bounds are averaged over, at most.
        pictures: int. Generated pictures that are compared with real ones.
    """
    images, labels = _held_out(splits)
    few, their_labels = images[:count], None if labels is None else labels[:count]
    binary = binarize(few)
    elbo = evidence_bound(model, binary, their_labels)
    importance = importance_bound(model, binary, their_labels, samples)
    return {
        "test_loss": -evidence_bound(model, images, labels).nats,
        "binarised_elbo_nats": elbo.nats,
        "binarised_elbo_bits_per_dimension": elbo.bits_per_dimension,
        f"binarised_iwae{samples}_bits_per_dimension": importance.bits_per_dimension,
        **_images.score(model, splits, count=pictures),
    }


def score_on_training(model, splits):
    """The mean loss over the training data, for recipes that train on everything."""
    figures = model.evaluate(splits.train.epoch(), verbose=0, return_dict=True)
    return {
        "training_loss": figures["loss"],
        "training_reconstruction": figures["reconstruction"],
        "training_kl": figures["kl"],
    }


def score_codes(model, splits):
    """Squared error of held-out pictures over the data's variance; use of the codes."""
    images, _ = _held_out(splits)
    codes = model.tokenize(images)
    error = np.square(model.decode_tokens(codes) - images / np.float32(255)).mean()
    share = np.bincount(codes.ravel(), minlength=model.num_codes) / codes.size
    used = share[share > 0]
    return {
        "reconstruction": float(error / model.data_variance),
        "perplexity": float(np.exp(-np.sum(used * np.log(used)))),
        "codes_used": float(len(used)),
        "nats_per_code_alone": float(-np.sum(used * np.log(used))),
    }


def score_prior(model, splits, pictures=2_000):
    """Cross-entropy of held-out codes, and quality of samples."""
    images, labels = _held_out(splits)
    nats = code_cross_entropy(model, images, labels)
    height, width = model.grid_shape
    return {
        "nats_per_code": nats,
        "nats_per_picture": nats * height * width,
        **_images.score(model, splits, count=pictures),
    }


def reconstruct(model, seed, source):
    """Pictures that ship with the package, each followed by its reconstruction.

    Args:
        model: `VQVAE`.
        seed: int, unused: the pictures are the first ones.
        source: the entry's; its stand-in has the shape of its data.
    """
    images, _ = _held_out(source(batch_size=2, stand_in=True))
    images = images[:SHOWN]
    pairs = np.stack([to_float(images).numpy(), model.reconstruct(images)], axis=1)
    return pairs.reshape(-1, *model.image_shape)


def show_latents(model, source):
    """What the latents mean: the first picture along each, then ways between pictures.

    Args:
        model: `VAE`.
        source: the entry's; its stand-in has the shape of its data.

    Returns:
        bytes of a PNG: a row for each of the first latents, from -3 to 3, then
        `WAYS` rows, each from one picture to another.
    """
    images, labels = _held_out(source(batch_size=2, stand_in=True))
    if not model.num_classes:
        labels = None
    label = functools.partial(_rows, labels)
    rows = [
        model.traverse(images[0], dimension, labels=label(0))
        for dimension in range(min(LATENTS, model.latent_size))
    ]
    columns = len(rows[0])
    for first in range(WAYS):
        ends = first % len(images), (first + WAYS) % len(images)
        path = model.interpolate(*images[list(ends)], columns, labels=label(*ends))
        rows.append(path)
    return png(np.stack(rows))


def _rows(labels, *rows):
    return None if labels is None else labels[list(rows)]


def _held_out(splits):
    arrays = splits.test or splits.held_out
    return arrays["images"], arrays.get("labels")
