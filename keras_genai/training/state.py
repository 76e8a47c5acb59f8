"""What a checkpoint of a run holds beside arrays."""

from typing import Any

import pydantic


class Best(pydantic.BaseModel):
    """The step of the lowest validation loss, and whether its weights were kept."""

    model_config = pydantic.ConfigDict(strict=True)

    step: int
    value: float
    kept: bool


class RunState(pydantic.BaseModel):
    """The schema of the `extra` of a run's checkpoints.

    Attributes:
        step: int. Finished steps.
        seconds: float. Time spent training.
        best: `Best` or `None`.
        stopped: bool. Whether a callback ended the run.
        callbacks: dict of the states of callbacks.
        compiled: dict or `None`, of `Compiled`; earlier versions had none.
        rates: dict of learning rates at that step.
    """

    model_config = pydantic.ConfigDict(strict=True)

    step: int
    seconds: float
    best: Best | None
    stopped: bool
    callbacks: dict[str, Any]
    compiled: dict[str, Any] | None = None
    rates: dict[str, float] = {}
