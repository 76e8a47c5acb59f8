"""Checks of what `train` is given, before anything is touched."""

from keras_genai.checks import check_integer, check_number

MOST_STEPS = 2**31 - 1


def check(
    splits,
    steps,
    seed,
    log_every,
    save_every,
    save_seconds,
    validate_every,
    validation_steps,
    steps_per_execution,
):
    """Raises `ValueError` or `TypeError` for an argument of `train` that cannot be."""
    check_splits(splits, ("dataset", "batch_size"))
    check_count("steps", steps)
    check_integer("seed", seed, 0)
    check_count("log_every", log_every)
    optional = {
        "save_every": save_every,
        "validate_every": validate_every,
        "validation_steps": validation_steps,
        "steps_per_execution": steps_per_execution,
    }
    for name, value in optional.items():
        if value is not None:
            check_count(name, value)
    if save_seconds is not None:
        allowed = "`None` or a number of at least 0"
        check_number("save_seconds", save_seconds, allowed, lambda value: value >= 0)
    if validate_every and validate_every < steps and validate_every % log_every:
        raise ValueError(
            "`validate_every` must be `None` or a multiple of `log_every`. "
            f"Received: {validate_every=}, {log_every=}"
        )


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
