"""How good translations are: written in batches, then compared with the references."""

import keras
import numpy as np

from keras_genai.data.parallel_text import pair_batch, shortened
from keras_genai.evaluation.words import writes_without_blanks


def translate(
    model, texts, sampler=None, max_length=None, batch_size=64, input_length=None
):
    """What a model makes of many texts, those of similar length together.

    Args:
        model: `Seq2SeqLM` with a tokenizer.
        texts: sequence of str.
        sampler: `Greedy`, `Sample` or `Beam`, or `None`: the model's own settings.
        max_length: int or `None` (that of the settings), in tokens.
        batch_size: int.
        input_length: int or `None` (the model's context). Texts are cut to so many
            tokens.

    Returns:
        list of str, in the order of `texts`.
    """
    most, end = input_length or model.context, model.tokenizer.end_token
    rows = model.tokenizer.encode_batch(list(texts))
    rows = [shortened(row, most, end) for row in rows]
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    found = [""] * len(rows)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        # The last batch is filled up, so that it needs no program of its own.
        missing = batch_size - len(chosen) if first else 0
        given = [rows[index] for index in [*chosen, *chosen[:1] * missing]]
        written = model.generate(given, max_length=max_length, sampler=sampler)
        for index, tokens in zip(chosen, written, strict=False):
            found[index] = model.tokenizer.decode(tokens).strip()
    return found


def bleu(found, truth, tokenize=None):
    """BLEU of a whole set of texts, 0 to 100.

    Args:
        found: sequence of str.
        truth: sequence of str, one reference a text.
        tokenize: str, one of sacrebleu's: `"13a"` for plain text, the usual one;
            `"none"` for text whose tokens already stand apart; ... `None` is "13a", or
            `"char"` if references are in a script without blanks between words, of
            which 13a would make one word a sentence.

    Returns:
        float.

    Raises:
        ImportError: if sacrebleu is not installed.
        ValueError: if there are not as many references as texts.

    Reference: Papineni et al. 2002; Post 2018, https://arxiv.org/abs/1804.08771
    """
    _check(found, truth)
    if tokenize is None:
        tokenize = "char" if any(map(writes_without_blanks, truth)) else "13a"
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise ImportError(
            "BLEU needs sacrebleu: pip install 'keras_genai[eval]'"
        ) from error
    # `force`: it would warn of text that is tokenised already, which is meant here.
    score = BLEU(tokenize=tokenize, force=True).corpus_score(list(found), [list(truth)])
    return float(score.score)


def exact_match(found, truth):
    """Share of the texts that are their references to the letter: float in [0, 1]."""
    _check(found, truth)
    return float(np.mean([a == b for a, b in zip(found, truth, strict=True)]))


def perplexity(model, inputs, targets, batch_size=64):
    """Perplexity per token of true texts, each token predicted after the true ones.

    Args:
        model: `Seq2SeqLM` with a tokenizer.
        inputs: sequence of str.
        targets: sequence of str.
        batch_size: int.

    Returns:
        float. End tokens count, padding does not.
    """
    _check(inputs, targets)
    pairs = sorted(zip(inputs, targets, strict=True), key=lambda pair: len(pair[1]))
    cut = (model.context, model.context)
    collate = pair_batch(model.tokenizer, max_lengths=cut)
    total, count = 0.0, 0.0
    for first in range(0, len(pairs), batch_size):
        chosen = [(str(a), str(b)) for a, b in pairs[first : first + batch_size]]
        features, labels, weight = collate(chosen)
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, model(features), from_logits=True
        )
        total += float(np.sum(np.asarray(losses) * weight))
        count += float(np.sum(weight))
    return float(np.exp(total / count))


def _check(found, truth):
    if len(found) != len(truth) or not len(found):
        raise ValueError(
            "texts and references must be of one length, at least 1. "
            f"Received: {len(found)} and {len(truth)}"
        )
