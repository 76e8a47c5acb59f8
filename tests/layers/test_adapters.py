"""LoRA: the base never changes, adapters travel alone, merging is undone to the bit."""

import keras
import numpy as np
import pytest
from marks import slow_but

from keras_genai import from_preset
from keras_genai.layers import adapters
from keras_genai.layers.quantized import quantize
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.language import CausalLM

TOKENS = np.random.default_rng(0).integers(0, 30, (4, 8)).astype("int32")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    sizes = dict(context=16, depth=2, width=8, num_heads=2)
    return CausalLM(GPT(vocabulary_size=30, **sizes))


def train(model, steps=3, jit_compile=False):
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    history = model.fit(
        TOKENS[:, :-1], TOKENS[:, 1:], epochs=steps, batch_size=4, verbose=0
    )
    return history.history["loss"]


def values(weights):
    return {path: weight.numpy() for path, weight in weights.items()}


def assert_same(some, others):
    assert some.keys() == others.keys()
    for path, value in some.items():
        np.testing.assert_array_equal(value, others[path], err_msg=path)


@pytest.mark.slow
def test_a_new_adapter_changes_nothing_and_only_it_is_trained(model):
    base, before = values(model.preset_weights()), model(TOKENS).numpy()
    adapters.add(model, rank=2)
    np.testing.assert_array_equal(model(TOKENS), before)
    # 2 blocks of query (8 to 8) and memory (8 to 16), rank 2
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 2 * (32 + 48)
    losses = train(model, steps=4, jit_compile=True)
    assert losses[-1] < losses[0]
    assert_same(values(adapters.base_weights(model)), base)
    assert np.abs(model(TOKENS).numpy() - before).max() > 1e-3


@pytest.mark.slow
def test_merging_gives_the_same_logits_and_is_undone_to_the_bit(model):
    base = values(model.preset_weights())
    adapters.add(model, names=("query", "output", "expand"), rank=2)
    train(model)
    own, logits = values(adapters.adapter_weights(model, "default")), model(TOKENS)
    adapters.merge(model)
    assert model.preset_weights().keys() == base.keys()
    assert len(model.trainable_weights) == len(base)
    np.testing.assert_allclose(model(TOKENS), logits, atol=1e-5)
    with pytest.raises(ValueError, match="unmerged first"):
        adapters.use(model, None)
    adapters.unmerge(model)
    assert_same(values(adapters.base_weights(model)), base)
    assert_same(values(adapters.adapter_weights(model, "default")), own)
    np.testing.assert_array_equal(model(TOKENS), logits)


@pytest.mark.slow
def test_several_adapters_by_name_do_not_touch_each_other(model):
    plain = model(TOKENS).numpy()
    adapters.add(model, rank=2, name="first")
    train(model)
    first, kept = (
        model(TOKENS).numpy(),
        values(adapters.adapter_weights(model, "first")),
    )
    adapters.add(model, names="expand", rank=3, name="second", seed=1)
    np.testing.assert_array_equal(model(TOKENS), plain)
    train(model)
    assert_same(values(adapters.adapter_weights(model, "first")), kept)
    adapters.use(model, "first")
    np.testing.assert_array_equal(model.predict(TOKENS, verbose=0), first)
    adapters.use(model, None)
    np.testing.assert_array_equal(model.predict(TOKENS, verbose=0), plain)
    with pytest.raises(ValueError, match=r"must be one of \['first', 'second'\]"):
        adapters.use(model, "third")


