"""Whisper, the smallest one: what is said in a sound, or its English translation.

Open:  keras_genai.from_preset("openai/whisper-tiny"), or a folder with its files
Use:   python -m zoo transcribe whisper_tiny a.wav --language de --translate
Train: python train.py whisper_tiny --data-dir FOLDER starts from random weights, on
       strings of spoken digits
"""

from keras_genai.networks.whisper import Whisper
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.speech import SpeechSeq2SeqLM
from zoo import _speech, _whisper
from zoo.entry import Entry

STEPS = 300

entry = Entry(
    task=SpeechSeq2SeqLM,
    networks=dict(network=Whisper),
    given=("mels",),
    config=dict(
        vocabulary_size=51865,
        sound_context=1500,
        context=448,
        encoder_depth=4,
        decoder_depth=4,
        width=384,
        num_heads=6,
        generation=GenerationSettings(max_length=448),
    ),
    tiny=dict(
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        generation=GenerationSettings(max_length=8),
    ),
    source=_whisper.digits,
    alphabet=True,
    feed=_speech.as_pairs,
    recipe=_speech.recipe(STEPS, rate=3e-4, batch_size=16),
    evaluate=_speech.score,
    sample=_speech.write,
    family="speech",
    paper="Radford et al. 2022, Whisper, https://arxiv.org/abs/2212.04356",
    hub="openai/whisper-tiny",
)
