"""The card of an entry's preset: how it is scored, and how its samples are made."""

import functools
import types

import pytest

import zoo
from zoo import _cards


@pytest.mark.parametrize(
    ("name", "scored", "call"),
    [
        (
            "text_ddpm_digits",
            "scored with: guidance 2.0\n",
            'model.generate(prompts="a three left of a seven", guidance=2.0)',
        ),
        ("ddpm_digits", "scored with: guidance 1.5\n", "model.generate(guidance=1.5)"),
    ],
)
def test_a_card_says_what_an_entry_asks_of_its_model(name, scored, call):
    entry = zoo.get(name)
    model = entry.build(entry.stand_in(), **entry.tiny)
    text = _cards.card(model, entry, {"data": "digits"})
    assert text.startswith(f"# {name}\n\n{entry.head}\n")
    assert "without guidance" in text  # the model's own way
    assert text.index(scored) < text.index("- data: digits\n")
    assert f"\nsamples = {call}\n```" in text


def test_what_a_model_is_not_asked_for_is_no_part_of_its_card():
    model = types.SimpleNamespace(given=(types.SimpleNamespace(argument="labels"),))
    model.generate = lambda count, steps, sampler: None
    draw = functools.partial(print, count=9, steps=3, sampler=print, labels=(4, 5), x=1)
    assert _cards.asked(draw, model) == {"steps": 3, "labels": 4}
    assert _cards.asked(print, model) == {}
    del model.generate
    assert _cards.asked(draw, model) == {"labels": 4}
