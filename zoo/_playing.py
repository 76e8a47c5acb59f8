"""What people use models of music for: the verbs `continue` and `harmonize`."""

from zoo._command import output_file, write
from zoo._opening import locate, open_model

STEPS = 64  # that are added to a beginning


def continue_(options):
    """Goes on with the music of a MIDI file, which is moved to the grid of the model.

    The result is a MIDI file, beginning included; its sound and its piano roll lie
    beside it.
    """
    model, out = _open(options, "continue")
    known = model.target.read_any(options.file, "file")
    value = model.generate(
        options.count,
        steps=known.shape[1] + (options.steps or STEPS),
        beginning=known,
        seed=options.seed,
        temperature=options.temperature,
    )
    write(model.target, out, value)


def harmonize(options):
    """Sets voices below a melody, the highest notes of a MIDI file.

    The result is a MIDI file; its sound and its piano roll lie beside it.
    """
    model, out = _open(options, "harmonize")
    value = model.harmonize(
        options.file,
        options.count,
        seed=options.seed,
        temperature=options.temperature,
    )
    write(model.target, out, value)


def _open(options, verb):
    """The model, and the path of what it will make."""
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, verb, options.weights)
    suffix = model.target.suffix
    name = f"{verb}{suffix}" if options.out is None else options.out
    return model, output_file(name, "--out", suffix)
