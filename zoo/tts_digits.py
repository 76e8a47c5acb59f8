"""Six voices that say spelled digits: Matcha-TTS on the Free Spoken Digit Dataset.

Run:     python train.py tts_digits --data-dir FOLDER
Try:     python -m zoo speak tts_digits "four two seven" --speaker theo --out a.wav
Goal:    a recogniser that never heard it understands 90 % of its five-digit utterances.

It reads letters, finds out by itself how long each one sounds, and needs no aligner.
Twenty minutes of sound at 8 kHz cannot give it more words than ten, nor a voice that
could be taken for a person's.
"""

from keras_genai.networks.matcha import Matcha
from keras_genai.tasks.text_to_speech import TextToSpeech
from zoo import _diffusion, _speaking
from zoo.entry import Entry, Recipe

STEPS = 2_000

entry = Entry(
    task=TextToSpeech,
    networks=dict(network=Matcha),
    target="mels",
    given=("tokens", "speakers"),
    config=dict(
        width=96,
        decoder_width=128,
        decoder_depth=6,
        mean=_speaking.MEAN,
        deviation=_speaking.DEVIATION,
    ),
    tiny=dict(width=8, decoder_width=8, decoder_depth=1, depth=1),
    source=_speaking.SOURCE,
    alphabet=True,
    reads=_speaking.spelled,
    fits=_speaking.fits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=16,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=_speaking.score,
    sample=_speaking.speak,
    plot=_speaking.plot,
    family="speech",
    paper="Mehta et al. 2024, https://arxiv.org/abs/2309.03199",
)
