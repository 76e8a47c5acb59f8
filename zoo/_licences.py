"""Under which terms the data is that trained weights may ship of.

Data that is not named here has none that is known to allow it: SST-2 and Multi30k,
written or spoken, are for research, for instance.
"""

_DIGITS = "CC BY 4.0 (Alpaydin & Kaynak 1998, UCI Machine Learning Repository)"
_SPOKEN = "CC BY-SA 4.0 (Jakobovski and others, Free Spoken Digit Dataset)"
_OWN = "Apache-2.0 (made by this library"
_TWEMOJI = "CC BY 4.0 (Twitter, Inc. and other contributors, Twemoji)"

_CHAT = "BSD-3-Clause (Gunther Cox, chatterbot-corpus)"

# By the name of the data, as `Splits.name` has it.
LICENCES = {
    "breast_cancer": "CC BY 4.0 (Wolberg et al. 1995, UCI Machine Learning Repository)",
    "captioned_digits": f"{_DIGITS}, with captions made by this library",
    "chat_background": f"PSF-2.0 (Python Software Foundation); {_CHAT}",
    "chatterbot": _CHAT,
    "cmudict": "BSD-2-Clause (Carnegie Mellon University, CMUdict)",
    "countdown": f"{_OWN})",
    "dates": f"{_OWN}, in formats of Babel, BSD-3-Clause, and the Unicode CLDR)",
    "digit_strings": _SPOKEN,
    "digits": _DIGITS,
    "digits_changed": _DIGITS,
    "emoji": _TWEMOJI,
    "emoji_edits": _TWEMOJI,
    "emoji_sketches": _TWEMOJI,
    "furniture": f"{_OWN})",
    "moving_digits": _DIGITS,
    "names": "MIT (karpathy/makemore)",
    "people": f"{_OWN}, with first names of karpathy/makemore, MIT)",
    "photographs": "CC BY 2.0 (danielbuechele and vultilion, in scikit-learn)",
    "python_docs": "PSF-2.0 (Python Software Foundation)",
    "shakespeare": "public domain",
    "silk_icons": "CC BY 2.5 (Mark James, famfamfam silk icons)",
    "spoken_digits": _SPOKEN,
}


def licence(data):
    """The licence of data.

    Args:
        data: str, the name of `Splits`.

    Raises:
        ValueError: if none is known that allows weights to be passed on.
    """
    if data not in LICENCES:
        raise ValueError(
            "`name` must be of an entry whose data may be passed on, or data with a "
            f"line in zoo/_licences.py: {', '.join(LICENCES)}. Received: {data}"
        )
    return LICENCES[data]
