"""What the classifiers of film reviews have in common."""

import keras
import numpy as np

from keras_genai.data import sentiment
from keras_genai.evaluation.judges import TextJudge
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.classification import SequenceClassifier
from zoo.entry import Recipe

LENGTH = 48  # tokens; 1 % of the sentences are longer
TOKENIZER = "wordpiece:4000"  # the same for both stages of BERT
FEW = 8  # sentences a batch, where forty are all
SENTENCES = (
    "a quiet little film that i will not forget",
    "two hours of my life that i will never get back",
    "not bad at all",
)


def shipped(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    length=LENGTH,
    tokenizer=TOKENIZER,
    stand_in=False,
):
    """SST-2 of a folder, or without one the forty sentences of this package.

    So that what opens a published checkpoint can be built without data.

    Args:
        batch_size, seed, data_dir, length, tokenizer, stand_in: see
            `keras_genai.data.sentiment.sst2`.

    Returns:
        `Splits`.
    """
    alone = stand_in or data_dir is None
    return sentiment.sst2(
        min(batch_size, FEW) if alone else batch_size,
        seed,
        data_dir,
        length=length,
        tokenizer=tokenizer,
        stand_in=alone,
    )


def on_trained(target, given, trained, dropout=0.1, dtype=None, name=None):
    """A classifier on the network of a masked language model.

    Args:
        target: `Label`.
        given: `Text`.
        trained: `MaskedLM`, whose network is taken, weights and all.
        dropout: float. Rate before the head and inside the network.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `SequenceClassifier`.

    Raises:
        ValueError: if `trained` has another vocabulary than `given`.
    """
    old = trained.network
    (text,) = given
    if old.vocabulary_size != text.vocabulary_size:
        raise ValueError(
            f"`trained` must know {text.vocabulary_size} tokens, as the data does. "
            f"Received: one of {old.vocabulary_size}"
        )
    config = {**old.get_config(), "dropout": dropout}
    network = type(old).from_config({**config, "dtype": dtype or config["dtype"]})
    network.set_weights(old.get_weights())
    return SequenceClassifier(
        network, target, given, dropout, pooling="mean", dtype=dtype, name=name
    )


def recipe(steps, rate, keep_best=True, weight_decay=0.1, **optimizer):
    """Training that ends with the weights of the lowest validation loss, or the last.

    Args:
        steps: int.
        rate: float, the highest learning rate.
        keep_best: bool.
        weight_decay, **optimizer: of `adamw`.

    Returns:
        `Recipe`.
    """
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=adamw(
                warmup_cosine(rate, max(1, steps // 10), steps),
                weight_decay=weight_decay,
                **optimizer,
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=True,
        ),
        batch_size=32,
        steps=steps,
        log_every=50,
        validate_every=100,
        keep_best=keep_best,
    )


def score(model, splits):
    """Accuracy on the test and the validation sentences, and `floor`, that of words."""
    return {
        "test_accuracy": accuracy(model, splits.test),
        "validation_accuracy": accuracy(model, splits.held_out),
        "floor": floor(splits),
    }


def floor(splits):
    """Test accuracy by logistic regression on the words and letters of sentences.

    Args:
        splits: `Splits` of `keras_genai.data.sentiment.sst2`.
    """
    known, test = splits.texts["train"], splits.texts["test"]
    judge = TextJudge(known["sentences"].tolist(), known["labels"])
    sentences = test["sentences"].tolist()
    praised = judge.score([""] * len(sentences), sentences) > 0
    return float(np.mean(praised == test["labels"]))


def accuracy(model, arrays):
    """The share of sentences whose most probable label is theirs."""
    inputs = {name: arrays[name] for name in ("tokens", "tokens_mask")}
    logits = model.predict(inputs, batch_size=64, verbose=0)
    return float(np.mean(np.argmax(logits, axis=-1) == arrays["labels"]))


def judge(model, seed):
    """What the model thinks of three sentences; nothing is drawn."""
    found = model.classify(list(SENTENCES))
    return "\n".join(
        f"{label.label} {label.probability:.3f}  {text}"
        for text, label in zip(SENTENCES, found, strict=True)
    )
