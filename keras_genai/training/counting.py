"""The run of a model that learns by counting: one pass, no optimizer."""

import json
import time

import tensorflow as tf

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
        splits: `Splits` whose `train.content` is the whole text, or all rows.
        folder: path of the run folder, or a claimed `RunFolder`.
        seed, fingerprint, fresh, say: as in `train`.

    Returns:
        `Outcome` of one step.

    Raises:
        ValueError: if the model does not count, or if `splits` has no content.
        TrainingError: as `train`.
    """
    if not getattr(model, "counts_tokens", False):
        raise ValueError(
            f"`model` must be one that counts tokens. Received: {type(model).__name__}"
        )
    check_splits(splits, ("content",))
    with short_of_memory(), claimed(folder, fingerprint, seed, fresh) as run:
        content = splits.train.content
        noun, _ = model.target.unit(splits.train.element_spec)
        say(f"counting {len(tf.nest.flatten(content)[0]):,} {noun}")
        began = time.monotonic()
        loss = model.fit_tokens(content).history["loss"][0]
        seconds = time.monotonic() - began
        record = {"step": 1, "loss": loss, "seconds": seconds}
        with writing(run.log):
            write_text(run.log, json.dumps(plain(record)) + "\n")
    return Outcome(steps=1, seconds=seconds, history=[record])
