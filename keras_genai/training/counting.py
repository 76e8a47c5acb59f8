"""The run of a model that learns by counting: one pass, no optimizer."""

import json
import time

from keras_genai.files.writing import write_text
from keras_genai.training.errors import short_of_memory, writing
from keras_genai.training.folder import claimed
from keras_genai.training.log import plain
from keras_genai.training.run import Outcome
from keras_genai.training.settings import check_splits


def count(model, splits, folder, seed=0, fingerprint=None, fresh=False, say=print):
    """Fits a counting model in a run folder of its own.

    Args:
        model: `Task` with `counts_tokens`.
        splits: `Splits` whose `train.tokens` is the whole text.
        folder: path of the run folder, or a claimed `RunFolder`.
        seed, fingerprint, fresh, say: as in `train`.

    Returns:
        `Outcome` of one step.

    Raises:
        ValueError: if the model does not count, or if `splits` has no tokens.
        TrainingError: as `train`.
    """
    if not getattr(model, "counts_tokens", False):
        raise ValueError(
            f"`model` must be one that counts tokens. Received: {type(model).__name__}"
        )
    check_splits(splits, ("tokens",))
    with short_of_memory(), claimed(folder, fingerprint, seed, fresh) as run:
        say(f"counting {len(splits.train.tokens):,} tokens")
        began = time.monotonic()
        loss = model.fit_tokens(splits.train.tokens).history["loss"][0]
        seconds = time.monotonic() - began
        record = {"step": 1, "loss": loss, "seconds": seconds}
        with writing(run.log):
            write_text(run.log, json.dumps(plain(record)) + "\n")
    return Outcome(steps=1, seconds=seconds, history=[record])
