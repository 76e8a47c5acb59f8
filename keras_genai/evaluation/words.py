"""The words of a text in any script, for figures that compare texts word by word."""

import string
import unicodedata

_ASCII_PUNCTUATION = frozenset(string.punctuation)
_WITHOUT_BLANKS = (  # scripts that put no blanks between words, as code points
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x30FF),  # Japanese syllables
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Chinese characters
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def words(text):
    """Runs of letters, digits and their marks, in lower case; the rest parts them.

    Where a script has no blanks between words, each character is one.

    >>> words("Don't panic, Привет 你好 12")
    ['don', 't', 'panic', 'привет', '你', '好', '12']
    """
    return spaced("".join(map(_or_blank, _plain(text)))).split()


def without_punctuation(text):
    """A text in lower case without the punctuation of any script, one form a letter.

    Reference: Lewis et al. 2020, section 3, https://arxiv.org/abs/1910.07475
    """
    return "".join(letter for letter in _plain(text) if not _is_punctuation(letter))


def spaced(text):
    """Blanks between the characters of the scripts that are written without them."""
    found, before = [], False
    for letter in text:
        alone = writes_without_blanks(letter)
        if not unicodedata.category(letter).startswith("M"):  # marks stay attached
            if alone or before:
                found.append(" ")
            before = alone
        found.append(letter)
    return "".join(found)


def writes_without_blanks(text):
    """Whether a text has characters of scripts that put no blanks between words."""
    return any(
        first <= ord(letter) <= last
        for letter in text
        if letter > "\u0dff"
        for first, last in _WITHOUT_BLANKS
    )


def _plain(text):
    """Lower case; full width, ligatures and letters of two code points made plain."""
    plain = unicodedata.normalize("NFKC", text.lower())
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")  # joiners


def _or_blank(letter):
    return letter if unicodedata.category(letter)[0] in "LNM" else " "


def _is_punctuation(letter):
    return letter in _ASCII_PUNCTUATION or unicodedata.category(letter)[0] == "P"
