"""Models of sounds: what counts, what they are told, and how they draw and stream."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import draws
from keras_genai.likelihoods import Bernoulli, MixtureOfLogistics, MuLaw
from keras_genai.modalities import Audio, Label, Mel
from keras_genai.modalities.speaker import Speaker
from keras_genai.networks.wavenet import WaveNet
from keras_genai.tasks.waveform import WaveformModel, _Loop

RATE = 1_000
SMALL = dict(dilations=(1, 2, 4), residual=8, gate=8, skip=8, embedding=4)
KINDS = (Label(3), Speaker(2))


def make(*given, likelihood=MuLaw(), label_dropout=0.0, **settings):  # noqa: B008
    keras.utils.set_random_seed(0)
    network, target = WaveNet(**{**SMALL, **settings}), Audio(RATE, cropped=True)
    return WaveformModel(network, target, tuple(given), likelihood, label_dropout)


@pytest.fixture(scope="module")
def model():
    return make(*KINDS)


@pytest.fixture(scope="module")
def unfolding():
    """A model that is told how far into a class it is."""
    return make(*KINDS, hop=10, moments=3)


@pytest.fixture(scope="module")
def told():
    """A model of spectrograms."""
    return make(Mel(RATE, 20, 10, 6))


@pytest.fixture(scope="module")
def fine():
    """A model of 16-bit samples."""
    return make(*KINDS, likelihood=MixtureOfLogistics(3))


def sounds(count=2, length=40, **more):
    waves = np.random.default_rng(0).uniform(-1, 1, (count, length))
    return {
        "waves": waves.astype("float32"),
        "samples": np.full(count, length, "int32"),
        "starts": np.zeros(count, "int32"),
        "labels": np.arange(count, dtype="int32") % 3,
        "speakers": np.arange(count, dtype="int32") % 2,
        **more,
    }


def test_mu_law_is_that_of_the_telephone():
    law = MuLaw()
    assert law.codes(np.array([-1.0, 0, 1])).numpy().tolist() == [0, 128, 255]
    codes = np.arange(256)
    assert law.codes(law.waves(codes)).numpy().tolist() == codes.tolist()
    x = np.linspace(-1, 1, 1_001)
    f = np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)
    expected = np.floor((f + 1) / 2 * 255 + 0.5)
    assert np.abs(law.codes(x).numpy() - expected).max() <= 1
    np.testing.assert_allclose(law.waves(law.codes(x)), x, atol=0.023)


def test_a_logit_depends_on_what_came_before_and_no_further_back(model):
    network = model.network
    assert network.receptive_field == 8
    codes = np.random.default_rng(0).integers(0, 256, (1, 30))
    told = {"labels": np.array([1]), "speakers": np.array([0])}
    before = network(codes, **told).numpy()
    codes[0, 12] = (codes[0, 12] + 99) % 256
    changed = np.abs(network(codes, **told).numpy() - before)[0].max(axis=-1) > 0
    assert np.flatnonzero(changed).tolist() == [*range(12, 20)]


def test_everything_a_network_is_told_changes_what_it_says():
    mel = Mel(RATE, 20, 10, 6)
    model = make(*KINDS, mel)
    inputs = sounds(mels=np.zeros((2, 5, 6), "float32"), frames=np.array([5, 5]))
    before = model(inputs)["parameters"].numpy()
    for name, other in (
        ("labels", [2, 2]),
        ("speakers", [1, 0]),
        ("mels", np.ones((2, 5, 6), "float32")),
    ):
        after = model({**inputs, name: np.array(other)})["parameters"].numpy()
        assert np.abs(after - before).max() > 1e-4


def test_a_class_of_several_moments_is_told_from_where_a_crop_begins(unfolding):
    model = unfolding
    whole = sounds()
    told = {"labels": whole["labels"], "speakers": whole["speakers"]}
    every = model.network.condition(told, 40).numpy()
    assert np.abs(np.diff(every[:, :20], axis=1)).max(axis=-1).min() > 1e-3
    np.testing.assert_array_equal(every[:, 20:], every[:, 20:21].repeat(20, axis=1))
    starts = np.array([13, 25])
    for row, part in enumerate(model.network.condition({**told, "starts": starts}, 15)):
        place = starts[row]
        np.testing.assert_allclose(part, every[row, place : place + 15], atol=1e-6)
    before, after = (
        model({**whole, "starts": starts})["parameters"].numpy()
        for starts in (np.zeros(2, int), starts)
    )
    assert np.abs(after - before).max(axis=(1, 2)).min() > 1e-4


def test_targets_without_their_past_and_padding_do_not_count(model):
    inputs = sounds(3, starts=np.array([0, 5, 0]), samples=np.array([40, 40, 25]))
    weights = model(inputs)["weights"].numpy()
    assert weights.sum(axis=1).tolist() == [40, 32, 25]
    assert not weights[1, :8].any()
    assert not weights[2, 25:].any()
    before = float(model.compute_loss(inputs, y_pred=model(inputs)))
    inputs["waves"][1, 0] *= -1  # it is heard, but nobody is asked for it
    inputs["waves"][2, 25:] = 0.3
    found = model(inputs)
    nats = keras.ops.sparse_categorical_crossentropy(
        found["codes"], found["parameters"], from_logits=True
    )
    expected = np.sum(nats * weights) / weights.sum()
    loss = float(model.compute_loss(inputs, y_pred=found))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert loss != before  # by what is heard
    short = sounds(1, 10, starts=np.array([5]))
    assert model(short)["weights"].numpy().sum() == 5  # half of a short crop


def said(model, made, **told):
    """What the whole network says of each sample of sounds, given those before."""
    codes = model.likelihood.codes(made).numpy()
    silence = model.likelihood.silence
    before = np.pad(codes[:, :-1], ((0, 0), (1, 0)), constant_values=silence)
    return model.network(model.likelihood.inputs(before), **told)


def drawn_again(model, parameters, seed, temperature):
    """The sounds that the same chances draw, all at once, behind each beginning."""
    count, length, _ = parameters.shape
    key = tf.constant(draws.key(seed))
    places = np.arange(length)
    chances = [draws.uniform(key, tf.fill([count], place)) for place in places]
    flat = tf.reshape(parameters, (count * length, -1))
    chances = tf.reshape(tf.stack(chances, axis=1), [-1])
    again = model.likelihood.sample(flat, chances, temperature)
    return model.likelihood.waves(tf.reshape(again, (count, length))).numpy()


@pytest.mark.slow
def test_guidance_exaggerates_what_a_class_changes():
    model = make(*KINDS, hop=10, moments=3, label_dropout=0.5)
    told = {"labels": np.array([2, 0]), "speakers": np.array([1, 0])}
    made = model.generate(2, 0.03, seed=5, guidance=30.0, **told)
    asked = said(model, made, **told)
    free = said(model, made, labels=np.full(2, 3), speakers=np.full(2, 2))
    expected = drawn_again(model, free + 30 * (asked - free), 5, 1.0)
    np.testing.assert_allclose(made, expected, atol=1e-4)
    assert np.mean(made != model.generate(2, 0.03, seed=5, **told)) > 0.5


@pytest.mark.slow
def test_guidance_is_for_models_that_learned_without_classes(model):
    with pytest.raises(ValueError, match="or trained with label_dropout=0"):
        model.generate(guidance=2.0)
    fine = make(*KINDS, likelihood=MixtureOfLogistics(3), label_dropout=0.5)
    with pytest.raises(ValueError, match="without logits"):
        fine.generate(guidance=2.0)
    with pytest.raises(ValueError, match="`guidance` must be a number >= 0"):
        model.generate(guidance=-1.0)
    alone = make(hop=10, moments=3, label_dropout=0.5)  # sounds of no class
    assert alone.generate(2, 0.01).shape == (2, 10)
    with pytest.raises(ValueError, match="a model without classes"):
        alone.generate(guidance=2.0)


def test_classes_are_hidden_in_training_alone():
    model = make(*KINDS, label_dropout=0.5)
    inputs = sounds(64)
    whole = model(inputs)["parameters"].numpy()
    np.testing.assert_array_equal(model(inputs)["parameters"], whole)
    partly = model(inputs, training=True)["parameters"].numpy()
    differs = np.abs(partly - whole).max(axis=(1, 2)) > 1e-4
    assert 40 < differs.sum() < 64  # of 56 expected


@pytest.mark.parametrize(
    "which",
    [
        "model",
        *(pytest.param(w, marks=pytest.mark.slow) for w in ("unfolding", "fine")),
    ],
)
def test_the_loop_draws_from_what_the_whole_network_says(which, request):
    model = request.getfixturevalue(which)
    told = {"labels": np.array([2, 0, 1]), "speakers": np.array([1, 0, 1])}
    made = model.generate(3, 0.03, seed=5, temperature=0.7, **told)
    assert made.shape == (3, 30)
    expected = drawn_again(model, said(model, made, **told), 5, 0.7)
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.slow
def test_a_told_sound_is_the_same_in_any_company_to_its_last_sample():
    mel = Mel(RATE, 20, 10, 6)
    model = make(mel)
    waves = [0.5 * np.sin(np.arange(float(count))) for count in (47, 90)]
    together = model.score(waves)
    np.testing.assert_allclose(model.score(waves[:1]), together[:1], rtol=1e-5)
    mels = mel.batch(mel.read(waves))
    assert mels["frames"].tolist() == [47 // 10 + 1, 90 // 10 + 1]
    told = model.network.condition(mels, 50).numpy()[:1]
    alone = {
        name: rows[:1, :5] if rows.ndim > 1 else rows[:1] for name, rows in mels.items()
    }
    np.testing.assert_allclose(model.network.condition(alone, 50), told, atol=1e-6)
    # What is behind the last frame is as that frame is.
    np.testing.assert_array_equal(told[:, 40:], told[:, 40:41].repeat(10, axis=1))


@pytest.mark.slow
def test_a_sound_of_a_shorter_spectrogram_ends_in_silence():
    model = make(Mel(RATE, 20, 10, 6))
    draws = np.random.default_rng(0)
    mels = [draws.normal(0, 1, (count, 6)).astype("float32") for count in (2, 4)]
    made = model.generate(mels=mels, seed=2)
    assert made.shape == (2, 40)
    assert not made[0, 20:].any()
    np.testing.assert_array_equal(made[:1, :20], model.generate(mels=mels[:1], seed=2))


@pytest.mark.slow
def test_the_loop_follows_spectrograms_too():
    model = make(Mel(RATE, 20, 10, 6))
    mels = 3 * np.random.default_rng(0).normal(0, 1, (2, 3, 6)).astype("float32")
    pieces = [*model.stream(mels=mels, seed=1, chunk=0.012)]
    assert [piece.shape for piece in pieces] == [(2, 12), (2, 12), (2, 6)]
    made = np.concatenate(pieces, axis=1)
    np.testing.assert_allclose(
        made, drawn_again(model, said(model, made, mels=mels), 1, 1.0), atol=1e-4
    )
    wave = np.sin(np.arange(45.0))  # five frames
    pieces = [*model.stream(mels=[wave, wave], chunk=0.012)]
    assert sum(piece.shape[1] for piece in pieces) == 50


@pytest.mark.slow
def test_a_stream_is_the_same_sound_piece_by_piece_compiled_once(model):
    whole = model.generate(3, 0.05, seed=3)
    pieces = [*model.stream(3, 0.05, chunk=0.02, seed=3)]
    assert [piece.shape for piece in pieces] == [(3, 20), (3, 20), (3, 10)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    [*model.stream(3, 0.04, chunk=0.02, seed=4, temperature=0.5)]
    *_, function = vars(model)["_compiled_loops"].values()
    assert function.experimental_get_tracing_count() == 1


def test_xla_compiles_one_loop_for_all_pieces_of_a_stream():
    model = make(dilations=(1,))
    loop = _Loop(model.network, model.likelihood, 1, 4, False)
    draw = tf.function(loop, jit_compile=True, autograph=False)
    rings = model.network.empty_rings(1)
    told = None, tf.zeros(2, "uint32"), tf.constant(1.0), tf.constant(1.0)
    first, second = (
        draw.experimental_get_compiler_ir(
            tf.fill([1], 0), rings, tf.constant(place), tf.constant(left), *told
        )(stage="hlo")
        for place, left in ((0, 4), (4, 3))
    )
    assert first == second  # nothing of them is a constant in it


@pytest.mark.slow
def test_a_row_is_the_same_whatever_the_others_are(model):
    few = model.generate(3, 0.02, seed=3, labels=[1, 2, 0], speakers=0)
    many = model.generate(4, 0.02, seed=3, labels=[1, 2, 0, 0], speakers=0)
    np.testing.assert_array_equal(few, many[:3])
    other = model.generate(3, 0.02, seed=4, labels=[1, 2, 0], speakers=0)
    assert np.abs(few - other).max() > 0.1


def test_a_score_is_that_of_the_sound_alone_whatever_is_beside_it(model):
    waves = [sounds(1, samples)["waves"][0] for samples in (30, 55, 12)]
    found = model.score(waves, labels=[0, 1, 2], speakers=1)
    for row, wave in enumerate(waves):
        alone = {
            "waves": wave[None],
            "samples": np.array([len(wave)]),
            "starts": np.array([0]),
            "labels": np.array([row]),
            "speakers": np.array([1]),
        }
        nats = float(model.compute_loss(alone, y_pred=model(alone)))
        np.testing.assert_allclose(found[row], nats, rtol=1e-4)
    with pytest.raises(ValueError, match="`labels` must be given"):
        model.score(waves, speakers=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    # Single samples of a sine cost 10.85 of 16 bits, whatever is known of the others.
    ("likelihood", "begin", "end"),
    [(MuLaw(), 5, 1), (MixtureOfLogistics(3), 11, 9)],
)
def test_sounds_are_learned_by_heart(likelihood, begin, end):
    model = make(KINDS[0], likelihood=likelihood, residual=16, gate=32, skip=32)
    tones = [np.sin(pitch * np.arange(60)) for pitch in (0.4, 0.9, 1.7)]
    inputs = sounds(3, 60, waves=np.array(tones, "float32"))
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 150)
    model.compile(keras.optimizers.Adam(rate), jit_compile=False)
    first = model.evaluate(inputs, verbose=0, return_dict=True)["loss"]
    model.fit(inputs, epochs=150, verbose=0)
    last = model.evaluate(inputs, verbose=0, return_dict=True)["loss"]
    assert first > begin
    assert last < end


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(count=0), "`count` must be an int >= 1"),
        (dict(seconds=0), "`seconds` must be above 0"),
        (dict(seconds=float("inf")), "`seconds` must be above 0"),
        (dict(seconds=1e9), "`seconds` times `count` must be at most"),
        (dict(seconds=1e308), "`seconds` must be above 0"),
        (dict(seconds=10**400), "`seconds` must be above 0.*an int of 1,329 bits"),
        (dict(temperature=0), "`temperature` must be above 0"),
        (dict(temperature=1e-300), "`temperature` must be above 0"),
        (dict(temperature=1e300), "`temperature` must be above 0"),
        (dict(guidance=1e39), "`guidance` must be a number >= 0, at most 1e.30"),
        (dict(chunk=1e308), "`chunk` must be above 0"),
        (dict(chunk=-1), "`chunk` must be above 0"),
        (dict(labels=3), "`labels` must be an int"),
        (dict(mels=[1]), "`mels` must be left out"),
    ],
)
def test_what_cannot_be_made_is_refused_before_it_is(model, settings, said):
    with pytest.raises(ValueError, match=said) as caught:
        model.stream(**settings)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="`mels` must be given"):
        make(Mel(RATE, 20, 10, 6)).generate()
    with pytest.raises(ValueError, match="`gate` must be even"):
        WaveNet(num_codes=8, gate=7)
    for settings in (dict(bands=3), dict(moments=3)):
        with pytest.raises(ValueError, match="`hop` must be given"):
            WaveNet(num_codes=8, **settings)
    with pytest.raises(ValueError, match="`num_outputs` must be given"):
        WaveNet(num_codes=None)
    with pytest.raises(TypeError, match="`likelihood` must be an object of"):
        make(likelihood=Bernoulli())


@pytest.mark.parametrize(
    ("mels", "said"),
    [
        (np.full((3, 6), np.nan, "f4"), "finite float of shape"),
        (np.full((3, 6), 1e300), "finite float of shape"),
        (np.zeros((2, 3, 5), "f4"), r"shape \(batch, frames, 6\)"),
        ([np.zeros((3, 6), "f4"), np.zeros((3, 5), "f4")], r"shape \(batch, frames, 6"),
        (np.zeros((0, 6), "f4"), "at least one frame"),
        (np.zeros((0, 4, 6), "f4"), "at least one frame"),
    ],
)
def test_spectrograms_that_are_none_are_refused(told, mels, said):
    with pytest.raises(ValueError, match=f"`mels` must .*{said}"):
        told.stream(mels=mels)


def test_no_sounds_of_a_spectrogram_are_no_wish(told):
    with pytest.raises(ValueError, match="`count` must be an int >= 1"):
        told.stream(0, mels=np.zeros((3, 6), "f4"))
    with pytest.raises(TypeError, match="`count` must be an int >= 1"):
        told.stream(False, mels=np.zeros((3, 6), "f4"))
    assert told.stream(np.int64(1), mels=np.zeros((3, 6), "f4")) is not None


def test_the_latest_start_is_behind_the_last_moment(unfolding):
    told = {name: sounds()[name] for name in ("labels", "speakers")}
    late, latest = (
        unfolding.network.condition({**told, "starts": np.full(2, start)}, 5).numpy()
        for start in (1_000, 2**31 - 1)
    )
    np.testing.assert_array_equal(latest, late)


@pytest.mark.parametrize("which", ["model", "fine"])
def test_a_preset_says_all_that_the_model_needs(which, request, tmp_path):
    model = request.getfixturevalue(which)
    model.save_to_preset(tmp_path / "preset")
    again = WaveformModel.from_preset(tmp_path / "preset")
    assert again.target == model.target
    assert again.given == model.given
    assert again.likelihood == model.likelihood
    found, expected = (each(sounds())["parameters"] for each in (again, model))
    np.testing.assert_array_equal(found, expected)
