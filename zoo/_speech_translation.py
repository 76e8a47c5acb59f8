"""What entries of spoken sentences have in common: source, scores and samples."""

import functools

import numpy as np

from keras_genai import from_preset
from keras_genai.data import spoken_captions
from keras_genai.evaluation.transcription import character_error_rate, word_error_rate
from keras_genai.evaluation.translation import bleu, translate
from zoo import _places, _speech, _translation
from zoo._command import say

SOURCE = functools.partial(spoken_captions.multi30k_german, mel=_speech.MEL)
TRANSLATOR = "transformer_multi30k"
SHOWN = 8  # captions of a sample


def score(model, splits):
    """How well spoken captions are understood, and translated.

    Args:
        model: task with `transcribe`.
        splits: `Splits` of `SOURCE`.

    Returns:
        dict of float: `word_error_rate` and `character_error_rate` of the transcripts
        of the test, and `shuffled_word_error_rate`, beside the texts of other captions.
        If there is a trained `TRANSLATOR`: `bleu` of their translations;
        `bleu_of_letters`, where nothing is misheard; `bleu_of_text`, of translations of
        the data set's own German, with its marks; and `bleu_shuffled`, of the first
        beside the references of other captions.
    """
    truth = splits.test["texts"].tolist()
    found = _speech.understood(model, splits.texts["test"].sounds)
    other = np.random.default_rng(0).permutation(len(truth))
    figures = {
        "word_error_rate": word_error_rate(found, truth),
        "character_error_rate": character_error_rate(found, truth),
        "shuffled_word_error_rate": word_error_rate(found, [truth[i] for i in other]),
    }
    place = _places.taken(TRANSLATOR)
    if place is None:
        say("zoo", f"nobody translates: {_places.missing(TRANSLATOR)}")
        return figures
    return figures | translated(from_preset(place), found, splits.test, other)


def translated(translator, found, part, other):
    """How good translations of transcripts are.

    Args:
        translator: `Seq2SeqLM` from German to English, of Multi30k's tokens.
        found: list of str, transcripts.
        part: dict of str arrays, see `spoken_captions.multi30k_german`.
        other: int `(N,)`, a caption to stand beside each.

    Returns:
        dict of float, those of `score` that begin with `bleu`.
    """
    english = part["targets"].tolist()
    read = _translation.as_tokens
    given = {
        "bleu": map(read, found),
        "bleu_of_letters": map(read, part["texts"].tolist()),
        "bleu_of_text": part["inputs"].tolist(),
    }
    with _translation.uncompiled(translator):
        made = {
            name: translate(translator, list(texts)) for name, texts in given.items()
        }
    beside = [english[place] for place in other]
    return {
        **{name: bleu(texts, english, "none") for name, texts in made.items()},
        "bleu_shuffled": bleu(made["bleu"], beside, "none"),
    }


def write(model, seed, source=None):
    """What is said in test captions and what the model understands, one a line.

    Without data of its own, in made-up sounds that are no speech.
    """
    source = source or functools.partial(SOURCE, stand_in=True)
    part = source(batch_size=2).texts["test"]
    found = _speech.understood(model, part.sounds[:SHOWN])
    pairs = zip(part.written["texts"].tolist(), found, strict=False)
    return "\n".join(f"{truth} -> {text}" for truth, text in pairs)
