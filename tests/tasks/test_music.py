"""Models of music: what they are charged, what they learn, and what they go on with."""

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.data import chorales
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes
from keras_genai.networks.gpt import GPT, Style
from keras_genai.networks.tcn import TCN
from keras_genai.tasks.chords import ChordModel
from keras_genai.tasks.voices import NoteLM

LOW, HIGH, STEPS = 60, 67, 8


def notes_model(**changes):
    keras.utils.set_random_seed(0)
    style = Style(positions="relative")
    options = dict(depth=1, width=16, num_heads=2, style=style, periods=(2, 8))
    target = Notes(2, STEPS, lowest=LOW, highest=HIGH, per_quarter=1)
    model = NoteLM(GPT(**{**options, **changes}), target)
    model.jit_generate = False
    return model


def chord_model():
    keras.utils.set_random_seed(0)
    model = ChordModel(TCN(depth=2, width=16, kernel_size=3), Notes(2, None, LOW, HIGH))
    model.jit_generate = False
    return model


def pieces(count, length, seed=0):
    found = np.random.default_rng(seed).integers(LOW, HIGH + 1, (count, length, 2))
    found[:, 2, 1] = scores.SILENT
    return found.astype("int32")


def silence_all(model):
    for weight in model.trainable_variables:
        if "embedding" in weight.path or "head" in weight.path:
            weight.assign(np.zeros(weight.shape))


def test_a_model_that_knows_nothing_is_charged_all_symbols_for_every_note(eager):
    model = notes_model(style=Style(tie_embeddings=False))
    silence_all(model)
    some = pieces(2, 2 * STEPS + 3)
    some[1, 5:] = scores.BEYOND
    found = model.score(some)
    assert np.isnan(found[1, 5:]).all()
    expected = np.log(HIGH - LOW + 2)
    np.testing.assert_allclose(found[~np.isnan(found)], expected, rtol=1e-5)


def test_a_model_that_knows_nothing_is_charged_a_bit_for_every_key(eager):
    model = chord_model()
    silence_all(model)
    some = pieces(2, 9)
    some[1, 5:] = scores.BEYOND
    found = model.score(some)
    assert np.isnan(found[1, 5:]).all()
    expected = (HIGH - LOW + 1) * np.log(2)
    np.testing.assert_allclose(found[~np.isnan(found)], expected, rtol=1e-5)


@pytest.mark.parametrize("make", [notes_model, chord_model])
def test_no_note_is_predicted_from_itself_or_from_what_follows(make):
    model = make()
    some = pieces(1, STEPS)
    found = model({"notes": some})["logits"]
    changed = some.copy()
    changed[0, 4:] = LOW
    again = model({"notes": changed})["logits"]
    known = 4 * found.shape[1] // STEPS
    np.testing.assert_allclose(found[:, : known + 1], again[:, : known + 1], atol=1e-6)
    assert np.abs(found - again).max() > 1e-5


