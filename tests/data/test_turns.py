"""A model is asked by the very text that it learned to go on from."""

import dataclasses

import pytest

from keras_genai.data import tokenizers
from keras_genai.data.turns import BLENDERBOT, CHATML, INSTRUCTION, PLAIN, Turns

SAID = [("person", "Hi {}"), ("model", "Hello"), ("person", "Bye"), ("model", "So {}")]
TOLD = [("system", "Be brief."), *SAID]
FORMATS = {
    "plain": PLAIN,
    "chatml": CHATML,
    "blenderbot": BLENDERBOT,
    "instruction": INSTRUCTION,
    "with an end": dataclasses.replace(PLAIN, end="\n\n"),
}


@pytest.mark.parametrize("turns", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("said", [SAID, TOLD], ids=["alone", "told"])
def test_what_the_model_says_follows_what_it_is_asked(turns, said):
    text, spans = turns.spans(said)
    answers = [place for place, (who, _) in enumerate(said) if who == "model"]
    assert len(spans) == len(answers) == 2
    for place, (start, stop) in zip(answers, spans, strict=True):
        assert text[:start] == turns.text(said[:place])
        assert text[start:stop].strip() == (said[place][1] + turns.end).strip()
        assert text[:stop] == turns.spans(said[: place + 1])[0]
    assert text + turns.cue == turns.text(said)


def test_a_conversation_that_the_model_begins_has_no_separator_before_it():
    text, [(start, stop)] = PLAIN.spans([("model", "Hello")])
    assert (text, text[start:stop]) == ("Bot: Hello", " Hello")
    text, [(start, stop)] = BLENDERBOT.spans([("model", "Hello")])
    assert text[start:stop] == text == " Hello"


def test_chatml_is_what_published_models_read():
    assert CHATML.text(TOLD[:2]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHi {}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_special_token_ends_an_answer_as_a_token_and_a_text_as_a_text():
    plain = tokenizers.byte_level()
    assert CHATML.stops(plain.with_tokens(CHATML.tokens)) == (257,)
    assert CHATML.stops(plain) == ("<|im_end|>",)
    assert FORMATS["with an end"].stops(plain) == ("\n\n", *PLAIN.stop)
    assert BLENDERBOT.stops(plain) == ()


def test_marks_that_would_be_spelled_out_are_refused():
    marked = tokenizers.byte_level().with_tokens(CHATML.tokens)
    CHATML.check(marked)
    PLAIN.check(tokenizers.byte_level("<pad>"))
    deaf = tokenizers.Tokenizer(marked.core)
    lacking = tokenizers.byte_level().with_tokens(CHATML.tokens[:1])
    for tokenizer, token in ((deaf, "start"), (lacking, "end")):
        with pytest.raises(ValueError, match=rf"spells '<\|im_{token}\|>'"):
            CHATML.check(tokenizer)
    ended = dataclasses.replace(PLAIN, end="</s>")
    with pytest.raises(ValueError, match="spells '</s>'"):
        ended.check(tokenizers.byte_level(end_token="</s>"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"person": "User:"}, ValueError, "`person` must have one {}"),
        ({"system": "{} {}"}, ValueError, "`system` must have one {}"),
        (
            {"cue": "Bot:"},
            ValueError,
            r"`cue` must begin .*'\\nBot: '. Received: cue='",
        ),
        ({"end": 2}, TypeError, "`end` must be a str. Received: end=2"),
        ({"stop": (2,)}, TypeError, "`stop` must be a str"),
        ({"tokens": (2,)}, TypeError, "`tokens` must be a str"),
    ],
)
def test_marks_that_make_no_sense_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(PLAIN, **changes)


def test_only_three_may_speak():
    with pytest.raises(ValueError, match=r"person, model, system\. Received: 'u'"):
        PLAIN.text([("u", "Hi")])


def test_a_config_brings_it_back():
    assert Turns(**CHATML.get_config()) == CHATML
    assert Turns(**{**PLAIN.get_config(), "stop": [*PLAIN.stop]}) == PLAIN
    assert Turns(**{**CHATML.get_config(), "tokens": [*CHATML.tokens]}) == CHATML
