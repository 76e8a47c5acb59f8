"""The page for people who come from transformers lists what is read, and no more."""

import pathlib
import re

from keras_genai.convert.families import FAMILIES

PAGE = pathlib.Path(__file__).parents[2] / "docs/from_transformers.md"
ROW = re.compile(r"^\| `([\w-]+)` \| ((?:`\w+`(?:, )?)+) \|$", re.MULTILINE)


def test_every_class_of_every_family_is_in_the_table():
    text = PAGE.read_text("utf-8")
    listed = {name: re.findall(r"\w+", classes) for name, classes in ROW.findall(text)}
    known = {
        name: [*dict.fromkeys(each.name for each in family.architectures)]
        for name, family in FAMILIES.items()
    }
    assert listed == known


def test_what_is_not_covered_is_no_class_that_is():
    text = PAGE.read_text("utf-8")
    _, _, rest = text.partition("## Not covered")
    named = set(re.findall(r"\w+", "".join(re.findall(r"`[^`]+`", rest))))
    known = {each.name for family in FAMILIES.values() for each in family.architectures}
    assert rest
    assert not named & known
