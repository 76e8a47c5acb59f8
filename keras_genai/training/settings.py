"""How often a run logs, saves and validates, and what of it is kept."""

import dataclasses

from keras_genai.checks import check_flag, check_integer, check_number

MOST_STEPS = 2**31 - 1
_COUNTS = ("log_every", "keep")
_OPTIONAL_COUNTS = (
    *("steps_per_execution", "save_every", "validate_every", "validation_steps"),
)
_FLAGS = ("keep_best", "restore_best", "progress")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of a run that do not change its results.

    Args:
        steps_per_execution: int or `None`. Steps per call of the train function; it
            is lowered until it divides every interval. `None`: as compiled.
        log_every: int. Steps per log line.
        save_every: int or `None`. Most steps between checkpoints.
        save_seconds: float or `None`. Most seconds between checkpoints.
        validate_every: int or `None`. A multiple of `log_every`; `None`: at the end.
        validation_steps: int or `None`. At most so many batches each time.
        keep: int. Checkpoints to keep.
        keep_best: bool. Keep the weights of the lowest validation loss.
        restore_best: bool. End with those weights. Implies `keep_best`.
        progress: bool. Show a bar on a terminal, occasional lines elsewhere.

    Raises:
        TypeError: if a value is of a wrong type.
        ValueError: if it is out of range.
    """

    steps_per_execution: int | None = None
    log_every: int = 50
    save_every: int | None = 500
    save_seconds: float | None = 300
    validate_every: int | None = None
    validation_steps: int | None = None
    keep: int = 3
    keep_best: bool = False
    restore_best: bool = False
    progress: bool = True

    @classmethod
    def of(cls, settings):
        """Those of a dict by name.

        Raises:
            TypeError: if there is no setting of a name.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(settings.keys() - set(known))
        if unknown:
            raise TypeError(
                f"A setting of a run must be one of {', '.join(known)}. "
                f"Received: {', '.join(unknown)}"
            )
        return cls(**settings)

    def __post_init__(self):
        given = {name: getattr(self, name) for name in _OPTIONAL_COUNTS}
        for name, value in given.items():
            if value is not None:
                check_count(name, value)
        for name in _COUNTS:
            check_count(name, getattr(self, name))
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        if self.save_seconds is not None:
            allowed = "`None` or a number of at least 0"
            check_number("save_seconds", self.save_seconds, allowed, _is_not_negative)

    def check(self, steps):
        """Raises a `ValueError` if a run of so many steps cannot be divided so."""
        apart = self.validate_every
        if apart and apart < steps and apart % self.log_every:
            raise ValueError(
                "`validate_every` must be `None` or a multiple of `log_every`. "
                f"Received: validate_every={apart}, log_every={self.log_every}"
            )


def _is_not_negative(value):
    return value >= 0


def check_run(splits, steps, seed):
    """Raises `ValueError` or `TypeError` unless these can be those of a run."""
    check_splits(splits, ("dataset", "batch_size"))
    check_count("steps", steps)
    check_integer("seed", seed, 0)


def check_splits(splits, needed):
    """Raises `ValueError` unless `splits.train` has what a run needs of it."""
    train = getattr(splits, "train", None)
    missing = [name for name in needed if not hasattr(train, name)]
    if train is None or missing or not hasattr(splits, "validation"):
        raise ValueError(
            "`splits` must be `Splits`, whose `train` has "
            f"{' and '.join(f'`{name}`' for name in needed)}. Received: "
            f"{' '.join(repr(splits).split())[:80]}"
        )


def check_count(name, value):
    """Raises unless `value` is an int from 1 to `MOST_STEPS`."""
    check_integer(name, value, 1)
    if value > MOST_STEPS:
        raise ValueError(
            f"`{name}` must be an int from 1 to {MOST_STEPS:,}. "
            f"Received: {str(value)[:40]}"
        )
