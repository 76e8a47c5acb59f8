"""Published checkpoints: their folders to our models and back.

Importing this package teaches `from_preset` and `save_to_preset` the format
`"huggingface"`.
"""

from keras_genai.convert import huggingface
from keras_genai.tasks import presets

presets.add_format(
    "huggingface", huggingface.recognizes, huggingface.read, huggingface.write
)
