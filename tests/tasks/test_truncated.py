"""A recurrent model decodes as it reads, and carries its state from batch to batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flat import flat

from keras_genai.networks.gpt import GPT
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.truncated import TruncatedLM

VOCABULARY, WIDTH, BATCH, LENGTH = 11, 8, 3, 6
all_cells = pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])


def make(**changes):
    keras.utils.set_random_seed(0)
    config = {
        "vocabulary_size": VOCABULARY,
        "embedding_dim": WIDTH,
        "units": WIDTH,
        "num_layers": 2,
    }
    return flat(TruncatedLM, RNN, **{**config, **changes})


def draw(batch=BATCH, length=LENGTH, seed=0):
    shape = (batch, length)
    return np.random.default_rng(seed).integers(0, VOCABULARY, shape).astype("int32")


def close(one, other, tolerance=1e-5):
    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@all_cells
@pytest.mark.parametrize("tie_embeddings", [False, True])
def test_decoding_unequal_prompts_equals_the_full_call_of_each(cell, tie_embeddings):
    model, tokens = make(cell=cell, tie_embeddings=tie_embeddings), draw()
    full = model(tokens)
    lengths = np.array([3, 1, 2])
    columns = np.arange(3)
    positions = np.where(columns < lengths[:, None], columns, -1).astype("int32")
    prompts = np.where(positions >= 0, tokens[:, :3], 7)

    logits, cache = model.decode(prompts, positions, model.initial_cache(BATCH, 9), 0)
    for step in range(LENGTH - 3):
        at = lengths - 1 + step
        close(logits, np.asarray(full)[np.arange(BATCH), at])
        token = tokens[np.arange(BATCH), at + 1][:, None]
        position = (at + 1)[:, None].astype("int32")
        logits, cache = model.decode(token, position, cache, 3 + step)


@all_cells
def test_the_cache_keeps_the_batch_on_axis_0(cell):
    cache = make(cell=cell).initial_cache(BATCH, 9)
    assert {leaf.shape[0] for leaf in keras.tree.flatten(cache)} == {BATCH}


@all_cells
def test_a_text_streamed_in_pieces_has_the_logits_of_the_whole(cell):
    model, tokens = make(cell=cell), draw()
    cache = model.network.initial_cache(BATCH)
    first, cache = model.network.stream_logits(tokens[:, :2], cache)
    second, _ = model.network.stream_logits(tokens[:, 2:], cache)
    close(np.concatenate([first, second], axis=1), model(tokens))


@all_cells
def test_batches_trained_in_turn_see_what_one_long_sequence_sees(cell):
    model, tokens = make(cell=cell, lanes=BATCH), draw()
    first = model(tokens[:, :4], training=True)
    second = model(tokens[:, 4:], training=True)
    close(np.concatenate([first, second], axis=1), model(tokens))


def test_a_large_batch_of_a_short_alphabet_gets_the_same_logits():
    # 4 x 16 tokens take the table's rows projected once, 4 x 1 do not.
    model, tokens = make(embedding_dim=16), draw(4, 16)
    cache, steps = model.network.initial_cache(4), []
    for column in range(16):
        logits, cache = model.network.stream_logits(
            tokens[:, column : column + 1], cache
        )
        steps.append(logits)
    close(np.concatenate(steps, axis=1), model(tokens))


class Watch(keras.callbacks.Callback):
    """What is carried when an epoch begins and after its last batch."""

    def __init__(self):
        super().__init__()
        self.begin, self.end = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begin.append([np.asarray(each) for each in self.model.carried])

    def on_train_batch_end(self, batch, logs=None):
        self.end = [np.asarray(each) for each in self.model.carried]


def train(model, *data, **options):
    """The `Watch` of a `fit` that changes no weight."""
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=True)
    watch = Watch()
    model.fit(*data, shuffle=False, verbose=0, callbacks=[watch], **options)
    return watch


@pytest.mark.slow
def test_fit_carries_the_state_and_leaves_none_behind():
    model, tokens = make(lanes=BATCH), draw()
    targets = np.zeros((BATCH, LENGTH, VOCABULARY))
    watch = train(model, tokens, targets, BATCH)
    _, state = model.network.stream_logits(tokens, model.network.initial_cache(BATCH))
    for found, value in zip(watch.end, keras.tree.flatten(state), strict=True):
        close(found, value)
    assert not any(np.any(variable) for variable in model.carried)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("repeated", "steps", "begins_anew"),
    [(False, None, True), (False, 2, True), (True, 2, False), (False, 1, False)],
)
def test_the_state_ends_where_the_data_do(repeated, steps, begins_anew):
    model, tokens = make(lanes=BATCH), draw(2 * BATCH)
    data = tf.data.Dataset.from_tensor_slices((tokens, np.zeros((*tokens.shape, 1))))
    data = data.batch(BATCH)
    data = data.repeat() if repeated else data
    watch = train(model, data, epochs=2, steps_per_epoch=steps)
    first, second = ([np.any(each) for each in begin] for begin in watch.begin)
    assert not any(first)
    assert all(second) is not begins_anew


def test_shuffled_rows_are_no_lanes():
    model, tokens = make(lanes=BATCH), draw(2 * BATCH)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`shuffle` must be False with lanes"):
        model.fit(tokens, np.zeros((*tokens.shape, 1)), BATCH, verbose=0)


def test_inference_neither_reads_nor_moves_the_carried_state():
    model, tokens = make(lanes=BATCH), draw()
    before = np.asarray(model(tokens))
    model(tokens, training=True)
    carried = [np.asarray(variable) for variable in model.carried]
    np.testing.assert_array_equal(model(tokens), before)
    for variable, value in zip(model.carried, carried, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert model(draw(batch=5)).shape == (5, LENGTH, VOCABULARY)


def test_no_gradient_flows_into_the_batch_before():
    model, tokens = make(lanes=BATCH), draw()
    with tf.GradientTape() as tape:
        table = model.network.embedding.embeddings
        model(tokens[:, :4], training=True)
        loss = tf.reduce_sum(model(np.full_like(tokens, 2), training=True))
    rows = tf.convert_to_tensor(tape.gradient(loss, table.value))
    assert set(np.flatnonzero(np.any(rows, axis=1))) == {2}


def test_the_future_does_not_reach_the_past_with_dropout_on_or_off():
    model, tokens = make(dropout=0.4), draw()
    other = tokens.copy()
    other[:, 3:] = (other[:, 3:] + 1) % VOCABULARY
    states = [layer.seed_generator.state for layer in model.network.dropouts]
    for training in (False, True):
        logits = []
        for batch in (tokens, other):
            for state in states:
                state.assign([0, 1])
            logits.append(np.asarray(model(batch, training=training)))
        np.testing.assert_array_equal(logits[0][:, :3], logits[1][:, :3])
        assert np.any(logits[0][:, 3:] != logits[1][:, 3:])


@pytest.mark.parametrize(
    "precision",
    ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)],
)
def test_half_precision_trains_and_ends_in_float32_logits(precision):
    options = {"dtype": precision, "dropout": 0.1, "lanes": BATCH, "num_layers": 1}
    model, tokens = make(**options), draw()
    assert model(tokens).dtype == "float32"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)  # eight steps
    fitted = model.fit(tokens, tokens, BATCH, 8, 0, shuffle=False)
    history = fitted.history["loss"]
    assert history[-1] < history[0]


@pytest.mark.slow
def test_one_batch_is_learned_by_heart():
    model, tokens = make(units=32, embedding_dim=16, num_layers=1), draw()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.05), loss, jit_compile=True, steps_per_execution=40
    )
    targets = np.roll(tokens, -1, axis=1)
    batches = tf.data.Dataset.from_tensors((tokens, targets)).repeat(40)
    model.fit(batches, verbose=0, shuffle=False)
    assert model.evaluate(tokens, targets, BATCH, verbose=0) < 0.1


# Keras hands its variables to h5py, which asks NumPy for a copy in the old way.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_comes_back_to_the_bit(tmp_path):
    model = make(cell="gru", dropout=0.3, lanes=BATCH, tie_embeddings=True)
    model(draw(), training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    # The second training call continues the carried state and the dropout masks.
    for training in (False, True):
        one, other = (each(draw(), training=training) for each in (model, again))
        np.testing.assert_array_equal(one, other)


def test_weights_have_stable_names_and_presets_leave_the_carried_state_out():
    assert list(make(lanes=BATCH, num_layers=1).preset_weights()) == [
        "rnn/embedding/embeddings",
        "rnn/layer_0/kernel",
        "rnn/layer_0/recurrent_kernel",
        "rnn/layer_0/bias",
        "rnn/head/kernel",
        "rnn/head/bias",
    ]


def test_a_training_batch_must_have_one_row_a_lane():
    with pytest.raises(ValueError, match=r"`tokens` must have lanes=3 rows"):
        make(lanes=BATCH)(draw(batch=2), training=True)


def test_tying_needs_equal_widths():
    with pytest.raises(ValueError, match=r"`embedding_dim` must equal `units`"):
        make(tie_embeddings=True, units=9)


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="`cell` must be one of"):
        make(cell="lstn")


def test_a_network_that_carries_no_state_is_refused():
    gpt = GPT(vocabulary_size=5, context=8, depth=1, width=8, num_heads=2)
    with pytest.raises(TypeError, match=r"`network` must be an object of .*rnn"):
        TruncatedLM(gpt)


def test_padding_behind_a_text_leaves_its_last_vector_as_it_is():
    network = make(num_layers=1).network
    tokens, real = draw(), np.arange(LENGTH) < 4
    vectors = network.hidden(tokens, mask=np.tile(real, (BATCH, 1)))
    close(vectors[:, :4], network.hidden(tokens[:, :4]))
    close(vectors[:, -1], vectors[:, 3])
    close(network.logits(vectors[:, :4]), network(tokens[:, :4]))
