# Written by tools/stubs.py.
from . import families as families
from . import huggingface as huggingface
