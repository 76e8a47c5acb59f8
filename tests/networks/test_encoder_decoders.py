"""EncoderDecoder and T5 see what they may, and decode as they read."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import from_preset
from keras_genai.networks.encoder_decoder import (
    BART,
    BLENDERBOT,
    BLENDERBOT_SMALL,
    M2M100,
    MARIAN,
    MBART,
    EncoderDecoder,
    EncoderDecoderStyle,
)
from keras_genai.networks.t5 import ORIGINAL, T5, V1_1
from keras_genai.samplers import Beam, GenerationSettings, Greedy
from keras_genai.tasks.seq2seq import Seq2SeqLM

LEARNED = dict(context=24, encoder_depth=1, decoder_depth=2, width=16, num_heads=4)
RELATIVE = dict(
    encoder_depth=2, decoder_depth=1, width=16, num_heads=3, head_dim=5, inner_width=20
)
MODELS = {
    "bart": (EncoderDecoder, dict(**LEARNED, style=BART)),
    "bart_untied": (
        EncoderDecoder,
        dict(
            **LEARNED,
            style=dataclasses.replace(
                BART,
                activation="relu",
                scale_embedding=True,
                tie_embeddings=False,
                decoder_num_heads=2,
                decoder_inner_width=12,
            ),
        ),
    ),
    "t5": (T5, dict(**RELATIVE, style=ORIGINAL)),
    "t5_gated": (T5, dict(**RELATIVE, style=V1_1)),
    "blenderbot": (EncoderDecoder, dict(**LEARNED, style=BLENDERBOT)),
    "blenderbot_small": (EncoderDecoder, dict(**LEARNED, style=BLENDERBOT_SMALL)),
    "marian": (
        EncoderDecoder,
        dict(
            **LEARNED,
            inputs_vocabulary_size=19,
            style=dataclasses.replace(MARIAN, own_inputs=True),
        ),
    ),
    "mbart": (EncoderDecoder, dict(**LEARNED, style=MBART)),
    "m2m100": (EncoderDecoder, dict(**LEARNED, style=M2M100)),
}
SETTINGS = GenerationSettings(max_length=12, decoder_start_token=1, end_tokens=(2,))
every_model = pytest.mark.parametrize("name", MODELS)


def make(name, **changes):
    keras.utils.set_random_seed(0)
    kind, arguments = MODELS[name]
    network = kind(**{"vocabulary_size": 17, **arguments, **changes})
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
        keras.utils.set_random_seed(3)
        outputs.append(ops.convert_to_numpy(model(each, training=training)))
    np.testing.assert_allclose(outputs[0][:, :5], outputs[1][:, :5], atol=1e-6)
    assert np.abs(outputs[0][:, 5:] - outputs[1][:, 5:]).max() > 1e-2


@pytest.mark.slow
@every_model
def test_padding_of_the_inputs_is_never_seen(name):
    model, batch = make(name), draw_batch()
    expected = model(batch)
    other = np.where(batch["inputs_mask"], batch["inputs"], 5).astype("int32")
    longer = {
        **batch,
        "inputs": np.pad(other, ((0, 0), (0, 3)), constant_values=9),
        "inputs_mask": np.pad(batch["inputs_mask"], ((0, 0), (0, 3))),
    }
    np.testing.assert_allclose(model(longer), expected, atol=2e-5)
    changed = {**batch, "inputs": (batch["inputs"] + 1) % 17}
    assert np.abs(np.array(model(changed)) - np.array(expected)).max() > 1e-2


@pytest.mark.slow
@every_model
def test_cached_decoding_is_the_full_call(name):
    model, batch = make(name), draw_batch()
    full = ops.convert_to_numpy(model(batch))
    cache = model.initial_cache(2, 12, batch["inputs"], batch["inputs_mask"])
    prompt = np.where(np.arange(4) < [[4], [2]], batch["targets"][:, :4], 0)
    places = np.where(np.arange(4) < [[4], [2]], np.arange(4), -1).astype("int32")
    logits, cache = model.decode(prompt.astype("int32"), places, cache, 0)
    for step in range(4):  # rows of unequal lengths in shared slots
        last = np.array([3, 1]) + step
        np.testing.assert_allclose(logits, full[[0, 1], last], atol=2e-5)
        following = batch["targets"][[0, 1], last + 1][:, None]
        place = (last + 1)[:, None].astype("int32")
        logits, cache = model.decode(following, place, cache, 4 + step)


@pytest.mark.slow
@every_model
def test_candidates_of_one_text_share_its_memory(name):
    model, batch = make(name), draw_batch()
    inputs, mask = batch["inputs"], batch["inputs_mask"]
    shared = model.initial_cache(2, 4, inputs, mask)
    shared = {**model.network.empty_cache(6, 4), "memory": shared["memory"]}
    repeated = model.initial_cache(6, 4, inputs.repeat(3, 0), mask.repeat(3, 0))
    tokens = np.arange(3, 9, dtype="int32")[:, None]
    places = np.zeros((6, 1), "int32")
    found, _ = model.decode(tokens, places, shared, 0)
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
    model = make("t5")
    rows = [[5, 6, 7, 8], [9, 10]]
    expected = model.generate(rows, sampler=Beam(3))
    model.jit_generate = True
    for found, row in zip(model.generate(rows, sampler=Beam(3)), expected, strict=True):
        np.testing.assert_array_equal(found, row)


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


@pytest.mark.parametrize("name", ["t5", "t5_gated", "blenderbot", "blenderbot_small"])
@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_float16_is_refused_where_weights_overflow(name, dtype):
    with pytest.raises(ValueError, match="because float16 overflows"):
        make(name, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("bart", "mixed_float16"), ("t5", "mixed_bfloat16")],
)
def test_one_batch_can_be_learned_by_heart(name, dtype):
    model, batch = make(name, dtype=dtype, dropout=0.0), draw_batch()
    labels = np.roll(batch["targets"], -1, axis=1)
    weight = np.arange(9)[None] < np.array([[8], [5]])
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        weighted_metrics=[],
    )
    data = tf.data.Dataset.from_tensors((batch, labels, weight.astype("float32")))
    history = model.fit(
        data.repeat(), steps_per_epoch=50, epochs=3, shuffle=False, verbose=0
    ).history
    # Processors round bfloat16 products in ways of their own: a mean of 0.15 over the
    # second 50 steps was seen on one.
    assert history["loss"][2] < 0.1 < history["loss"][0]
    model.generation = GenerationSettings(
        max_length=6, decoder_start_token=int(batch["targets"][0, 0]), end_tokens=(2,)
    )
    found = model.generate(batch["inputs"][0], sampler=Greedy())
    np.testing.assert_array_equal(found, labels[0, :5])


def test_the_parameter_counts_are_those_of_the_published_checkpoints():
    def count(depth, heads, hidden, style):
        """Of a width of 512, from models of one block and of two."""
        one, two = (
            T5(
                vocabulary_size=1,
                encoder_depth=size,
                decoder_depth=size,
                width=512,
                num_heads=heads,
                head_dim=64,
                inner_width=hidden,
                style=style,
            ).count_params()
            for size in (1, 2)
        )
        tables = 1 if style.tie_embeddings else 2
        return one + (depth - 1) * (two - one) + tables * 32127 * 512

    assert count(6, 8, 2048, ORIGINAL) == 60_506_624  # T5-small
    assert count(8, 6, 1024, V1_1) == 76_961_152  # Flan-T5-small


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("bart", dict(width=18), "`width` must be a multiple of `num_heads`"),
        ("blenderbot", dict(num_heads=3), "`width` must be a multiple of `num_heads`"),
    ],
)
def test_impossible_shapes_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        make(name, **changes)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="`activation` must be one of"):
        EncoderDecoderStyle(activation="tanh")


def test_more_tokens_than_context_are_refused():
    with pytest.raises(ValueError, match="`inputs` must have at most context=24"):
        make("bart")(draw_batch(length=25))


def test_padding_has_no_place_where_a_style_says_so():
    model = make("m2m100")
    inputs = np.array([[5, 1, 6, 7, 1, 1]], "int32")
    mask, targets = inputs != 1, np.array([[2, 8]], "int32")
    found = model({"inputs": inputs, "inputs_mask": mask, "targets": targets})
    near = inputs[:, [0, 2, 3]]
    real = np.ones_like(near, bool)
    expected = model({"inputs": near, "inputs_mask": real, "targets": targets})
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_what_is_read_may_have_a_vocabulary_of_its_own():
    model = make("marian")
    assert model.generate([[18, 3]])[0].max() < 17
    with pytest.raises(ValueError, match="from 0 to 18"):
        model.generate([[19, 3]])
    with pytest.raises(ValueError, match="`inputs_vocabulary_size` must be None"):
        make("bart", inputs_vocabulary_size=19)


def test_a_token_without_a_place_is_for_waves_only():
    with pytest.raises(ValueError, match="`pad_token` must be None with learned"):
        EncoderDecoderStyle(pad_token=0)
