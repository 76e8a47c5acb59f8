"""No option of a config.json is read past in silence, in any family."""

import json
import pathlib
import warnings

import pydantic
import pytest

from keras_genai.convert.families import FAMILIES
from keras_genai.convert.known_settings import KnownSettings

FILE = pathlib.Path(__file__).parent.parent / "parity/files/options.json"
# What the config classes of transformers 5 state by themselves, by `model_type`.
STATED = json.loads(FILE.read_text("utf-8"))
# What a class of theirs makes of another key, `use_sliding_window`.
DERIVED = {("qwen2", "sliding_window"), ("qwen3", "sliding_window")}
PARTS = ("text_config", "vision_config")  # of a CLIP


def settings_of(model_type, config):
    return FAMILIES[model_type].settings.model_validate_json(json.dumps(config))


def schemas(model_type):
    """The schemas of a config.json and of its parts, with what is stated of each."""
    whole, stated = FAMILIES[model_type].settings, dict(STATED[model_type])
    found = []
    for part in PARTS:
        if part in whole.model_fields:
            found.append((whole.model_fields[part].annotation, stated.pop(part)))
    return [(whole, stated), *found]


def test_every_family_is_looked_at():
    assert STATED.keys() == FAMILIES.keys()


@pytest.mark.parametrize("model_type", FAMILIES)
def test_every_option_of_transformers_is_known(model_type):
    for schema, stated in schemas(model_type):
        assert issubclass(schema, KnownSettings)
        assert stated.keys() <= schema.known_keys()


@pytest.mark.parametrize("model_type", FAMILIES)
def test_an_option_that_nobody_knows_is_said(model_type):
    for part in (None, *PARTS):
        if part is None:
            config = {"mystery": 3}
        elif part in FAMILIES[model_type].settings.model_fields:
            config = {part: {"mystery": 3}}
        else:
            continue
        with pytest.warns(UserWarning, match="mystery"):
            settings_of(model_type, config)


@pytest.mark.parametrize("model_type", FAMILIES)
@pytest.mark.parametrize("key", ["quantization_config", "pruned_heads"])
def test_what_would_change_the_numbers_is_refused_by_name(model_type, key):
    with pytest.raises(pydantic.ValidationError, match=key):
        settings_of(model_type, {key: {"0": [1], "quant_method": "gptq"}})


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_key_that_is_left_out_means_what_transformers_means(model_type):
    """So that a config.json need not say whether its tables are tied, for instance."""
    with warnings.catch_warnings(action="error"):
        settings_of(model_type, {})
    for schema, stated in schemas(model_type):
        for name, field in schema.model_fields.items():
            key = field.validation_alias or name
            if field.default is None or key not in stated or key in PARTS:
                continue
            if (model_type, key) in DERIVED:
                continue
            assert field.default == stated[key], key
