"""One architecture a file; models never import each other.

All are imported here, so that a preset finds its class in the registry.
"""

from keras_genai.models.gpt import GPT
from keras_genai.models.ngram import NGram
from keras_genai.models.rnn import RNNLM

__all__ = ["GPT", "RNNLM", "NGram"]