@pytest.mark.parametrize("make", [notes_model, chord_model])
def test_the_loss_is_the_mean_of_the_scores_and_padding_costs_nothing(make):
    model = make()
    some = pieces(3, STEPS)
    some[0, 6:] = scores.BEYOND
    model.compile("sgd", run_eagerly=True)
    loss = model.evaluate({"notes": some}, verbose=0)
    np.testing.assert_allclose(loss, np.nanmean(model.score(some)), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("make", [notes_model, chord_model])
def test_a_tune_is_learned_by_heart_and_gone_on_with(make):
    model = make()
    line = LOW + np.array([0, 2, 4, 5, 7, 5, 4, 2])
    tune = np.stack([line, np.full(STEPS, LOW)], axis=1)[None]
    model.compile(keras.optimizers.Adam(0.02))
    losses = model.fit({"notes": tune}, epochs=150, verbose=0).history["loss"]
    assert losses[-1] < 0.1 < losses[0]
    found = model.generate(2, STEPS, beginning=tune[0, :3], seed=1, temperature=0.3)
    keys = scores.to_keys(found, LOW, HIGH)
    np.testing.assert_array_equal(keys[0], scores.to_keys(tune[0], LOW, HIGH))


def test_windows_of_a_long_piece_overlap_by_half():
    model = notes_model()
    some = pieces(1, 2 * STEPS + 2)
    found = model.score(some)
    np.testing.assert_allclose(
        found[:, :STEPS], model.score(some[:, :STEPS]), atol=1e-5
    )
    later = model.score(some[:, STEPS // 2 : STEPS // 2 + STEPS])
    half = STEPS // 2
    np.testing.assert_allclose(
        found[:, STEPS : STEPS + half], later[:, half:], atol=1e-5
    )


@pytest.mark.slow
def test_a_melody_is_kept_and_a_piece_goes_on_past_the_window():
    model = notes_model()
    melody = np.resize(np.arange(LOW, HIGH + 1), 3 * STEPS + 1)
    melody[3] = scores.SILENT
    found = model.harmonize(melody, count=2, seed=3)
    assert found.shape == (2, len(melody), 2)
    np.testing.assert_array_equal(found[:, :, 0], [melody, melody])
    below = found[:, :, 1]
    assert ((below == 0) | ((below >= LOW) & (below <= HIGH))).all()
    assert not np.array_equal(below[0], below[1])
    np.testing.assert_array_equal(model.harmonize(melody, count=2, seed=3), found)
    assert not np.array_equal(model.harmonize(melody, count=2, seed=4), found)


def test_the_melody_of_a_piece_is_its_highest_voice(eager):
    crossed = np.array([[60, 64], [62, 60], [0, 61], [63, 0]])
    found = notes_model().harmonize(crossed)
    assert found[0, :, 0].tolist() == [64, 62, 61, 63]


@pytest.mark.slow
def test_drawn_windows_see_what_the_score_sees():
    # All but certain of every note, a model draws what it is least surprised by.
    model = notes_model()
    for weight in model.trainable_variables:
        weight.assign(weight + 0.5 * keras.random.normal(weight.shape, seed=2))
    found = model.generate(1, 3 * STEPS, seed=0, temperature=1e-4)
    symbols = found[0, :STEPS].reshape(-1)
    logits = model({"notes": found[:, :STEPS]})["logits"]
    best = np.argmax(logits[0], axis=-1)
    best = np.where(best > 0, best + LOW - 1, 0)
    np.testing.assert_array_equal(symbols, best)
    begin = STEPS  # the third window goes on from here
    logits = model({"notes": found[:, begin : begin + STEPS]})["logits"]
    best = np.argmax(logits[0], axis=-1)[STEPS:]
    best = np.where(best > 0, best + LOW - 1, 0)
    last = found[0, begin + STEPS // 2 : begin + STEPS].reshape(-1)
    np.testing.assert_array_equal(last, best)


@pytest.mark.slow
def test_the_same_keys_are_drawn_with_xla_and_without():
    model = chord_model()
    plain = model.generate(3, STEPS, seed=2**40 + 1)
    model.jit_generate = True
    found = model.generate(3, STEPS, seed=2**40 + 1)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.generate(beginning=pieces(1, 20), steps=8), "of less than 8"),
        (lambda m: m.generate(beginning=pieces(2, 4), steps=8), "must be one piece"),
        (lambda m: m.generate(steps=2**15), "`steps` must be at most"),
        (lambda m: m.generate(count=0), "`count` must be an int >= 1"),
        (lambda m: m.generate(temperature=0), "`temperature` must be"),
        (lambda m: m.generate(steps=0), "`steps` must be an int >= 1"),
        (lambda m: m.generate(seed=2**63), "`seed` must be an int of 64 bits"),
        (lambda m: m.generate(10**9), "`count` must be at most"),
        (lambda m: m.score(5), "`notes` must be a path of a MIDI file"),
    ],
)
@pytest.mark.parametrize("make", [notes_model, chord_model])
def test_what_cannot_be_made_is_refused(make, call, said):
    with pytest.raises(ValueError, match=said):
        call(make())


def test_a_window_must_have_a_length():
    with pytest.raises(ValueError, match="`target` must have `steps`"):
        NoteLM(GPT(depth=1, width=8, num_heads=2), Notes(2))


@pytest.mark.slow
def test_a_preset_harmonizes_by_itself(tmp_path):
    model = notes_model()
    model.save_to_preset(tmp_path / "preset")
    melody = [LOW, LOW + 2, LOW + 4]
    loaded = from_preset(tmp_path / "preset")
    loaded.jit_generate = False
    np.testing.assert_array_equal(loaded.harmonize(melody), model.harmonize(melody))
    line = np.stack([melody, [0, 0, 0]], axis=1)[None]
    path = loaded.target.write(tmp_path / "a.mid", line)
    again = loaded.harmonize(path, seed=1)
    assert again[0, :, 0].tolist() == melody


def test_pieces_of_any_length_are_learned_from_a_loader():
    splits = chorales.chords(2, stand_in=True)
    model = ChordModel(TCN(depth=1, width=4), splits.kind("notes"))
    model.compile("adam", run_eagerly=True)
    history = model.fit(splits.train.take(2), verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("make", [notes_model, chord_model])
def test_notes_below_the_lowest_are_no_silence(make):
    model = make()
    model.compile("adam", run_eagerly=True)
    notes = np.full((1, model.target.steps or 4, model.target.voices), 60)
    notes[0, 1, 0] = model.target.lowest - 1
    with pytest.raises(ValueError, match="`notes` must be pitches from"):
        model.fit(notes, verbose=0)
