"""What the classifiers of film reviews have in common."""

import keras
import numpy as np

from keras_genai.data.sentiment import LABELS
from keras_genai.models.bert import BERT
from keras_genai.models.recurrent_encoder import RecurrentEncoder
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.encoder import SequenceClassifier
from zoo.entry import Recipe

LENGTH = 48  # tokens; 1 % of the sentences are longer
TOKENIZER = "wordpiece:4000"  # the same for both stages of BERT
FLOOR = "0.802 test accuracy by logistic regression on bags of words"
SENTENCES = (
    "a quiet little film that i will not forget",
    "two hours of my life that i will never get back",
    "not bad at all",
)


def recurrent_classifier(
    vocabulary_size,
    embedding_dim=128,
    units=128,
    num_layers=1,
    cell="lstm",
    dropout=0.5,
    token_dropout=0.0,
    pooling="mean",
    dtype=None,
    name=None,
):
    """Recurrent layers that read both ways, and a classifier.

    Args:
        vocabulary_size, embedding_dim, units, num_layers, cell, dropout, token_dropout,
            pooling: see `RecurrentEncoder`; `dropout` is the head's, too.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `SequenceClassifier`.
    """
    backbone = RecurrentEncoder(
        vocabulary_size,
        embedding_dim=embedding_dim,
        units=units,
        num_layers=num_layers,
        cell=cell,
        dropout=dropout,
        token_dropout=token_dropout,
        pooling=pooling,
        dtype=dtype,
        name="backbone",
    )
    return SequenceClassifier(backbone, LABELS, dropout, dtype=dtype, name=name)


def bert_classifier(
    vocabulary_size,
    backbone=None,
    context=LENGTH,
    depth=2,
    width=128,
    num_heads=4,
    dropout=0.1,
    dtype=None,
    name=None,
):
    """A classifier on a BERT.

    Args:
        vocabulary_size: int.
        backbone: trained `MaskedLM`, whose encoder is taken; `None` makes an untrained
            one of the next four arguments.
        context, depth, width, num_heads: see `BERT`.
        dropout: float. Rate before the head and inside the encoder.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `SequenceClassifier`.

    Raises:
        ValueError: if `backbone` has another vocabulary.
    """
    if backbone is None:
        encoder = BERT(
            vocabulary_size,
            context,
            depth,
            width,
            num_heads,
            dropout=dropout,
            pooler=False,
            dtype=dtype,
            name="backbone",
        )
    else:
        trained = backbone.backbone
        encoder = BERT.from_config({**trained.get_config(), "dropout": dropout})
        encoder.set_weights(trained.get_weights())
    if encoder.vocabulary_size != vocabulary_size:
        raise ValueError(
            f"`backbone` must know {vocabulary_size} tokens, as the data does. "
            f"Received: one of {encoder.vocabulary_size}"
        )
    return SequenceClassifier(
        encoder, LABELS, dropout, pooling="mean", dtype=dtype, name=name
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
    """Accuracy on the test and the validation sentences."""
    return {
        "test_accuracy": accuracy(model, splits.test),
        "validation_accuracy": accuracy(model, splits.held_out),
    }


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
