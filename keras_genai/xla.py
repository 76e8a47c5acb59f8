"""What layers and losses ask about XLA."""

import math

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def in_xla():
    """Whether this call is part of a function that XLA compiles."""
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def is_vector_in_xla(x):
    """Whether `x`, `(..., size)`, is one vector in a function that XLA compiles."""
    return math.prod(size or 2 for size in x.shape[:-1]) == 1 and in_xla()
