import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.layers import adapters
from keras_genai.modalities import Mel, Text
from keras_genai.networks.whisper import Whisper
from keras_genai.samplers import Greedy, NotFirst
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.speech import SpeechPrompt, SpeechSeq2SeqLM

RATE, FRAMES = 1_000, 20
MEL = Mel(RATE, window=40, hop=20, bands=6, drop_last=True, length=FRAMES)
LETTERS = tokenizers.characters("abcd", end_token="<|end|>", pad_token="<|pad|>")
TOKENS = LETTERS.with_tokens(
    ["<|start|>", "<|en|>", "<|de|>", "<|transcribe|>", "<|translate|>", "<|plain|>"]
)
START, EN, DE, TRANSCRIBE, TRANSLATE, PLAIN = range(6, 12)
PROMPT = SpeechPrompt(("en", "de"), (EN, DE), TRANSCRIBE, TRANSLATE, PLAIN)


def made(prompt=PROMPT, scale=1.0, **settings):
    keras.utils.set_random_seed(0)  # some weights hear the same in all sounds
    network = Whisper(
        sound_context=FRAMES // 2,
        context=16,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
    )
    generation = GenerationSettings(
        **{
            "max_length": 8,
            "decoder_start_token": START,
            # What is written is four letters.
            "suppress_tokens": range(TOKENS.pad_token, 12),
            **settings,
        }
    )
    model = SpeechSeq2SeqLM(
        network, Text(TOKENS), MEL, generation=generation, prompt=prompt
    )
    draws = np.random.default_rng(0)
    for weight in network.trainable_variables:  # away from what all sounds alike
        weight.assign_add(draws.normal(0, scale, weight.shape))
    model.jit_generate = False
    return model


@pytest.fixture(scope="module")
def model():
    return made()


def sound(seconds):
    """The same noise for as many seconds, whichever tests ran before."""
    draws = np.random.default_rng(int(1_000 * seconds))
    return draws.uniform(-0.5, 0.5, int(seconds * RATE)).astype("float32")


def test_a_prompt_is_language_task_and_no_times():
    assert PROMPT.tokens("de") == [DE, TRANSCRIBE, PLAIN]
    assert PROMPT.tokens("en", translate=True) == [EN, TRANSLATE, PLAIN]
    assert SpeechPrompt(no_timestamps=PLAIN).tokens() == [PLAIN]
    with pytest.raises(ValueError, match=r"`language` must be one of en, de\. Rec"):
        PROMPT.tokens("fr")
    with pytest.raises(ValueError, match="`translate` must be False"):
        SpeechPrompt(no_timestamps=PLAIN).tokens(translate=True)
    with pytest.raises(ValueError, match=r"knows one\. Received: 'de'"):
        SpeechPrompt(no_timestamps=PLAIN).tokens("de")


def test_a_long_sound_is_heard_window_by_window(model, eager):
    first, second = sound(0.4), 1e-3 * sound(0.3)
    alone = model.transcribe([first, second], language="de")
    assert len({*alone}) == 2
    both = model.transcribe(np.concatenate([first, second]), language="de")
    assert both == " ".join(alone)
    # What is left over of 0.4 seconds is too short to be heard.
    longer = np.concatenate([first, sound(0.05)])
    assert model.transcribe(longer, language="de") == alone[0]
    assert len(model.transcribe([sound(0.05)], language="de")) == 1


@pytest.mark.slow
def test_windows_are_the_same_in_any_company(model, eager):
    sounds = [sound(seconds) for seconds in (0.2, 0.9, 0.4)]
    together = model.transcribe(sounds, language="en")
    assert together == [model.transcribe(each, language="en") for each in sounds]
    assert together == model.transcribe(sounds, language="en", batch_size=1)


def test_a_language_that_is_not_named_is_detected(model, eager):
    heard = sound(0.4)
    language = model.detect_language(heard)
    assert model.transcribe(heard) == model.transcribe(heard, language=language)
    mels = MEL.read([heard])
    mask, start = np.ones(mels.shape[:2], bool), np.array([[START]])
    logits = model({"inputs": mels, "inputs_mask": mask, "targets": start})
    likelier = np.asarray(logits)[0, 0, [EN, DE]].argmax()
    assert language == ["en", "de"][likelier]


@pytest.mark.slow
def test_no_text_begins_with_what_is_suppressed_there(eager):
    model, heard = made(), sound(0.4)
    first = model.transcribe(heard, language="en")[0]
    (token,) = TOKENS.encode(first)
    other = made(begin_suppress_tokens=[int(token)])
    other.set_weights(model.get_weights())
    found = other.transcribe(heard, language="en")
    assert found[:1] != first
    rules = [*model.generation.rules(begin=4), NotFirst([int(token)], begin=4)]
    assert other.transcribe(heard, Greedy(rules), language="en") == found


@pytest.mark.slow
def test_an_adapter_learns_what_is_said():
    model = made(scale=0.3)
    pairs = [(sound(0.4), "abca"), (sound(0.3), "dd")]
    loader = model.loader(pairs, batch_size=2, language="de", shuffle=False)
    features, labels, weight = next(iter(loader))
    assert features["targets"][1].numpy().tolist()[:6] == [
        *(START, DE, TRANSCRIBE, PLAIN),
        *TOKENS.encode("dd"),
    ]
    assert labels[1].numpy().tolist()[:6] == [
        *(DE, TRANSCRIBE, PLAIN),
        *TOKENS.encode("dd"),
        TOKENS.end_token,
    ]
    assert weight[1].numpy().sum() == 6
    adapters.add(model, rank=4)
    model.compile("adam", jit_compile=False)
    model.optimizer.learning_rate = 0.03
    history = model.fit(loader, epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="Mel with a `length`"):
        SpeechSeq2SeqLM(model.network, Text(TOKENS), Mel(RATE, 40, 20, 6))
    with pytest.raises(ValueError, match="`prompt` must be of tokens below 12"):
        made(SpeechPrompt(("en",), (12,)))
    with pytest.raises(ValueError, match="`language_tokens` must be 1, one for each"):
        SpeechPrompt(("en",))
    with pytest.raises(ValueError, match="`sounds` must have at least one sample"):
        model.transcribe([])
    with pytest.raises(ValueError, match="`max_length` must be above 4, the start"):
        model.transcribe(sound(0.1), max_length=4, language="de")
    with pytest.raises(ValueError, match="must have 20 frames"):
        model.network.encode(np.zeros((1, 18, 6), "float32"))
