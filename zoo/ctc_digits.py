"""Strings of one to six spoken digits, understood by CTC.

Run:     python train.py ctc_digits --data-dir FOLDER
Try:     python -m zoo transcribe ctc_digits a.wav b.wav
Speaker: python train.py ctc_digits --data-dir FOLDER --set left_out=theo
Aim:     a word error rate below 0.03 on unseen strings, 0.99 of single digits; with a
         speaker left out 0.85 of his digits, where the nearest neighbour has 0.66

FOLDER has the Free Spoken Digit Dataset. The strings are made of its recordings, with
gaps, another speed, loudness and noise each; those of the test of takes that never
train. Control: `shuffled_word_error_rate` compares each transcript with the text of
another string.
"""

from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.tasks.transcription import CTC
from zoo import _speech
from zoo.entry import Entry

entry = Entry(
    task=CTC,
    networks=dict(network=DeepSpeech2),
    given=("mels",),
    config=dict(
        filters=128,
        strides=(1, 2, 2),
        units=128,
        num_layers=2,
        dropout=0.3,
        augmentation=_speech.AUGMENTATION,
    ),
    tiny=dict(filters=6, units=4, num_layers=1),
    source=_speech.SOURCE,
    alphabet=True,
    recipe=_speech.ctc_recipe(3_000, 2e-3, batch_size=32, validate_every=250),
    evaluate=_speech.score,
    sample=_speech.write,
    family="speech",
    paper="Graves et al. 2006, Connectionist Temporal Classification",
    reference="no published figure of strings of FSDD; nearest neighbour 0.960 a digit",
)
