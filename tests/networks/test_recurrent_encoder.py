"""The recurrent encoder reads both ways and knows nothing of padding."""

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.tasks.classification import SequenceClassifier

TOKENS = np.random.default_rng(0).integers(1, 20, (3, 7)).astype("int32")


def encoder(**arguments):
    keras.utils.set_random_seed(0)
    return RecurrentEncoder(vocabulary_size=20, embedding_dim=4, units=3, **arguments)


@pytest.mark.parametrize(
    "arguments", [{}, dict(cell="gru", num_layers=2, pooling="max")]
)
def test_a_padded_batch_is_what_each_row_is_alone(arguments):
    model = encoder(**arguments)
    lengths = np.array([7, 4, 1])
    mask = (np.arange(7) < lengths[:, None]).astype("int32")
    whole = model({"tokens": TOKENS * mask, "tokens_mask": mask})
    assert whole["hidden"].shape == (3, 7, model.width)
    for row, length in enumerate(lengths):
        alone = model(TOKENS[row : row + 1, :length])
        for name, mine in (
            ("hidden", whole["hidden"][row, :length]),
            ("pooled", whole["pooled"][row]),
        ):
            np.testing.assert_allclose(mine, alone[name][0], atol=1e-6)


def test_every_place_sees_both_ends():
    model = encoder()
    before = model(TOKENS)["hidden"].numpy()
    for changed, seen in ((0, 6), (6, 0)):
        other = TOKENS.copy()
        other[:, changed] = 0
        assert np.abs(model(other)["hidden"][:, seen] - before[:, seen]).max() > 1e-6


@pytest.mark.slow
def test_a_classifier_learns_to_tell_and_comes_back(tmp_path):
    model = SequenceClassifier(encoder(dropout=0.2, token_dropout=0.1))
    tokens = np.random.default_rng(1).integers(1, 20, (64, 7)).astype("int32")
    labels = (tokens == 5).any(axis=1).astype("int32")
    model.compile(
        keras.optimizers.Adam(0.03),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )
    data = {"tokens": tokens, "tokens_mask": np.ones_like(tokens)}
    model.fit(data, labels, batch_size=32, epochs=40, verbose=0)
    assert model.evaluate(data, labels, verbose=0)[1] > 0.95
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded(data), model(data))


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="`cell` must be one of"):
        encoder(cell="rnn")
    with pytest.raises(ValueError, match="`pooling` must be one of"):
        encoder(pooling="sum")
