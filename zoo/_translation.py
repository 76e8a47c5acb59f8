"""What the translation entries of the zoo have in common."""

import contextlib
import html
import re

from keras_genai.evaluation.attention_plot import plot_attention
from keras_genai.evaluation.translation import bleu, exact_match, perplexity, translate
from keras_genai.losses import SparseSmoothedCrossentropy
from keras_genai.optimizers import adamw
from keras_genai.schedules import warmup_cosine

SENTENCES = (
    "ein mann fährt mit dem fahrrad durch die stadt .",
    "zwei kinder spielen im schnee mit einem hund .",
    "eine frau in einem roten kleid steht vor einem großen gebäude .",
)

# What the tokens of Moses have instead of these characters.
_ENTITIES = {"&": "&amp;", "|": "&#124;", "<": "&lt;", ">": "&gt;", "'": "&apos;"}
_ENTITIES |= {'"': "&quot;", "[": "&#91;", "]": "&#93;"}


def as_tokens(text):
    """A text as Multi30k has it: small letters, tokens apart, a full stop at its end.

    Args:
        text: str, as people write it, or such tokens already.

    Returns:
        str. Hyphens and dots within words and numbers stay in them.
    """
    text = html.unescape(text).lower()
    text = re.sub(r"([^\w\s.,-])", r" \1 ", text)
    text = re.sub(r"(?<!\w)([.,])|([.,])(?!\w)", r" \1\2 ", text)
    tokens = text.translate(str.maketrans(_ENTITIES)).split()
    if tokens and tokens[-1] not in {".", "!", "?"}:
        tokens.append(".")
    return " ".join(tokens)


def compiled(peak, warmup, steps, smoothing=0.1, jit_compile=True, **optimizer):
    """Arguments of `compile`: AdamW, and cross-entropy over the real tokens."""
    return dict(
        optimizer=adamw(warmup_cosine(peak, warmup, steps), **optimizer),
        loss=SparseSmoothedCrossentropy(smoothing),
        weighted_metrics=[],
        jit_compile=jit_compile,
    )


@contextlib.contextmanager
def uncompiled(model):
    """Decoding in TensorFlow's graph for a while.

    XLA is not worth its compilation for a few texts, and in bfloat16 on a CPU it
    takes eight times as long: 11.8 against 1.4 CPU seconds for 64 captions.
    """
    before, model.jit_generate = model.jit_generate, False
    try:
        yield
    finally:
        model.jit_generate = before


def score_dates(model, splits):
    """Share of test texts that are written right to the letter."""
    inputs, targets = splits.test["inputs"].tolist(), splits.test["targets"].tolist()
    with uncompiled(model):
        found = translate(model, inputs)
    return {
        "exact_match": exact_match(found, targets),
        "perplexity_per_token": perplexity(model, inputs, targets),
    }


def score_sentences(model, splits):
    """BLEU and teacher-forced perplexity on the test set.

    The text of Multi30k comes with its tokens apart and is compared as it is.
    """
    inputs, targets = splits.test["inputs"].tolist(), splits.test["targets"].tolist()
    tokenize = "none" if splits.name.startswith("multi30k") else None
    with uncompiled(model):
        found = translate(model, inputs)
    return {
        "bleu": bleu(found, targets, tokenize),
        "perplexity_per_token": perplexity(model, inputs, targets),
    }


def write(model, seed, texts):
    """Each text and what the model makes of it, one pair a line."""
    with uncompiled(model):
        found = model.generate(list(texts), seed=seed)
    pairs = zip(texts, found, strict=True)
    return "\n".join(f"{text} -> {answer}" for text, answer in pairs)


def plot(model, text):
    """Where the model looked while it wrote its answer to a text: PNG bytes."""
    with uncompiled(model):
        return plot_attention(model, text)
