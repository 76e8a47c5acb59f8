"""What a trained model says, into a file that people play: the verb `speak`."""

from zoo._command import input_lines, output_file
from zoo._opening import locate, open_model

OUT = "speech.wav"


def speak(options):
    """Says texts into a WAV file, one after the other.

    The picture shows the first ones: which letter each moment belongs to, and how loud
    it is in each band of pitch.
    """
    out = output_file(OUT if options.out is None else options.out, "--out", ".wav")
    picture = options.picture
    if picture is not None:
        picture = output_file(picture, "--picture", ".png")
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "speak", options.weights)
    from keras_genai.progress import watched

    texts = options.text or [line.strip() for line in input_lines() if line.strip()]
    if not texts:
        raise ValueError("`TEXT` must be given, or a line of standard input for each")
    texts = [_written(text, model, options.name) for text in texts]
    mels = model.generate(
        texts, options.speaker, speed=options.speed, seed=options.seed
    )
    shown = None if len(mels) > 1 else False
    waves = [model.target.heard(mel) for mel in watched(mels, "text", shown)]
    path = model.target.write(out, waves)
    if picture is not None:
        _draw(picture, model, texts, mels, options.speaker)
    seconds = sum(len(wave) for wave in waves) / model.target.rate
    print(f"{seconds:.1f} seconds in {path}")


def _written(text, model, name):
    """A text as it is, or where the model cannot read that, as its data are written."""
    from zoo._tasks import entry_of

    entry = entry_of(name, model.name)
    try:
        model.tokenizer.encode(text)
    except ValueError:
        if entry is None or entry.reads is None:
            raise
        return entry.reads(text)
    return text


def _draw(path, model, texts, mels, speaker):
    from keras_genai.evaluation.alignment_plot import plot_alignment
    from keras_genai.files.writing import write_bytes

    write_bytes(path, plot_alignment(model, texts, mels, speaker))
