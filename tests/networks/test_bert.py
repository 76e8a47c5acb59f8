"""BERT sees both ways, but never padding."""

import keras
import numpy as np
import pytest

from keras_genai.networks.bert import ALBERT, BERT, MPNET, ROBERTA, BERTStyle


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = BERT(
        vocabulary_size=11,
        context=8,
        depth=2,
        width=12,
        num_heads=3,
        inner_width=20,
        has_pooler=True,
    ).complete()
    for weight in model.trainable_variables:  # zeros hide mistakes
        noise = np.random.default_rng(len(weight.path)).normal(size=weight.shape)
        weight.assign_add(0.2 * noise)
    return model


TOKENS = np.array([[2, 5, 3, 7, 9, 1]], "int32")


def test_every_token_sees_every_other(model):
    before = np.asarray(model(TOKENS)["hidden"])
    for place in range(TOKENS.shape[1]):
        changed = TOKENS.copy()
        changed[0, place] = 10
        after = np.asarray(model(changed)["hidden"])
        assert (np.abs(after - before).max(-1) > 1e-6).all()


@pytest.mark.parametrize("training", [False, True])
def test_padding_is_never_seen(model, training):
    outputs = []
    for filler in (0, 10):
        padded = np.full((1, 8), filler, "int32")
        padded[:, :6] = TOKENS
        mask = (np.arange(8) < 6)[None]
        keras.utils.set_random_seed(1)
        model.drop.seed_generator.state.assign([0, 1])
        for block in model.blocks:
            block.dropout.seed_generator.state.assign([0, 2])
        found = model({"tokens": padded, "tokens_mask": mask}, training=training)
        outputs.append((found["hidden"][:, :6], found["pooled"]))
    for one, other in zip(*outputs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_padded_batch_is_each_text_alone(model):
    alone = model(TOKENS)
    padded = np.pad(TOKENS, ((0, 0), (0, 2)))
    mask = np.pad(np.ones_like(TOKENS), ((0, 0), (0, 2)))
    batch = model({"tokens": padded, "tokens_mask": mask})
    np.testing.assert_allclose(batch["hidden"][:, :6], alone["hidden"], atol=1e-5)
    np.testing.assert_allclose(batch["pooled"], alone["pooled"], atol=1e-5)


def test_segments_count_and_default_to_the_first(model):
    plain = model(TOKENS)["hidden"]
    first = model({"tokens": TOKENS, "segments": np.zeros_like(TOKENS)})["hidden"]
    second = model({"tokens": TOKENS, "segments": np.ones_like(TOKENS)})["hidden"]
    np.testing.assert_array_equal(plain, first)
    assert np.abs(np.asarray(second) - np.asarray(first)).max() > 1e-3


def test_the_last_hidden_state_is_the_output(model):
    states = model.hidden_states(TOKENS)
    assert len(states) == model.depth + 1
    np.testing.assert_array_equal(states[-1], model(TOKENS)["hidden"])


@pytest.mark.parametrize(
    ("dtype", "atol"),
    [
        pytest.param("mixed_bfloat16", 0.05, marks=pytest.mark.slow),
        ("mixed_float16", 0.005),
    ],
)
def test_half_precision_is_near_and_returns_float32(model, dtype, atol):
    half = BERT.from_config({**model.get_config(), "dtype": dtype})
    half.set_weights(model.get_weights())
    found = half(TOKENS)
    assert found["hidden"].dtype == "float32"
    np.testing.assert_allclose(found["hidden"], model(TOKENS)["hidden"], atol=atol)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`width` must be a multiple of `num_heads`"):
        BERT(vocabulary_size=5, width=10, num_heads=3).complete()
    with pytest.raises(ValueError, match="`activation` must be one of"):
        BERT(vocabulary_size=5, activation="tanh")
    with pytest.raises(ValueError, match="at most context=4"):
        BERT(vocabulary_size=5, context=4, depth=1, width=4, num_heads=1)(TOKENS)
    with pytest.raises(ValueError, match="`num_buckets` must be an even int"):
        BERTStyle(num_buckets=5)
    with pytest.raises(ValueError, match="`pooler_activation` must be one of"):
        BERTStyle(pooler_activation="silu")
    with pytest.raises(TypeError, match="`embedding_width` must be an int"):
        BERTStyle(embedding_width=2.5)


def styled(style, **sizes):
    keras.utils.set_random_seed(0)
    sizes = dict(vocabulary_size=11, context=8, depth=2, width=8, num_heads=2, **sizes)
    return BERT(**sizes, style=style, has_pooler=False).complete()


def test_roberta_counts_places_behind_its_padding_token():
    model = styled(ROBERTA, num_segments=1)
    assert model.positions.table.shape[0] == 8 + 2
    places = model._places(np.array([[5, 1, 6, 7, 1, 1]]))
    np.testing.assert_array_equal(places, [[2, 1, 3, 4, 1, 1]])


def test_segments_that_cannot_be_told_apart_are_not_read():
    model = styled(ROBERTA, num_segments=1)
    ones = np.ones_like(TOKENS)
    found = model({"tokens": TOKENS, "segments": ones})["hidden"]
    np.testing.assert_array_equal(found, model(TOKENS)["hidden"])


def test_a_bias_for_distances_is_shared_by_the_blocks():
    model = styled(MPNET, num_segments=None)
    before = np.asarray(model(TOKENS)["hidden"])
    table = np.zeros((32, 2), "float32")
    table[1] = 5.0  # the bucket of the token before
    model.position_bias.table.assign(table)
    assert np.abs(np.asarray(model(TOKENS)["hidden"]) - before).max() > 1e-3
    assert not hasattr(model, "segments")


def test_albert_shares_its_blocks_and_projects_short_vectors():
    model = styled(ALBERT)
    assert len(model.blocks) == 1
    assert model.embedding.embeddings.shape == (11, 128)
    assert len(model.hidden_states(TOKENS)) == 3
    pairs = styled(BERTStyle(num_groups=2, group_size=2), inner_width=6)
    assert pairs.order == (0, 1, 2, 3)
    assert len(pairs.blocks) == 4
    assert len(pairs.hidden_states(TOKENS)) == 3
