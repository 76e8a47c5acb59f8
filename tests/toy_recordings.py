"""A folder of transcribed recordings as LJSpeech has it: short noise of two people."""

import numpy as np

from keras_genai.files.wav import encode_wav

RATE = 16_000
WORDS = ("Yes", "no", "Why not", "so  be it")
VOICES = ("ann", "bob")


def write(folder, count=20, voices=VOICES):
    """Writes `metadata.csv` and `wavs` of 0.2 s and more; returns the folder.

    Args:
        folder: `pathlib.Path`.
        count: int.
        voices: names of inner folders, in turn; or `("",)`, none.
    """
    draws = np.random.default_rng(0)
    lines = []
    for number in range(count):
        name = f"{voices[number % len(voices)]}/{number:02}".strip("/")
        path = folder / "wavs" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = draws.uniform(-0.5, 0.5, 3_200 + 100 * number)
        path.write_bytes(encode_wav(wave, RATE))
        lines.append(f"{name}|{number}|{WORDS[number % len(WORDS)]}")
    (folder / "metadata.csv").write_text("\n".join(lines), "utf-8")
    return folder
