"""Networks of translation see what they may, and decode as they read."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import from_preset
from keras_genai.losses import SparseSmoothedCrossentropy
from keras_genai.networks.encoder_decoder import TRANSFORMER, EncoderDecoder
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.samplers import Beam, GenerationSettings, Greedy
from keras_genai.tasks.seq2seq import Seq2SeqLM

SMALL = dict(embedding_dim=8, units=6)
MODELS = {
    "bahdanau": (RecurrentEncoderDecoder, SMALL),
    "general": (
        RecurrentEncoderDecoder,
        dict(**SMALL, cell="lstm", num_layers=2, attention="general"),
    ),
    "dot": (
        RecurrentEncoderDecoder,
        dict(**SMALL, cell="simple", attention="dot", tie_embeddings=False),
    ),
    "concat": (
        RecurrentEncoderDecoder,
        dict(**SMALL, num_layers=2, attention="concat"),
    ),
    "transformer": (
        EncoderDecoder,
        dict(
            context=24,
            encoder_depth=1,
            decoder_depth=2,
            width=16,
            num_heads=4,
            inner_width=12,
        ),
    ),
}
SETTINGS = GenerationSettings(max_length=8, decoder_start_token=1, end_tokens=(2,))
# Of these the formula and the cell are others, which have tests of their layers.
ALIKE = ("dot", "general")
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else [])
    for name in MODELS
]
every_model = pytest.mark.parametrize("name", NAMES)


def make(name, **changes):
    keras.utils.set_random_seed(0)
    kind, arguments = MODELS[name]
    defaults = {"vocabulary_size": 17, "dropout": 0.0}
    network = kind(**{**defaults, **arguments, **changes})
    model = Seq2SeqLM(network, generation=SETTINGS)
    for variable in model.trainable_variables:  # away from the small initial values
        noise = keras.random.normal(variable.shape, stddev=0.3, seed=1)
        variable.assign(variable + noise)
    model.jit_generate = False
    return model


def draw_batch(length=7):
    draws = np.random.default_rng(0)
    return {
        "inputs": draws.integers(3, 17, (2, length)).astype("int32"),
        "inputs_mask": np.arange(length)[None] < np.array([[length], [4]]),
        "targets": draws.integers(3, 17, (2, 9)).astype("int32"),
    }


@pytest.mark.slow
@every_model
@pytest.mark.parametrize("training", [False, True])
def test_a_changed_target_changes_nothing_before_it(name, training):
    batch = draw_batch()
    changed = {**batch, "targets": batch["targets"].copy()}
    changed["targets"][:, 5] = (changed["targets"][:, 5] + 1) % 17
    outputs = []
    for each in (batch, changed):
        model = make(name, dropout=0.3 if training else 0.0)
        outputs.append(ops.convert_to_numpy(model(each, training=training)))
    np.testing.assert_allclose(outputs[0][:, :5], outputs[1][:, :5], atol=1e-6)
    assert np.abs(outputs[0][:, 5:] - outputs[1][:, 5:]).max() > 1e-2


@pytest.mark.slow
@every_model
def test_a_row_is_the_same_alone_and_beside_longer_ones(name):
    model, batch = make(name), draw_batch()
    together = model(batch)
    short = {
        "inputs": batch["inputs"][1:, :4],
        "inputs_mask": np.ones((1, 4), bool),
        "targets": batch["targets"][1:],
    }
    np.testing.assert_allclose(model(short), together[1:], atol=2e-5)
    # What is written on the padding does not matter.
    other = np.where(batch["inputs_mask"], batch["inputs"], 5).astype("int32")
    np.testing.assert_allclose(model({**batch, "inputs": other}), together, atol=2e-5)
    changed = {**batch, "inputs": (batch["inputs"] + 1) % 17}
    assert np.abs(np.array(model(changed)) - np.array(together)).max() > 1e-2


@every_model
def test_cached_decoding_is_the_full_call(name):
    model, batch = make(name), draw_batch()
    full = ops.convert_to_numpy(model(batch))
    cache = model.initial_cache(2, 12, batch["inputs"], batch["inputs_mask"])
    is_prompt = np.arange(4) < [[4], [2]]
    prompt = np.where(is_prompt, batch["targets"][:, :4], 0).astype("int32")
    places = np.where(is_prompt, np.arange(4), -1).astype("int32")
    logits, cache = model.decode(prompt, places, cache, 0)
    for step in range(4):  # rows of unequal lengths in shared slots
        last = np.array([3, 1]) + step
        np.testing.assert_allclose(logits, full[[0, 1], last], atol=2e-5)
        following = batch["targets"][[0, 1], last + 1][:, None]
        place = (last + 1)[:, None].astype("int32")
        logits, cache = model.decode(following, place, cache, 4 + step)


@every_model
def test_candidates_of_one_text_share_its_memory(name):
    model, batch = make(name), draw_batch()
    inputs, mask = batch["inputs"], batch["inputs_mask"]
    cache = model.initial_cache(2, 4, inputs, mask)
    memory = cache.pop("memory")
    cache = tf.nest.map_structure(lambda leaf: tf.repeat(leaf, 3, axis=0), cache)
    repeated = model.initial_cache(6, 4, inputs.repeat(3, 0), mask.repeat(3, 0))
    tokens, places = np.arange(3, 9, dtype="int32")[:, None], np.zeros((6, 1), "int32")
    found, _ = model.decode(tokens, places, {**cache, "memory": memory}, 0)
    expected, _ = model.decode(tokens, places, repeated, 0)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.slow
@every_model
def test_greedy_text_is_what_the_full_call_predicts(name):
    model, batch = make(name), draw_batch()
    rows = [batch["inputs"][0], batch["inputs"][1, :4]]  # unequal in one batch
    for row, found in zip(rows, model.generate(rows), strict=True):
        read = np.concatenate([[1], found[:-1]])[None].astype("int32")
        everything = {"inputs": row[None], "inputs_mask": np.ones((1, len(row)), bool)}
        logits = np.array(model({**everything, "targets": read}))[0]
        np.testing.assert_array_equal(found, logits.argmax(-1))


@pytest.mark.slow
def test_xla_and_graph_find_the_same_beams():
    model = make("general")
    rows = [[5, 6, 7, 8], [9, 10]]
    expected = model.generate(rows, sampler=Beam(3))
    model.jit_generate = True
    for found, row in zip(model.generate(rows, sampler=Beam(3)), expected, strict=True):
        np.testing.assert_array_equal(found, row)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_attention_weights_sum_to_one_and_ignore_padding(name):
    model, batch = make(name, dtype="mixed_bfloat16"), draw_batch()
    weights = model.network.attention_weights(
        batch["inputs"], batch["targets"], batch["inputs_mask"]
    )
    assert weights.shape == (2, 9, 7)
    assert weights.dtype == "float32"
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    assert not weights[1, :, 4:].any()
    assert weights[0].min() > 0
    assert np.ptp(weights[0], axis=-1).max() > 1e-3  # it is not the mean


@pytest.mark.slow
@every_model
def test_preset_and_keras_file_bring_back_the_same_logits(name, tmp_path):
    model, batch = make(name), draw_batch()
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(model(batch), loaded(batch))
    assert loaded.generation == SETTINGS
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(batch), loaded(batch))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype", "jit_compile"),
    [
        ("bahdanau", "float32", True),
        ("dot", "mixed_float16", False),
        ("transformer", "mixed_bfloat16", False),
    ],
)
def test_one_batch_can_be_learned_by_heart(name, dtype, jit_compile):
    size = {} if name == "transformer" else dict(units=16, embedding_dim=16)
    model, batch = make(name, dtype=dtype, **size), draw_batch()
    labels = np.roll(batch["targets"], -1, axis=1)
    weight = np.arange(9)[None] < np.array([[8], [5]])
    model.compile(
        optimizer=keras.optimizers.Adam(2e-2 if size else 7e-3),
        loss=SparseSmoothedCrossentropy(0.0),
        weighted_metrics=[],
        jit_compile=jit_compile,
    )
    data = tf.data.Dataset.from_tensors((batch, labels, weight.astype("float32")))
    history = model.fit(
        data.repeat(), steps_per_epoch=60, epochs=2, shuffle=False, verbose=0
    ).history
    assert history["loss"][1] < 0.1 < history["loss"][0]
    model.generation = GenerationSettings(
        max_length=6, decoder_start_token=int(batch["targets"][0, 0]), end_tokens=(2,)
    )
    found = model.generate(batch["inputs"][0], sampler=Greedy())
    np.testing.assert_array_equal(found, labels[0, :5])


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("transformer", dict(width=18), "`width` must be a multiple of `num_heads`"),
        ("bahdanau", dict(attention="luong"), "`attention` must be one of"),
        ("bahdanau", dict(cell="rnn"), "`cell` must be one of"),
        ("dot", dict(units=5), "`units` must be even"),
    ],
)
def test_impossible_models_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        make(name, **changes)


def test_the_notebooks_transformer_has_its_size():
    model = EncoderDecoder(
        vocabulary_size=5893,
        context=100,
        encoder_depth=3,
        decoder_depth=3,
        width=256,
        num_heads=8,
        inner_width=512,
        style=dataclasses.replace(TRANSFORMER, tie_embeddings=False),
    )
    # Its German table has rows for 7,853 types, ours as many as the English one.
    missing = (7853 - 5893) * 256
    assert model.count_params() + missing == pytest.approx(9.04e6, rel=0.005)