def test_a_model_computes_with_another_adapter_for_a_while(model):
    plain = model(TOKENS).numpy()
    adapters.add(model, rank=2, name="first")
    assert adapters.changes_nothing(model, "first")
    for weight in model.trainable_weights:
        weight.assign(weight + 1)
    assert not adapters.changes_nothing(model, "first")
    first = model(TOKENS).numpy()
    adapters.add(model, names="query", whole="expand", rank=2, name="second")
    assert adapters.changes_nothing(model, "second")
    trained = [weight.path for weight in model.trainable_weights]
    with adapters.computing_with(model, "first"):
        np.testing.assert_array_equal(model(TOKENS), first)
        with adapters.without(model):
            np.testing.assert_array_equal(model(TOKENS), plain)
        np.testing.assert_array_equal(model(TOKENS), first)
        assert [weight.path for weight in model.trainable_weights] == trained
    with pytest.raises(ValueError, match=r"must be one of \['first', 'second'\]"):
        adapters.computing_with(model, "third").__enter__()
    copied = adapters.adapter_weights(model, "second")
    kernel = next(path for path in copied if path.endswith("expand/second/kernel"))
    copied[kernel].assign(copied[kernel] + 1)
    assert not adapters.changes_nothing(model, "second")


@pytest.mark.slow
def test_a_saved_adapter_fits_its_base_and_no_other(model, tmp_path):
    model.save_to_preset(tmp_path / "base")
    adapters.add(model, rank=2)
    train(model)
    adapters.save(model, tmp_path / "adapter")
    size = (tmp_path / "adapter" / "adapter.safetensors").stat().st_size
    assert size < (tmp_path / "base" / "model.safetensors").stat().st_size / 3

    other = from_preset(tmp_path / "base", name="other")
    adapters.load(other, tmp_path / "adapter", name="mine")
    np.testing.assert_array_equal(other(TOKENS), model(TOKENS))

    foreign = from_preset(tmp_path / "base")
    foreign.trainable_weights[0].assign(foreign.trainable_weights[0] + 1)
    with pytest.raises(ValueError, match="another base"):
        adapters.load(foreign, tmp_path / "adapter")
    damaged = tmp_path / "adapter" / "adapter.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        adapters.load(from_preset(tmp_path / "base"), tmp_path / "adapter")


@pytest.mark.slow
def test_presets_and_configs_keep_adapters(model, tmp_path):
    adapters.add(model, rank=2, name="first")
    adapters.add(model, rank=2, name="second", seed=3)
    train(model)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))
    assert adapters.installed(loaded) == adapters.installed(model)
    assert [w.path for w in loaded.trainable_weights] == [
        w.path for w in model.trainable_weights
    ]
    with pytest.raises(ValueError, match="not merged"):
        loaded.save_to_preset(tmp_path / "other", format="huggingface")
    adapters.merge(loaded)
    loaded.save_to_preset(tmp_path / "merged")
    assert not from_preset(tmp_path / "merged").changes


@pytest.mark.slow
def test_a_head_is_trained_as_a_copy(tmp_path):
    model = SequenceClassifier(bert(), dropout=0.0)
    base = values(model.preset_weights())
    adapters.add(model, rank=2, whole=("classifier", "pooler"))
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    labels = TOKENS[:, 0] % 2
    model.fit({"tokens": TOKENS}, labels, epochs=2, verbose=0)
    assert_same(values(adapters.base_weights(model)), base)
    names = {
        path.split("/")[-2:][0] for path in adapters.adapter_weights(model, "default")
    }
    assert names == {"default"}
    adapters.save(model, tmp_path)
    logits = model({"tokens": TOKENS}).numpy()
    adapters.use(model, None)
    np.testing.assert_array_equal(
        model.classifier.base.kernel, base["classifier/kernel"]
    )
    adapters.load(model, tmp_path, name="again")
    np.testing.assert_array_equal(model({"tokens": TOKENS}), logits)


@pytest.mark.slow
def test_generate_follows_the_adapter_in_use(model):
    def text():
        return model.generate([1, 2, 3], max_length=12, seed=0).tolist()

    plain = text()
    adapters.add(model, rank=4, dropout=0.0)
    for weight in model.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, seed=1))
    changed = text()
    adapters.use(model, None)
    assert text() == plain != changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(names="value"), "Dense layers of"),
        (dict(rank=0), "`rank` must be an int >= 1"),
        (dict(dropout=1.0), r"`dropout` must be in \[0, 1\)"),
        (dict(name="a/b"), "`name` must be letters"),
    ],
)
def test_what_cannot_be_is_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        adapters.add(model, **arguments)
    assert not model.changes


