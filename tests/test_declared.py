"""Arguments that are declared once."""

import inspect

import numpy as np
import tensorflow as tf

from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM


def test_a_class_shows_its_fields_and_its_objects_are_called_as_models():
    network = GPT(vocabulary_size=5, context=8, depth=1, width=4, num_heads=2)
    model = CausalLM(network)
    assert {"network", "target"} <= inspect.signature(CausalLM).parameters.keys()
    assert {"context", "width", "dtype"} <= inspect.signature(GPT).parameters.keys()
    assert "target" not in inspect.signature(model).parameters
    # A function of TensorFlow looks at the signature of what it is made of.
    tokens = np.array([[1, 2, 3]], "int32")
    for each in (network, model):
        np.testing.assert_allclose(tf.function(each)(tokens), each(tokens), atol=1e-6)
