"""A vocoder: WaveNet makes the waves of log-mel spectrograms of spoken digits.

It has not been trained yet.

Run:       python train.py vocoder_digits --data-dir FOLDER
           python -m zoo sample vocoder_digits --data-dir FOLDER --out again.wav
Control:   `log_mel_distance_griffin_lim`, of the same spectrograms with nothing
           trained; `log_mel_distance_other`, to another recording
"""

import functools

from keras_genai.data import sounds
from keras_genai.networks.wavenet import WaveNet
from keras_genai.tasks.waveform import WaveformModel
from zoo import _sound, _vocoder
from zoo.entry import Entry

entry = Entry(
    task=WaveformModel,
    networks=dict(network=WaveNet),
    given=("mels",),
    config=dict(residual=32, gate=64, skip=128, embedding=64),
    tiny=dict(dilations=(1, 2), residual=4, gate=4, skip=4, embedding=2),
    source=functools.partial(
        sounds.spoken_digits, mel=_vocoder.MEL, crop=4_000, tail=0
    ),
    recipe=_sound.recipe(4_000),
    evaluate=_vocoder.score,
    sample=_vocoder.draw,
    family="sound",
    paper="van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio; Shen "
    "et al. 2018 (told spectrograms), https://arxiv.org/abs/1712.05884",
    notes="Spectrograms are those of the model's own `Mel`, told in frames of 10 ms. "
    "Distances are of other log-mels, which neither it nor Griffin and Lim's method "
    "was told, over 300 test recordings.",
)
