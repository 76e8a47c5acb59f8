"""The run of a model that learns by counting: one pass, no optimizer."""

import json
import time

from keras_genai.training.folder import RunFolder, write_text
from keras_genai.training.run import Outcome


def count(
    model, splits, folder, seed=0, fingerprint=None, fresh=False, say=print, **unused
):
    """Fits a counting model in a run folder of its own.

    Args:
        model: `Task` with `counts_tokens`.
        splits: `Splits` whose `train.tokens` is the whole text.
        folder: path of the run folder.
        seed, fingerprint, fresh, say: as in `train`.
        **unused: what only `train` has a use for, steps and intervals.

    Returns:
        `Outcome` of one step.

    Raises:
        TrainingError: as `train`.
    """
    run = RunFolder(folder)
    with run.claim({**(fingerprint or {}), "seed": seed}, fresh):
        say(f"counting {len(splits.train.tokens):,} tokens")
        began = time.monotonic()
        loss = model.fit_tokens(splits.train.tokens).history["loss"][0]
        seconds = time.monotonic() - began
        record = {"step": 1, "loss": loss, "seconds": seconds}
        write_text(run.log, json.dumps(record) + "\n")
    return Outcome(steps=1, seconds=seconds, history=[record])