def sequential():
    return keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(6, name="query"), keras.layers.Dense(1)]
    )


def functional():
    inputs = keras.Input((8,))
    shared = keras.layers.Dense(8, name="query")
    x = keras.ops.relu(shared(shared(inputs)))
    return keras.Model(inputs, [keras.layers.Dense(1)(x), x])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.stack = [keras.layers.Dense(8, name="query"), keras.layers.Dense(1)]
        self.build((None, 8))

    def build(self, shape):
        for layer in self.stack:
            layer.build((None, 8))

    def call(self, inputs):
        for layer in self.stack:
            inputs = layer(inputs)
        return inputs


@pytest.mark.parametrize(
    "make", slow_but([functional, Subclassed], [sequential, functional, Subclassed])
)
def test_any_keras_model_may_have_adapters(make, tmp_path):
    def outputs(model):
        found = model.predict(rows, verbose=0)
        return np.concatenate(found, axis=-1) if isinstance(found, list) else found

    keras.utils.set_random_seed(0)
    rows = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    model = make()
    plain, paths = outputs(model), [weight.path for weight in model.weights]
    base = [weight.numpy() for weight in model.weights]
    adapters.add(model, "query", rank=2, dropout=0.0)
    np.testing.assert_array_equal(outputs(model), plain)
    assert [w.name for w in model.trainable_weights] == ["left", "right"]
    for weight in model.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, seed=1))
    adapted = outputs(model)
    assert np.abs(adapted - plain).max() > 0.01
    adapters.save(model, tmp_path)
    adapters.merge(model)
    np.testing.assert_allclose(outputs(model), adapted, rtol=1e-4, atol=1e-4)
    assert [weight.path for weight in model.weights] == paths
    adapters.unmerge(model)
    adapters.use(model, None)
    np.testing.assert_array_equal(outputs(model), plain)
    adapters.load(model, tmp_path, name="again")
    np.testing.assert_array_equal(outputs(model), adapted)
    for weight, value in zip(adapters.base_weights(model).values(), base, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_model_with_adapters_is_not_written_without_them(tmp_path):
    model = sequential()
    adapters.add(model, "query", rank=2)
    with pytest.raises(ValueError, match="merge"):
        model.save(tmp_path / "model.keras")
    adapters.merge(model)
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")


def bert():
    return BERT(vocabulary_size=30, context=16, depth=1, width=8, num_heads=2)


def test_adapters_of_a_network_come_back(tmp_path):
    network = bert()
    model = SequenceClassifier(network, dropout=0.0)
    adapters.add(network, rank=2)
    for weight in network.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, seed=1))
    with pytest.raises(ValueError, match="adapters of its own"):
        adapters.add(model, rank=2)
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    inputs = {"tokens": TOKENS}
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert adapters.installed(loaded.network) == adapters.installed(network)


@pytest.mark.slow
@pytest.mark.parametrize("change", [quantize, train])
def test_unmerge_does_not_throw_away_what_came_after_merge(model, change, tmp_path):
    adapters.add(model, rank=2)
    train(model, steps=1)
    adapters.merge(model)
    change(model)
    logits = model(TOKENS)
    with pytest.raises(ValueError, match="as `merge` left it"):
        adapters.unmerge(model)
    model.save_to_preset(tmp_path / "preset")
    np.testing.assert_array_equal(from_preset(tmp_path / "preset")(TOKENS), logits)


def test_nothing_is_added_to_8_bit_weights(model):
    quantize(model)
    with pytest.raises(ValueError, match="8-bit"):
        adapters.add(model, rank=2)
