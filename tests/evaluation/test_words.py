"""Figures of texts count words in every script."""

import unicodedata

import pytest

from keras_genai.evaluation.answering import exact_match, f1, normalize
from keras_genai.evaluation.summarization import rouge
from keras_genai.evaluation.translation import bleu
from keras_genai.evaluation.words import words

# Five words or characters; the last one is another in the second text.
PAIRS = {
    "Latin": (
        "los ni\u00f1os beben caf\u00e9 fr\u00edo",
        "los ni\u00f1os beben caf\u00e9 solo",
    ),
    "Cyrillic": (
        "\u043c\u0430\u043b\u044c\u0447\u0438\u043a \u0438 \u0434\u0435\u0434 "
        "\u043f\u044c\u044e\u0442 \u0447\u0430\u0439",
        "\u043c\u0430\u043b\u044c\u0447\u0438\u043a \u0438 \u0434\u0435\u0434 "
        "\u043f\u044c\u044e\u0442 \u0441\u043e\u043a",
    ),
    "Arabic": (
        "\u0634\u0631\u0628 \u0627\u0644\u0648\u0644\u062f \u0643\u0648\u0628 "
        "\u0645\u0627\u0621 \u0628\u0627\u0631\u062f",
        "\u0634\u0631\u0628 \u0627\u0644\u0648\u0644\u062f \u0643\u0648\u0628 "
        "\u0645\u0627\u0621 \u062d\u0627\u0631",
    ),
    "Hindi": (
        "\u0932\u0921\u093c\u0915\u093e \u0920\u0902\u0921\u093e "
        "\u092a\u093e\u0928\u0940 \u092a\u0940\u0924\u093e \u0939\u0948",
        "\u0932\u0921\u093c\u0915\u093e \u0920\u0902\u0921\u093e "
        "\u092a\u093e\u0928\u0940 \u092a\u0940\u0924\u093e \u0925\u093e",
    ),
    "Chinese": ("\u6211\u559d\u51b7\u5f00\u6c34", "\u6211\u559d\u51b7\u5f00\u5976"),
    "Japanese": ("\u304a\u8336\u3092\u98f2\u3080", "\u304a\u8336\u3092\u98f2\u3093"),
    "Thai": (
        "\u0e01\u0e34\u0e19\u0e19\u0e49\u0e33\u0e14",
        "\u0e01\u0e34\u0e19\u0e19\u0e49\u0e33\u0e21",
    ),
    "digits": ("\uff11 \uff12 \uff13 \uff14 \uff15", "1 2 3 4 6"),
}


@pytest.mark.parametrize("script", PAIRS)
def test_a_text_with_one_other_word_scores_between_none_and_all(script):
    one, other = PAIRS[script]
    count = len(words(one))
    assert count == len(words(other)) >= 4
    share = (count - 1) / count
    assert f1([one], [[other]]) == pytest.approx(share)
    assert exact_match([one], [[other]]) == 0
    assert exact_match([one], [[one]]) == f1([one], [[one]]) == 1
    scores = rouge([one], [other])
    assert scores["rouge1"] == scores["rougeL"] == pytest.approx(100 * share)
    assert rouge([one], [one])["rouge2"] == pytest.approx(100)
    assert 0 < bleu([f"{one} {one}"], [f"{one} {other}"]) < 100
    assert bleu([f"{one} {one}"], [f"{one} {one}"]) == pytest.approx(100)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_the_form_of_a_letter_does_not_count(form):
    text = "D\u00e9j\u00e0 vu in \u0130zmir"
    same = unicodedata.normalize(form, text)
    assert exact_match([same], [[text]]) == 1
    assert rouge([same], [text])["rouge1"] == pytest.approx(100)


def test_punctuation_of_every_script_goes_and_words_stay():
    assert normalize("\u00ab\u0427\u0430\u0439!\u00bb") == "\u0447\u0430\u0439"
    assert normalize("\u201cThe U.S.\u201d") == "us"
    assert normalize("\u6c34\u3002") == normalize("\u6c34")
    assert normalize("\u061f\u0645\u0627\u0621") == "\u0645\u0627\u0621"
    assert normalize("A cat, an owl - the 1,000 dogs") == "cat owl 1000 dogs"


def test_words_of_english_are_those_of_rouge_score():
    from rouge_score.tokenizers import DefaultTokenizer

    text = "The U.S. spent $1,000.50 on well-known, re_used Things (2nd)!"
    assert words(text) == DefaultTokenizer(use_stemmer=False).tokenize(text)
