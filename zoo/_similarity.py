"""What the entries that tell how alike two texts are have in common."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data import framing
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from zoo import _sentiment
from zoo.entry import Recipe

FIRST = "a quiet little film that i will not forget"
OTHERS = ("a film to remember", "two hours of my life that i will never get back")


def opinions(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=_sentiment.LENGTH,
    tokenizer=_sentiment.TOKENIZER,
    stand_in=False,
):
    """Pairs of sentences from film reviews; two of one opinion are alike.

    Every sentence comes once an epoch, each time beside another one.

    Args:
        batch_size: int, pairs.
        seed: int. Which sentences come in which batch, and beside which.
        data_dir, length, tokenizer, stand_in: see `zoo._sentiment.shipped`.

    Returns:
        `Splits`. A batch is `({"first", "second"}, cosines)`, two dicts of int32
        `(B, length)` and float32 `(B,)`, 1 for the same opinion and 0 for two.
    """
    options = dict(length=length, tokenizer=tokenizer, stand_in=stand_in)
    found = _sentiment.shipped(batch_size, seed, data_dir, **options)
    known = found.texts["train"]
    encodings = framing.encode(
        found.tokenizer, known["sentences"].tolist(), context=length
    )
    rows = framing.collate(encodings, found.tokenizer.pad_token, length)
    train = {**rows, "labels": known["labels"]}
    few = min(batch_size, len(found.held_out["labels"]))
    return Splits(
        _pairs(train, batch_size, seed=seed),
        _pairs(found.held_out, few, seed=-1, shuffle=False, fixed=True),
        found.tokenizer,
        found.held_out,
        found.test,
        name=found.name,
    )


def _pairs(arrays, batch_size, **settings):
    """A `DataLoader` of sentences, each beside one that is drawn."""
    arrays = {key: arrays[key] for key in ("tokens", "tokens_mask", "labels")}
    count = len(arrays["labels"])

    def beside(batch, seed):
        size = tf.shape(batch["labels"])
        places = tf.random.stateless_uniform(size, seed, maxval=count, dtype="int64")
        other = {key: tf.gather(value, places) for key, value in arrays.items()}
        first, second = batch.pop("labels"), other.pop("labels")
        alike = tf.cast(first == tf.cast(second, first.dtype), "float32")
        return {"first": batch, "second": other}, alike

    return DataLoader(arrays, batch_size, transform=beside, **settings)


def recipe(steps, rate, batch_size=16):
    """Fine-tuning on cosines, Reimers & Gurevych 2019, section 3."""
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=adamw(warmup_cosine(rate, max(1, steps // 10), steps)),
            loss=keras.losses.MeanSquaredError(),
            jit_compile=True,
        ),
        batch_size=batch_size,
        steps=steps,
        log_every=50,
    )


def score(model, splits):
    """How cosines go with what is asked for, and with the same in another order.

    Returns:
        dict of `correlation`, Pearson's, on the validation pairs, and `shuffled`, near
        0, its floor.
    """
    cosines, wanted = [], []
    for inputs, alike in splits.validation.epoch():
        cosines.append(model.predict_on_batch(inputs))
        wanted.append(np.asarray(alike))
    cosines, wanted = np.concatenate(cosines), np.concatenate(wanted)
    order = np.random.default_rng(0).permutation(len(wanted))
    return {
        "correlation": _correlation(cosines, wanted),
        "shuffled": _correlation(cosines, wanted[order]),
    }


def _correlation(first, second):
    if np.std(first) == 0 or np.std(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def compare(model, seed):
    """How near two texts are to a third; nothing is drawn."""
    (found,) = model.similarity([FIRST], list(OTHERS))
    lines = (
        f"{cosine:.3f}  {text}" for text, cosine in zip(OTHERS, found, strict=True)
    )
    return "\n".join([FIRST, *lines])
