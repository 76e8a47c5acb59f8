"""Texts as sound, by the program espeak-ng, each kept as a file."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from keras_genai.files.sound import read_sound
from keras_genai.files.text import open_regular
from keras_genai.files.wav import HEADER, encode_wav, header
from keras_genai.files.writing import text_hash, write_bytes

PROGRAM = "espeak-ng"
_PATIENCE = 60  # seconds that a text may take
_LONGEST = 120  # seconds of a sound
_DIGITS = 32  # of the hash that is a file's name


def program():
    """The path of espeak-ng.

    Raises:
        FileNotFoundError: if it is not installed.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise FileNotFoundError(
            f"{PROGRAM} must be installed, which speaks the texts: apt install "
            f"{PROGRAM}, brew install {PROGRAM}, or "
            "https://github.com/espeak-ng/espeak-ng. Received: none on the PATH"
        )
    return found


def speak(text, folder, rate, voice="de", speed=175):
    """A text, spoken, as a WAV file of one channel and 16 bits.

    The name of the file says what is in it: one that is there is not made again, and
    needs no espeak-ng.

    Args:
        text: str.
        folder: `pathlib.Path`, which exists. The file appears whole or not at all.
        rate: int, Hz.
        voice: str, one of espeak-ng's, such as `"de"` or `"de+f2"`.
        speed: int, words a minute.

    Returns:
        `(path, samples)`: `pathlib.Path` of the file, and int, how long it is.

    Raises:
        FileNotFoundError: if espeak-ng is needed and not installed.
        ValueError: if it cannot speak this, or if a file is in the folder that was not
            written here.
    """
    name = text_hash(f"{rate} {speed} {voice} {text}")[:_DIGITS]
    path = folder / f"{name}.wav"
    if not os.path.lexists(path):
        write_bytes(path, encode_wav(_waves(text, rate, voice, speed), rate))
    return path, samples(path, rate)


def samples(path, rate):
    """How long a file of `speak` is: int, samples, from its header alone.

    Raises:
        ValueError: if it is none.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        count = (size - HEADER) // 2
        good = 0 < count <= _LONGEST * rate and size == HEADER + 2 * count
        if not good or file.read(HEADER) != header(count, rate):
            raise ValueError(
                f"{path} must be a sound as {PROGRAM} was heard, 16 bits at {rate:,} "
                f"Hz; it is made again if you remove it. Received: {size:,} bytes "
                "of something else"
            )
    return count


def _waves(text, rate, voice, speed):
    """float32 `(T,)`: what espeak-ng makes of a text."""
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder, "spoken.wav")
        options = ["-b", "1", "-v", voice, "-s", str(speed), "-w", os.fspath(made)]
        try:
            done = subprocess.run(
                [program(), *options, "--stdin"],
                input=text.encode(),
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(
                f"{PROGRAM} must speak a text within {_PATIENCE} seconds. "
                f"Received: none of {text[:40]!r}"
            ) from None
        if done.returncode or not made.is_file():
            said = " ".join(done.stderr.decode(errors="replace").split())[:200]
            raise ValueError(
                f"`voice` must be one that {PROGRAM} speaks {text[:40]!r} with. "
                f"Received: {voice}: {said or f'exit code {done.returncode}'}"
            )
        return read_sound(made, rate)
