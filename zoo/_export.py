"""A trained model as a file that other programs read: the verb `export`."""

from zoo._opening import locate
from zoo._quiet import start_tensorflow

FORMATS = ("savedmodel", "litert", "onnx", "gguf")
DTYPES = ("f32", "f16", "q8_0")


def export(options):
    """Writes a trained model as a file or folder that runs without this library.

    It is read again and compared before success is reported; a line says what can be
    called in it, and another one what was left out and why.
    """
    place = locate(options.name, options.preset)
    start_tensorflow()
    from keras_genai import from_preset

    model = from_preset(place)
    exported = model.export_to(
        options.out,
        options.format,
        steps=options.steps,
        endpoint=options.endpoint,
        dtype=options.dtype,
    )
    print(f"{options.format} in {exported.path}")
    for line in exported.lines:
        print(f"  {line}")
