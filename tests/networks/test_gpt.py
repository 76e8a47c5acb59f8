"""GPT sees only the past, decodes as it reads, and comes back from its files."""

import keras
import numpy as np
import pytest
from keras import ops
from marks import slow_but

from keras_genai import from_preset
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT, GPT2, LLAMA, Style
from keras_genai.tasks.language import CausalLM

STYLES = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "relative": Style(positions="relative"),
    "grouped": Style(positions="rotary", num_memory_heads=2, normalize_heads=True),
}

READ = (GPT2, LLAMA, STYLES["relative"])  # in the fast tests


def make(style, **changes):
    keras.utils.set_random_seed(0)
    arguments = dict(
        vocabulary_size=17, context=24, depth=2, width=32, num_heads=4, style=style
    )
    model = CausalLM(GPT(**{**arguments, **changes}))
    for variable in model.trainable_variables:  # away from the small initial values
        noise = keras.random.normal(variable.shape, stddev=0.2, seed=1)
        variable.assign(variable + noise)
    return model


def draw_tokens(*shape):
    return np.random.default_rng(0).integers(0, 17, shape).astype("int32")


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("training", [False, True])
def test_a_changed_token_changes_nothing_before_it(style, training):
    tokens = draw_tokens(2, 12)
    changed = tokens.copy()
    changed[:, 7] = (changed[:, 7] + 1) % 17
    outputs = []
    for batch in (tokens, changed):
        model = make(style, dropout=0.3 if training else 0.0)
        keras.utils.set_random_seed(3)
        outputs.append(ops.convert_to_numpy(model(batch, training=training)))
    np.testing.assert_allclose(outputs[0][:, :7], outputs[1][:, :7], atol=1e-6)
    assert np.abs(outputs[0][:, 7:] - outputs[1][:, 7:]).max() > 1e-2


@pytest.mark.parametrize("style", slow_but(READ, STYLES.values()), ids=STYLES)
def test_cached_decoding_of_unequal_rows_is_the_full_call(style):
    model = make(style)
    tokens, lengths, bucket = draw_tokens(2, 12), np.array([3, 6]), 8
    full = ops.convert_to_numpy(model(tokens))
    positions = np.arange(bucket)[None] + np.zeros((2, 1), "int32")
    positions = np.where(positions < lengths[:, None], positions, -1).astype("int32")
    prompt = np.where(positions >= 0, tokens[:, :bucket], 5).astype("int32")
    cache = model.initial_cache(2, 16)
    logits, cache = model.decode(prompt, positions, cache, 0)
    for step in range(4):
        expected = full[np.arange(2), lengths + step - 1]
        np.testing.assert_allclose(logits, expected, atol=2e-5)
        place = lengths + step
        following = tokens[np.arange(2), place][:, None]
        logits, cache = model.decode(
            following, place[:, None].astype("int32"), cache, bucket + step
        )


@pytest.mark.parametrize("style", slow_but((GPT2, LLAMA), STYLES.values()), ids=STYLES)
def test_texts_that_share_a_row_are_read_as_each_alone(style):
    network, lengths = make(style).network, [5, 3, 4]
    texts = [draw_tokens(2, 12)[:, :length] for length in lengths]
    row = np.concatenate([*texts, draw_tokens(2, 2)], axis=1)
    segments = np.repeat([[1, 2, 3, 0]], 2, axis=0).repeat([*lengths, 2], axis=1)
    together = ops.convert_to_numpy(network({"tokens": row, "segments": segments}))
    alone = np.concatenate([network(text) for text in texts], axis=1)
    np.testing.assert_allclose(together[:, :12], alone, atol=1e-5)
    leaking = ops.convert_to_numpy(network(row))
    assert np.abs(leaking[:, 5:12] - alone[:, 5:]).max() > 0.1


def test_the_head_is_asked_only_where_places_say():
    network, tokens = make(GPT2).network, draw_tokens(2, 6)
    places = np.array([[1, 4, 0], [5, 5, 2]], "int32")
    whole = ops.convert_to_numpy(network(tokens))
    np.testing.assert_allclose(
        network({"tokens": tokens, "places": places}),
        np.take_along_axis(whole, places[..., None], axis=1),
        rtol=1e-5,
    )


