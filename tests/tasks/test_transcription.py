"""Tasks that hear: batches, losses, transcripts of files, from a preset alone."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.files.wav import encode_wav
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.text import Text
from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.networks.speech_encoder_decoder import SpeechEncoderDecoder
from keras_genai.samplers import Beam
from keras_genai.samplers.ctc import BestPath, PrefixBeam
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.transcription import CTC

RATE = 8_000
PITCHES = {"a": 500.0, "b": 1_200.0, "c": 2_600.0}  # Hz
LETTER, GAP = 800, 400  # samples
MEL = Mel(RATE, 256, 80, 12, normalization="utterance")
TEXTS = ("a", "ab", "ca", "bcb", "acc", "b", "cab", "aa")


def spoken(text):
    """A tone for each letter, and silence around it."""
    time = np.arange(LETTER) / RATE
    parts = [np.zeros(GAP)]
    for letter in text:
        tone = np.sin(2 * np.pi * PITCHES[letter] * time)
        parts += [0.5 * tone, np.zeros(GAP)]
    return np.concatenate(parts).astype("float32")


def tokens(**roles):
    """Tokens of letters; 0 is padding, and so the blank."""
    return Text(tokenizers.characters("\0abc", pad_token="\0", **roles))


def recogniser():
    network = DeepSpeech2(filters=16, units=12, num_layers=1, dropout=0.0)
    return CTC(network, tokens(), MEL)


def writer():
    network = SpeechEncoderDecoder(
        context=8, decoder_depth=1, width=16, num_heads=2, dropout=0.0
    )
    settings = GenerationSettings(max_length=8)
    text = tokens(start_token="<s>", end_token="</s>")
    return Seq2SeqLM(network, text, MEL, generation=settings)


@pytest.fixture(scope="module")
def sounds():
    return [spoken(text) for text in TEXTS]


@pytest.fixture(scope="module")
def trained(sounds):
    """A `CTC` that has learned the texts by heart."""
    model = recogniser()
    model.compile("adam")
    model.optimizer.learning_rate = 1e-2
    data = model.loader(list(zip(sounds, TEXTS, strict=True)), batch_size=8)
    history = model.fit(data, epochs=160, verbose=0).history
    assert history["infeasible"] == [0.0] * 160
    return model


@pytest.mark.slow
def test_what_is_said_is_learned_and_read_from_a_preset_alone(
    trained, sounds, tmp_path
):
    assert trained.transcribe(sounds) == [*TEXTS]
    trained.save_to_preset(tmp_path / "preset")
    paths = []
    for name, sound in zip(TEXTS, sounds, strict=True):
        paths.append(tmp_path / f"{name}.wav")
        paths[-1].write_bytes(encode_wav(sound, RATE))
    model = from_preset(tmp_path / "preset")
    assert model.transcribe(paths) == [*TEXTS]
    assert model.transcribe(str(paths[2])) == "ca"
    assert model.transcribe(paths, PrefixBeam(width=4), batch_size=3) == [*TEXTS]


@pytest.mark.slow
def test_a_language_model_has_a_say(trained, sounds):
    class Never:
        """Who has never read an a."""

        def log_probabilities(self, tokens):
            return np.where(tokens == 1, -1e6, -1.0)

    beam = PrefixBeam(width=30, language=Never(), weight=1.0, least=0)
    assert "a" not in "".join(trained.transcribe(sounds, beam))


def test_a_sound_is_read_as_if_it_were_alone(sounds, eager):
    model = recogniser()
    mels = MEL.read(sounds)
    together = model.scores(mels)
    for mel, scores in zip(mels[:3], together, strict=False):
        (alone,) = model.scores([mel])
        assert len(alone) == model.network.frame_count(len(mel))
        np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_batches_have_true_lengths_and_symbols_above_the_blank(sounds):
    model = recogniser()
    pairs = list(zip(sounds[:3], TEXTS[:3], strict=True))
    (batch,) = model.loader(pairs, batch_size=3, shuffle=False)
    np.testing.assert_array_equal(batch["tokens"], [[1, 0], [1, 2], [3, 1]])
    frames = [MEL.frame_count(len(sound)) for sound in sounds[:3]]
    np.testing.assert_array_equal(batch["frames"], frames)
    assert batch["mels"].shape == (3, max(frames), 12)


def test_rows_without_room_for_their_text_are_counted(sounds):
    model = recogniser()
    model.compile("sgd", run_eagerly=True)
    rows = [(MEL.read(sounds[0])[0], [1, 2]), (np.zeros((3, 12), "float32"), [1, 2, 3])]
    found = model.evaluate(model.collate(rows), verbose=0, return_dict=True)
    assert found["infeasible"] == 0.5
    assert np.isfinite(found["loss"])


def test_what_is_no_batch_is_refused(sounds):
    model = recogniser()
    model.compile("sgd")
    batch = model.collate([(MEL.read(sounds[0])[0], [1])])
    with pytest.raises(ValueError, match="`tokens` must be ints from 0 to 3"):
        model.fit({**batch, "tokens": np.array([[4]])}, verbose=0)
    with pytest.raises(ValueError, match="`mels` must be finite float of shape"):
        model.fit({**batch, "mels": batch["mels"][..., :5]}, verbose=0)
    with pytest.raises(ValueError, match="`given` must be one modality"):
        CTC(DeepSpeech2(), tokens(), Mel(RATE, 256, 80, 12, length=9))
    with pytest.raises(ValueError, match="`target` must have a tokenizer with padd"):
        CTC(DeepSpeech2(), Text(tokenizers.characters("abc")), MEL)
    with pytest.raises(TypeError, match="`decoder` must be a BestPath"):
        model.transcribe(sounds[0], decoder="greedy")


@pytest.mark.slow
def test_texts_are_written_from_sounds_by_every_sampler(sounds, eager):
    model = writer()
    assert model.verbs == ("transcribe",)
    model.generation = GenerationSettings(max_length=5)
    texts = model.transcribe(sounds[:3], batch_size=2)
    assert len(texts) == 3
    assert all(isinstance(text, str) for text in texts)
    # The same of each alone.
    assert model.transcribe(sounds[1]) == texts[1]
    (beam,) = model.generate([sounds[0]], sampler=Beam(2))
    assert isinstance(beam, str)
    pieces = model.generate(sounds[0], stream=True)
    assert "".join(pieces) == texts[0]


@pytest.mark.slow
def test_a_writer_learns_what_it_hears(sounds, tmp_path):
    model = writer()
    model.compile("adam")
    model.optimizer.learning_rate = 5e-3
    data = model.loader(list(zip(sounds, TEXTS, strict=True)), batch_size=8)
    model.fit(data, epochs=160, verbose=0)
    model.jit_generate = False
    assert model.transcribe(sounds) == [*TEXTS]
    model.save_to_preset(tmp_path / "preset")
    model = from_preset(tmp_path / "preset")
    model.jit_generate = False
    assert model.transcribe(sounds[3]) == TEXTS[3]


def test_text_is_not_transcribed():
    from keras_genai.networks.encoder_decoder import EncoderDecoder

    network = EncoderDecoder(
        context=8, encoder_depth=1, decoder_depth=1, width=8, num_heads=2
    )
    model = Seq2SeqLM(network, tokens(start_token="<s>", end_token="</s>"))
    assert "transcribe" not in model.verbs
    with pytest.raises(ValueError, match="`given` must be sounds"):
        model.transcribe("a")


def test_decoders_are_chosen_by_who_transcribes():
    scores = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert len(BestPath().decode(scores)) == 0


def heard(count=2):
    """A batch of that many short sounds, and what it takes for fit."""
    rows = [np.zeros((9, 12), "float32")] * count
    return {"mels": np.stack(rows), "frames": np.full(count, 9, "int32")}


def test_who_predicts_has_no_tokens():
    model = recogniser()
    model.compile("adam", run_eagerly=True)
    logits = model.predict(heard(), verbose=0)
    np.testing.assert_array_equal(logits, model.predict_on_batch(heard()))
    with pytest.raises(ValueError, match=r"a dict with \['frames', 'mels', 'tokens'\]"):
        model.fit(heard(), verbose=0)


def test_more_frames_than_a_batch_has_are_refused():
    model = recogniser()
    model.compile("adam", run_eagerly=True)
    batch = {**heard(), "tokens": np.ones((2, 2), "int32")}
    batch["frames"] = batch["frames"] + np.array([0, 1], "int32")
    said = "`frames` must be ints from 1 to the steps of `mels`.*from 9 to 10"
    for data in (batch, tf.data.Dataset.from_tensors(batch)):
        with pytest.raises(ValueError, match=said):
            model.fit(data, verbose=0)


@pytest.mark.parametrize(
    ("sounds", "said"),
    [
        ([], "`sounds` must be at least one"),
        (np.zeros(0, "float32"), "`sounds` must be at least one"),
        (None, "`sounds` must be a path, samples"),
        (5, "`sounds` must be a path, samples"),
        (b"abc", "`sounds` must be a path, samples"),
        (np.zeros((80, 2), "float32"), "channels are mixed"),
        (
            [np.zeros((9, 3), "float32")],
            r"`sounds` must be .* of shape \(batch, frames, 12",
        ),
    ],
)
def test_what_is_no_sound_is_refused_by_its_name(sounds, said):
    for model in (recogniser(), writer()):
        with pytest.raises(ValueError, match=said):
            model.transcribe(sounds)
