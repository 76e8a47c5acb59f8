"""Whether a file says what the model says: asked before an export counts as made."""

import numpy as np

# Of the largest number, as rounding in another runtime has it.
TOLERANCE = 1e-3


class ExportError(ValueError):
    """A model that cannot be exported so, or a file that says something else."""


def compare(endpoint, found, where):
    """Raises unless a file has said what the model says.

    Args:
        endpoint: `Endpoint`.
        found: dict of arrays, what the file has said to `endpoint.example`.
        where: str, what reads the file.

    Raises:
        ExportError: if something is missing, of another shape, or another number.
    """
    for name, wanted in endpoint.expected(endpoint.example).items():
        if name not in found:
            raise ExportError(
                f"`{endpoint.name}` has no {name} in {where}, but {', '.join(found)}"
            )
        got = np.asarray(found[name])
        if got.shape != wanted.shape:
            raise ExportError(
                f"`{endpoint.name}` gives {name} of shape {got.shape} in {where}, and "
                f"{wanted.shape} here"
            )
        if not same(got, wanted):
            gap = np.abs(got.astype("float64") - wanted.astype("float64")).max()
            raise ExportError(
                f"`{endpoint.name}` gives another {name} in {where} than here: they "
                f"differ by up to {gap:.3g}"
            )


def same(found, wanted):
    """Whether arrays are equal: ints all of them, floats but for rounding."""
    if wanted.dtype.kind in "iub":
        return bool(np.array_equal(found, wanted))
    if not np.isfinite(found).all():
        return False
    largest = max(1.0, float(np.abs(wanted).max(initial=0)))
    return bool(np.abs(found - wanted).max(initial=0) <= TOLERANCE * largest)
