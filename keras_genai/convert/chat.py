"""The chat template of a published folder, as the turns of a conversation."""

import warnings

from keras_genai.convert.tokenizer_files import read_options
from keras_genai.data.template_leash import LARGEST_TEMPLATE
from keras_genai.data.template_turns import template_turns
from keras_genai.data.tokenizer_options import token_text
from keras_genai.files.finding import find_file
from keras_genai.files.text import read_text
from keras_genai.tasks.presets import PresetError

TEMPLATE = "chat_template.jinja"
_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")


def read_turns(folder, tokenizer):
    """How conversations are written down for the model of a folder.

    Args:
        folder: path.
        tokenizer: `Tokenizer` or `None`.

    Returns:
        `TemplateTurns`; or `None` if there is no template, or one that is not used:
        then a warning says why.

    Raises:
        PresetError: if a file is damaged.
    """
    options = read_options(folder)
    template = _template(folder, options)
    if template is None or tokenizer is None:
        return None
    special = {key: text for key in _SPECIAL if (text := token_text(options.get(key)))}
    try:
        turns = template_turns(template, special, tokenizer)
        turns.check(tokenizer)
    except (ValueError, ImportError) as error:
        warnings.warn(f"{folder}: its chat template is not used: {error}", stacklevel=3)
        return None
    return turns


def _template(folder, options):
    """The text of the template, or `None`; of several the one called `default`."""
    path = find_file(folder, TEMPLATE)
    if path is not None:
        try:
            return read_text(path, 4 * LARGEST_TEMPLATE)
        except (ValueError, OSError) as error:
            raise PresetError(str(error)[:300]) from None
    found = options.get("chat_template")
    if isinstance(found, list):
        named = [each for each in found if isinstance(each, dict)]
        named = {str(each.get("name")): each.get("template") for each in named}
        found = named.get("default")
    return found if isinstance(found, str) else None
