"""What a trained model says, into a file that people play: the verb `speak`."""

from zoo._command import input_lines, output_file
from zoo._opening import locate, open_model

OUT = "speech.wav"


def speak(options):
    """Says texts into a WAV file, one after the other."""
    out = output_file(options.out or OUT, "--out")
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "speak", options.int8)
    texts = options.text or [line.strip() for line in input_lines() if line.strip()]
    if not texts:
        raise ValueError("`TEXT` must be given, or a line of standard input for each")
    waves = model.speak(texts, options.speaker, speed=options.speed, seed=options.seed)
    path = model.target.write(out, waves)
    seconds = sum(len(wave) for wave in waves) / model.target.rate
    print(f"{seconds:.1f} seconds in {path}")
