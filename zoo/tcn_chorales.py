"""TCN on chorales of Bach in quarters: 88 keys, independent given all frames before.

Run:       python train.py tcn_chorales --data-dir FOLDER
Reference: 8.10 nats a frame of the test (Bai et al. 2018, table 1, 300k parameters;
           these are 534k, as validation chose).

FOLDER has JSB_Chorales.mat, itself or in its folder music.
"""

import functools

from keras_genai.data import chorales
from keras_genai.networks.tcn import TCN
from keras_genai.tasks.chords import ChordModel
from zoo import _music
from zoo.entry import Entry

STEPS = 2_900  # a hundred epochs

entry = Entry(
    task=ChordModel,
    networks=dict(network=TCN),
    config=dict(depth=2, width=220, kernel_size=3, dropout=0.6),
    tiny=dict(depth=1, width=8),
    source=functools.partial(chorales.chords, name="jsb"),
    recipe=_music.chord_recipe(STEPS),
    evaluate=_music.score_frames,
    sample=functools.partial(_music.play, steps=64),
    family="music",
    paper="Bai et al. 2018, An Empirical Evaluation of Generic Convolutional and "
    "Recurrent Networks for Sequence Modeling, https://arxiv.org/abs/1803.01271",
    reference="8.10 nats a frame, keys independent (Bai et al. 2018, table 1)",
    notes=_music.OF_FRAMES,
)
