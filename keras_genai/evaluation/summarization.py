"""How good summaries are: written in batches, then compared with the best reference."""

import numpy as np

from keras_genai.evaluation.translation import translate
from keras_genai.evaluation.words import words

MEASURES = ("rouge1", "rouge2", "rougeL")


class _Words:
    """What the scorer splits texts by: its own drops all that is not a to z, 0 to 9.

    Of text in a to z both find the same words.
    """

    def __init__(self, stemmer):
        self.stemmer = stemmer

    def tokenize(self, text):
        return [self._stem(word) for word in words(text)]

    def _stem(self, word):
        english = self.stemmer is not None and word.isascii() and len(word) > 3
        return self.stemmer.stem(word) if english else word


def score_summaries(
    model, texts, references, max_length=None, batch_size=16, input_length=None
):
    """ROUGE of what a model writes about many texts.

    Args:
        model: `Seq2SeqLM` with a tokenizer; it decodes by its own settings.
        texts: sequence of str.
        references: see `rouge`.
        max_length: int or `None` (that of the settings), in tokens.
        batch_size: int.
        input_length: int or `None` (the model's context). Texts are cut to so many
            tokens.

    Returns:
        dict of `rouge`.
    """
    found = translate(
        model,
        texts,
        max_length=max_length,
        batch_size=batch_size,
        input_length=input_length,
    )
    return rouge(found, references)


def rouge(found, references, stem=True):
    """ROUGE-1, ROUGE-2 and ROUGE-L of a whole set of texts: F-measures, 0 to 100.

    Words are runs of letters and digits of any script, or single characters where a
    script has no blanks. Where a text has several references, each measure takes the
    one that is best by it.
    ROUGE-L looks at a text as one sequence, whatever its lines are.

    Args:
        found: sequence of str.
        references: sequence of str, one a text; or of sequences of str, several each.
        stem: bool. If `True`, endings of English words do not count ("learn" is
            "learning"), as in most published figures.

    Returns:
        dict of float, `rouge1`, `rouge2` and `rougeL`: means over the texts.

    Raises:
        ImportError: if rouge-score is not installed.
        ValueError: if there are not as many references as texts, or none for a text.

    Reference: Lin 2004, https://aclanthology.org/W04-1013
    """
    listed = [[one] if isinstance(one, str) else list(one) for one in references]
    if len(found) != len(listed) or not listed or not all(listed):
        raise ValueError(
            "`references` must have one or more str for each of the texts. Received: "
            f"{len(listed)} for {len(found)} texts, {listed.count([])} of them empty"
        )
    try:
        from nltk.stem.porter import PorterStemmer
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ImportError(
            "ROUGE needs rouge-score: pip install 'keras_genai[eval]'"
        ) from error
    tokenizer = _Words(PorterStemmer() if stem else None)
    scorer = RougeScorer(list(MEASURES), tokenizer=tokenizer)
    scores = [
        scorer.score_multi(list(map(str, several)), str(text))
        for text, several in zip(found, listed, strict=True)
    ]
    return {
        name: 100 * float(np.mean([score[name].fmeasure for score in scores]))
        for name in MEASURES
    }