@pytest.mark.slow
def test_dropout_is_on_in_fit_and_off_in_evaluate():
    tokens = draw_tokens(4, 9)
    losses, weights = [], make(GPT2).get_weights()
    for dropout in (0.0, 0.9):
        model = make(GPT2, dropout=dropout)
        model.set_weights(weights)
        model.compile(
            optimizer=keras.optimizers.SGD(0.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        x, y = tokens[:, :-1], tokens[:, 1:]
        trained = model.fit(x, y, verbose=0).history["loss"][0]
        losses.append((trained, model.evaluate(x, y, verbose=0)))
    assert abs(losses[0][0] - losses[1][0]) > 1e-2
    np.testing.assert_allclose(losses[0][1], losses[1][1], rtol=1e-5)


def test_rotary_logits_do_not_depend_on_where_the_text_starts():
    model = make(LLAMA)
    tokens = draw_tokens(1, 6)
    answers = []
    for start in (0, 9):
        positions = np.arange(start, start + 6, dtype="int32")[None]
        logits, _ = model.decode(tokens, positions, model.initial_cache(1, 8), 0)
        answers.append(ops.convert_to_numpy(logits))
    np.testing.assert_allclose(*answers, atol=2e-5)


def test_as_many_memory_heads_as_heads_is_plain_attention():
    tokens = draw_tokens(2, 5)
    plain = make(Style())
    grouped = make(Style(num_memory_heads=4))
    grouped.set_weights(plain.get_weights())
    np.testing.assert_allclose(plain(tokens), grouped(tokens), atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["llama", *(pytest.param(n, marks=pytest.mark.slow) for n in ("gpt2", "grouped"))],
)
def test_preset_and_keras_file_bring_back_the_same_logits(name, tmp_path):
    model, tokens = make(STYLES[name]), draw_tokens(2, 5)
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    loaded = from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(model(tokens), loaded(tokens))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(tokens), loaded(tokens))


def test_weight_names_do_not_depend_on_what_was_built_before():
    assert list(make(GPT2).preset_weights()) == list(make(GPT2).preset_weights())
    assert "gpt/block_1/attention/memory/kernel" in make(GPT2).preset_weights()


def test_the_parameter_count_is_that_of_gpt2():
    model = GPT(vocabulary_size=65, context=64, depth=4, width=128, num_heads=4)
    width, depth = 128, 4
    block = 12 * width**2 + 13 * width
    assert model.count_params() == depth * block + (65 + 64) * width + 2 * width


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_one_batch_can_be_learned_by_heart(dtype):
    keras.utils.set_random_seed(0)
    network = GPT(context=8, depth=1, width=32, num_heads=2, dtype=dtype)
    model = CausalLM(network, Text(vocabulary_size=17))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    tokens = draw_tokens(4, 9)
    x, y = tokens[:, :-1], tokens[:, 1:]
    losses = model.fit(x, y, epochs=80, batch_size=4, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(np.log(17), abs=0.3)
    assert losses[-1] < 0.35  # what no context could tell: the first tokens


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(width=30), "multiple of `num_heads`"),
        (dict(style=dict(norm="batch")), "one of"),
    ],
)
def test_impossible_shapes_are_refused(changes, message):
    if "style" in changes:
        with pytest.raises(ValueError, match=message):
            Style(**changes["style"])
    else:
        with pytest.raises(ValueError, match=message):
            make(GPT2, **changes)


def test_a_single_token_is_a_sequence_too():
    tokens = draw_tokens(2, 3)
    model = make(LLAMA)
    alone, among = model(tokens[:, :1]), model(tokens)
    np.testing.assert_allclose(alone[:, 0], among[:, 0], atol=1e-5)


def test_more_tokens_than_context_are_refused():
    with pytest.raises(ValueError, match="context=24"):
        make(GPT2)(draw_tokens(1, 25))


def test_a_place_in_a_period_is_read_and_is_that_of_the_cache():
    model = make(STYLES["relative"], periods=(2, 3))
    tokens = np.full((1, 9), 4, "int32")
    full = ops.convert_to_numpy(model(tokens))
    assert np.ptp(full, axis=1).max() > 0.1
    places = np.arange(9, dtype="int32")[None]
    cache = model.initial_cache(1, 9)
    for step in range(9):
        logits, cache = model.decode(
            tokens[:, step : step + 1], places[:, step : step + 1], cache, step
        )
        np.testing.assert_allclose(logits, full[:, step], atol=1e-5)


@pytest.mark.parametrize("periods", [(), (1,), (4, 4), (0, 2)])
def test_impossible_periods_are_refused(periods):
    with pytest.raises(ValueError, match="`periods` must be a tuple of different ints"):
        make(GPT2, periods=periods)
