"""Strings of one to six spoken digits, written down by a decoder with attention.

Run:     python train.py asr_digits --data-dir FOLDER
Try:     python -m zoo transcribe asr_digits a.wav b.wav
Aim:     a word error rate below 0.03 on unseen strings

The data, the figures and the control are those of `ctc_digits`. The text is written
token by token, by the same samplers as translations, with four beams.
"""

from keras_genai.networks.speech_encoder_decoder import SpeechEncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _speech
from zoo.entry import Entry

STEPS = 4_000

entry = Entry(
    task=Seq2SeqLM,
    networks=dict(network=SpeechEncoderDecoder),
    given=("mels",),
    config=dict(
        context=8,
        decoder_depth=2,
        width=256,
        num_heads=4,
        strides=(2, 2),
        dropout=0.2,
        augmentation=_speech.AUGMENTATION,
        generation=GenerationSettings(max_length=8, num_beams=4),
    ),
    tiny=dict(decoder_depth=1, width=8, num_heads=2, num_layers=1),
    source=_speech.SOURCE,
    alphabet=True,
    feed=_speech.as_pairs,
    fits=_speech.fits,
    recipe=_speech.recipe(
        STEPS,
        rate=1e-3,
        batch_size=32,
        steps_per_execution=5,
        log_every=50,
        validate_every=500,
    ),
    evaluate=_speech.score,
    sample=_speech.write,
    family="speech",
    paper="Chan et al. 2016, Listen, Attend and Spell, https://arxiv.org/abs/1508.01211",
)
