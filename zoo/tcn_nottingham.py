"""TCN on folk tunes with chords, in eighths: 88 keys, independent given all before.

Run:       python train.py tcn_nottingham --data-dir FOLDER
Reference: 3.07 nats a frame of the test (Bai et al. 2018, table 1, 1M parameters).

FOLDER has Nottingham.mat, itself or in its folder music.
"""

import functools

from keras_genai.data import chorales
from keras_genai.networks.tcn import TCN
from keras_genai.tasks.chords import ChordModel
from zoo import _music
from zoo.entry import Entry

STEPS = 3_500  # forty epochs

entry = Entry(
    task=ChordModel,
    networks=dict(network=TCN),
    config=dict(depth=4, width=150, kernel_size=6, dropout=0.2),
    tiny=dict(depth=1, width=8),
    source=functools.partial(chorales.chords, name="nottingham"),
    recipe=_music.chord_recipe(STEPS),
    evaluate=_music.score_frames,
    sample=functools.partial(_music.play, steps=64),
    family="music",
    paper="Bai et al. 2018, An Empirical Evaluation of Generic Convolutional and "
    "Recurrent Networks for Sequence Modeling, https://arxiv.org/abs/1803.01271",
    reference="3.07 nats a frame, keys independent (Bai et al. 2018, table 1)",
    notes=_music.OF_FRAMES,
)
