"""What a source or a damage cannot use is named in one line before any data is read."""

import pytest

from keras_genai.data import (
    answering,
    augmentation,
    damage,
    furniture,
    images,
    masking,
    pairs,
    sentiment,
    sounds,
    speech,
    spoken_captions,
    summarization,
    video,
)
from keras_genai.modalities.mel import Mel

WRONG = {
    "size": (0, -1, 2.5, "x", True, None, 10**12),
    "share": (-0.1, 1.1, "x", None, float("nan")),
    "amount": (-0.1, "x", None, float("nan"), float("inf")),
}
MEL = Mel(8_000, window=200, hop=80, bands=8)
HERE = {"batch_size": 2, "stand_in": True}
NOWHERE = {"batch_size": 2, "data_dir": "nowhere"}  # what is read is missed
CASES = [
    (images.digits, HERE, "image_size", (0, -1, 2.5, "x", True, 10**12)),
    (images.photographs, HERE, "test", ("x", 1, True, "china.jpg")),
    (video.moving_digits, HERE, "frames", WRONG["size"]),
    (video.moving_digits, HERE, "image_size", WRONG["size"]),
    (video.moving_digits, HERE, "digit_size", WRONG["size"]),
    (video.moving_digits, HERE, "fastest", WRONG["amount"]),
    (furniture.furniture, HERE, "points", WRONG["size"]),
    (sentiment.sst2, HERE, "length", (*WRONG["size"], 2)),
    (sentiment.sst2, HERE, "token_dropout", WRONG["share"]),
    (sentiment.sst2_masked, HERE, "length", (*WRONG["size"], 2)),
    (sentiment.sst2_masked, HERE, "rate", (*WRONG["share"], 0)),
    (masking.python_docs, HERE, "length", (0, -1, 2.5, "x", True, None, 10**12)),
    (masking.python_docs, HERE, "rate", (*WRONG["share"], 0)),
    (answering.people, HERE, "length", WRONG["size"]),
    (answering.squad, HERE, "length", WRONG["size"]),
    (summarization.scitldr, HERE, "input_length", WRONG["size"]),
    (summarization.scitldr, HERE, "target_length", WRONG["size"]),
    (sounds.spoken_digits, NOWHERE, "crop", WRONG["size"]),
    (speech.digit_strings, HERE, "longest", WRONG["size"]),
    (spoken_captions.multi30k_german, {**HERE, "mel": MEL}, "captions", WRONG["size"]),
    (spoken_captions.multi30k_german, HERE, "mel", (None, "x", 80)),
    (damage.Noise, {}, "deviation", (*WRONG["amount"], (0.2, 0.1), (0.1,))),
    (damage.Noise, {}, "clip", (0, "x", None)),
    (damage.Blur, {}, "deviation", (*WRONG["amount"], 0)),
    (damage.Shrink, {}, "factor", WRONG["size"]),
    (damage.Either, {}, "damages", ((), None, "x", 2, ("x",))),
    (damage.Each, {}, "damages", ((), None, "x", 2, ("x",))),
    (pairs.Edges, {}, "threshold", ("x", None, float("nan"))),
    (pairs.Turn, {}, "times", (-1, 2.5, "x", None, True)),
    (pairs.Colour, {}, "ink", (0.5, (1, 1), (1, 1, 2), None, "red")),
    (pairs.Colour, {}, "paper", (0.5, (1, 1), (1, 1, 2), None, "red")),
    (augmentation.Flip, {}, "probability", WRONG["share"]),
    (augmentation.Translate, {}, "pixels", (-1, 2.5, "x", None, True, 10**12)),
    (augmentation.Brightness, {}, "most", WRONG["amount"]),
    (augmentation.Contrast, {}, "most", WRONG["amount"]),
]


@pytest.mark.parametrize(
    ("make", "settings", "name", "values"),
    CASES,
    ids=lambda each: getattr(each, "__name__", None),
)
def test_an_argument_that_cannot_be_is_named(make, settings, name, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=f"`{name}` must ") as error:
            make(**settings, **{name: value})
        assert "\n" not in str(error.value)
        assert "Received: " in str(error.value)


def test_a_question_may_be_asked_at_every_token():
    splits = masking.python_docs(2, rate=1, length=8, stand_in=True)
    inputs, _, weight = next(iter(splits.train))
    assert inputs["places"].shape == (2, 8)
    assert weight.numpy().any()
