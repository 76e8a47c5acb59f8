"""What lies between a reference and its policies: the verb `frontier`."""

import json

import zoo
from zoo._command import output_file
from zoo._quiet import start_tensorflow

COLUMNS = ("kl", "reward", "praise")


def frontier(options):
    """Scores policies, and what lies between them and their reference, by its reward.

    Each policy is a curve: its weights are interpolated from the reference to it. The
    best of n that the reference writes is the curve to compare with. The points are
    printed, and written as JSON beside the picture.
    """
    picture = output_file(options.picture, "--picture", ".png")
    for name in options.names:
        zoo.describe(name)  # an unknown one ends here, with the nearest
    start_tensorflow()
    from keras_genai.files.writing import write_bytes, write_text
    from zoo import _frontier_picture, _frontier_points

    found = _frontier_points.measured(options.names, options.data_dir)
    write_text(picture.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    write_bytes(picture, _frontier_picture.picture(found))
    print("\n".join(lines(found)))


def lines(found):
    """Yields a line of the table of points, `found` as `measured` returns it."""
    yield f"{'':32}" + "".join(f"{name:>10}" for name in COLUMNS)
    for name, points in found["policies"].items():
        for point in points:
            yield _line(f"{name} {point['share']:.2f}", point)
    for point in found["best_of"]:
        yield _line(f"best of {point['count']}", point)


def _line(title, point):
    return f"{title:32}" + "".join(f"{point[name]:10.4f}" for name in COLUMNS)
