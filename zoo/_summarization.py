"""What the entries that learn to summarise have in common."""

import dataclasses
import sys

from keras_genai import from_preset
from keras_genai.data import summarization
from keras_genai.evaluation.summarization import score_summaries
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import _translation
from zoo.entry import Recipe

LENGTH = 512  # tokens of an abstract; of 1,992 two are longer in byte pairs
DECODING = GenerationSettings(
    max_length=64, min_length=8, num_beams=4, no_repeat_ngram_size=3
)
# What a folder's own settings must not decide, because they are of other summaries.
_OURS = (
    *("max_length", "min_length", "num_beams", "length_penalty", "early_stopping"),
    "no_repeat_ngram_size",
)
ABSTRACT = (
    "Transformers read a whole sequence at once, and the time and memory that they "
    "take grow with the square of its length. We replace the attention of every layer "
    "but the last by a convolution whose kernel is as long as the sequence and is made "
    "by a small network. On five tasks with sequences of up to 16,000 steps the model "
    "is as accurate as a transformer, trains 2.4 times faster and needs a third of the "
    "memory."
)
REFERENCE = "ROUGE-1/2/L 43.3 / 20.8 / 35.0 of BART-large on abstracts (Cachola et al.)"


def papers(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    folder=None,
    prefix="",
    input_length=LENGTH,
    target_length=64,
    stand_in=False,
):
    """`scitldr` in the tokens of a pretrained folder, if there is one; see there."""
    own = {}
    if folder is not None:
        reader = from_preset(folder)
        start = reader.generation.decoder_start_token
        own = dict(tokenizer=reader.tokenizer, start_token=start)
    return summarization.scitldr(
        batch_size,
        seed,
        data_dir,
        prefix=prefix,
        input_length=input_length,
        target_length=target_length,
        stand_in=stand_in,
        **own,
    )


def summarizer(
    network, target, folder=None, generation=DECODING, dtype=None, name=None
):
    """A model to fine-tune.

    Args:
        network: `SequencePairNetwork`, which begins with random weights where there is
            no `folder`; that is said.
        target: `Text`.
        folder: path of a pretrained `Seq2SeqLM`, or its name on the hub, whose weights,
            sizes and tokenizer are taken; or `None`.
        generation: `GenerationSettings`. A folder's special tokens stay.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `Seq2SeqLM`.

    Raises:
        ValueError: if `folder` has another kind of model.
    """
    if folder is not None:
        return _pretrained(folder, generation, dtype, name)
    _say_random(name)
    return Seq2SeqLM(network, target, generation=generation, dtype=dtype, name=name)


def _pretrained(folder, generation, dtype, name):
    model = from_preset(folder, dtype=dtype, name=name)
    if not isinstance(model, Seq2SeqLM):
        raise ValueError(
            "`folder` must have a model that turns a text into another. "
            f"Received: {folder}, a {type(model).__name__}"
        )
    changes = {key: getattr(generation, key) for key in _OURS}
    model.generation = dataclasses.replace(model.generation, **changes)
    return model


def _say_random(name):
    print(
        f"{name} starts from random weights, which is no way to learn to summarise; "
        "--set folder=FOLDER_OR_HUB_NAME starts from pretrained ones",
        file=sys.stderr,
    )


def recipe(steps, rate):
    """Fine-tuning of all weights that ends with those of the lowest validation loss."""
    return Recipe(
        compile=lambda steps=steps: _translation.compiled(
            rate, max(1, steps // 10), steps, jit_compile=False
        ),
        batch_size=8,
        steps=steps,
        steps_per_execution=5,
        log_every=50,
        validate_every=250,
        keep_best=True,
    )


def score(model, splits):
    """ROUGE on the test papers, each against the best of its summaries."""
    references = [[text for text in row if text] for row in splits.test["targets"]]
    texts = splits.test["inputs"].tolist()
    most = min(LENGTH, model.context or LENGTH)
    return score_summaries(model, texts, references, input_length=most)


def write(model, seed, prefix=""):
    """An abstract about something made up, and what the model makes of it."""
    with _translation.uncompiled(model):
        return f"{ABSTRACT} -> {model.generate(prefix + ABSTRACT, seed=seed)}"
