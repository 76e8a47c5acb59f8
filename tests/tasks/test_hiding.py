"""What models are told is hidden now and then, each kind alone and all together."""

import numpy as np
import tensorflow as tf

from keras_genai import replicas
from keras_genai.modalities import Label, Text
from keras_genai.tasks.hiding import hide, nothing

KINDS = Label(3), Text(vocabulary_size=6, length=2)
BATCH = {
    "labels": tf.zeros(4000, "int32"),
    "tokens": tf.ones((4000, 2), "int32"),
    "images": tf.ones((4000, 1)),
}


def test_what_is_hidden_is_hidden_alone_and_together():
    hidden = hide(BATCH, KINDS, 0.25, replicas.SeedGenerator(0))
    labels, tokens = hidden["labels"].numpy() == 3, hidden["tokens"].numpy() == 0
    assert hidden["images"] is BATCH["images"]
    assert (tokens[:, 0] == tokens[:, 1]).all()
    texts = tokens[:, 0]
    alone, both = 0.75 * 0.25 * 0.75, 0.25 + 0.75 * 0.25**2
    for found, share in (
        (labels & ~texts, alone),
        (texts & ~labels, alone),
        (labels & texts, both),
    ):
        np.testing.assert_allclose(found.mean(), share, atol=0.03)


def test_nothing_is_hidden_where_nothing_can_be_or_shall():
    seed = replicas.SeedGenerator(0)
    assert hide(BATCH, KINDS, 0.0, seed) is BATCH
    assert hide(BATCH, (), 1.0, seed) is BATCH
    found = nothing(BATCH, KINDS[:1])
    assert [*found] == ["labels"]
    assert (found["labels"].numpy() == 3).all()
