"""The record of weights that ship; apart, so that commands start without pydantic."""

import pydantic


class Shipped(pydantic.BaseModel):
    """What is recorded about weights that ship.

    Args:
        dtype: how most bytes of numbers are stored, as NumPy calls it.
        size: bytes of all files.
        sha256: of each file, by its name.
        data: what it was trained on.
        licence: of that data, and where it says so.
        metric: what the entry is scored by.
        trained: the score of the run that the weights are from.
        shipped: the score measured again from the files here.
        tolerance: how much worse it may be, as a share of `trained`.
        date: when it was measured, ISO 8601.
        seed: of the run.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    dtype: str
    size: int
    sha256: dict[str, str]
    data: str
    licence: str
    metric: str
    trained: float
    shipped: float
    tolerance: float
    date: str
    seed: int = 0
