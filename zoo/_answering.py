"""What the entries that find answers in a text have in common."""

import functools

import keras

from keras_genai import from_preset
from keras_genai.data import answering
from keras_genai.evaluation.answering import score_answers
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.presets import CONFIG, find_folder, read_json
from keras_genai.tasks.text_task import TextTask
from zoo.entry import Recipe

TEXT = (
    "In 1962, Amelia moved to Cairo. Bruno was born in Lisbon on 3 May 1987. Amelia "
    "bought a violin for 340 dollars. Since 2011, Bruno has worked as a nurse."
)
QUESTIONS = (
    "In which year was Bruno born?",
    "Where did Amelia move to?",
    "Who bought a violin?",
    "What does Bruno work as?",
)


def source(spec):
    """A source of `keras_genai.data.answering` that may speak a folder's tokens."""
    return functools.partial(_told, spec)


def _told(
    spec,
    batch_size,
    seed=0,
    data_dir=None,
    *,
    folder=None,
    tokenizer="wordpiece:3000",
    length=64,
    stride=24,
    stand_in=False,
):
    """Questions on texts, with answers that are spans of them.

    See `keras_genai.data.answering`; `folder` is that of `reader`.
    """
    if folder is not None:
        tokenizer = _opened(folder).tokenizer
    own = dict(tokenizer=tokenizer, length=length, stride=stride, stand_in=stand_in)
    return answering.source(spec)(batch_size, seed, data_dir, **own)


def reader(network, given, folder=None, dtype=None, name=None):
    """A task that says where an answer begins and ends.

    Args:
        network: `BERT` that begins anew, unless there is a `folder`.
        given: `Text`.
        folder: path of a pretrained BERT with any head, or its name on the hub, whose
            weights, sizes and tokenizer are taken; or `None`.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `QuestionAnswering`.
    """
    if folder is not None:
        return _opened(folder, dtype, name)
    return QuestionAnswering(network, given, dtype=dtype, name=name)


def _opened(folder, dtype=None, name=None):
    """The model of a folder, with the head for answers."""
    if "model_type" in read_json(find_folder(folder) / CONFIG):  # a published one
        return from_preset(folder, task="QuestionAnswering", dtype=dtype, name=name)
    model = from_preset(folder, dtype=dtype)
    if not isinstance(model, TextTask):
        raise ValueError(
            f"`folder` must have a BERT. Received: {folder}, a {type(model).__name__}"
        )
    if isinstance(model, QuestionAnswering):
        return model
    return QuestionAnswering(model.network, model.given, dtype=dtype, name=name)


def recipe(steps, rate, batch_size, optimizer=adamw):
    """Training on every window; the loss is the sum of both ends' cross-entropies.

    Args:
        steps: int.
        rate: float. The highest learning rate.
        batch_size: int.
        optimizer: callable that makes one of a schedule.
    """
    return Recipe(
        compile=lambda steps=steps: dict(
            optimizer=optimizer(warmup_cosine(rate, max(1, steps // 10), steps)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        ),
        batch_size=batch_size,
        steps=steps,
        log_every=50,
        validate_every=500,
    )


def score(model, splits):
    """Exact match and F1, on the test questions where there are some."""
    asked = splits.held_out if splits.test is None else splits.test
    some_have_none = not all(asked["answers"])
    return score_answers(model, **asked, allow_none=some_have_none)


def read(model, seed):
    """A text, and what the model answers to four questions; nothing is drawn."""
    found = model.answer(list(QUESTIONS), [TEXT] * len(QUESTIONS))
    said = [
        f"{question} {each.text}"
        for question, each in zip(QUESTIONS, found, strict=True)
    ]
    return "\n".join([TEXT, *said])
