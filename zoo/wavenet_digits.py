"""WaveNet on spoken digits: it says the digit it is asked for, in the voice asked for.

Its samples have the voice half of the time and the digit less often: see
docs/results.md.

Run:       python train.py wavenet_digits --data-dir fsdd/recordings
           python -m zoo sample wavenet_digits --label 7 --count 6
"""

from keras_genai.data import sounds
from keras_genai.networks.wavenet import WaveNet
from keras_genai.tasks.waveform import WaveformModel
from zoo import _sound
from zoo.entry import Entry

entry = Entry(
    task=WaveformModel,
    networks=dict(network=WaveNet),
    given=("labels", "speakers"),
    config=dict(
        residual=64,
        gate=128,
        skip=256,
        embedding=16,
        moments=20,  # one second, at 8 kHz
        hop=400,
        label_dropout=0.1,
    ),
    tiny=dict(dilations=(1, 2), residual=4, gate=4, skip=4, embedding=2, moments=2),
    source=sounds.spoken_digits,
    recipe=_sound.recipe(30_000),
    evaluate=_sound.score,
    sample=_sound.draw,
    family="sound",
    paper="van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio",
    notes="The figures are nats of the 8-bit mu-law code of a sample, of the 300 test "
    "recordings. What is said and by whom costs ln 60 nats a recording, 0.001 a "
    "sample, so that the loss does not tell whether a model does what it is asked: "
    "that is what the classifiers are for.",
)
