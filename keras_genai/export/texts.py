"""`generate` of models that write texts, as endpoints."""

import numpy as np
import tensorflow as tf

from keras_genai.export.endpoints import Endpoint, small, spec
from keras_genai.export.writing import as_asked, write
from keras_genai.layers.attention import without_xla
from keras_genai.samplers.session import Session
from keras_genai.samplers.text import read_stop
from keras_genai.samplers.tokens import Sample
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

ASKED = {  # how tokens are chosen, in every call
    "seed": spec("int64"),
    "temperature": spec("float32"),
    "top_k": spec("int32"),
    "top_p": spec("float32"),
}
PLAIN = {
    "seed": np.int64(7),
    "temperature": np.float32(1),
    "top_k": np.int32(0),
    "top_p": np.float32(1),
}
NEW = 6  # tokens of the small call


def texts(model):
    """`generate` and `generate_xla` of a model that writes, or why it has none.

    Args:
        model: `Task`.

    Returns:
        `(endpoints, notes)`: lists of `Endpoint` and of str.
    """
    if isinstance(model, CausalLM):
        return _both(_continuing, model), []
    if not isinstance(model, Seq2SeqLM):
        return [], []
    if type(model).starts is not Seq2SeqLM.starts:
        return [], [
            f"generate is left out: what a {type(model).__name__} begins with depends "
            "on what it hears"
        ]
    notes = []
    beams = model.generation.num_beams
    if beams > 1:
        notes = [f"generate follows one text; the model itself searches with {beams}"]
    return _both(_answering, model), notes


def _both(make, model):
    """`generate`, and where XLA compiles the model `generate_xla`."""
    found = [make(model, "generate", False)]
    return [*found, make(model, "generate_xla", True)] if model.jit_generate else found


def _endpoint(name, run, specs, example, expected, compiled):
    """An `Endpoint` that XLA compiles, or that needs no XLA at all."""
    if compiled:
        function = tf.function(run, jit_compile=True, autograph=False)
    else:

        def function(tensors):
            with without_xla():
                return run(tensors)

    return Endpoint(name, function, specs, example, expected, compiled)


def _continuing(model, name, compiled):
    """Of a `CausalLM`: it goes on with prompts."""
    ends, _ = read_stop(tuple(model.ends), model.tokenizer, model.vocabulary_size)
    specs = {
        "tokens": spec("int32", None, None),
        "lengths": spec("int32", None),
        "max_length": spec("int32"),
        **ASKED,
    }
    context = model.context
    tokens = small("tokens", specs["tokens"], 0, context and context - 1)
    lengths = np.array([tokens.shape[1], max(1, tokens.shape[1] - 2)], "int32")
    most = min(tokens.shape[1] + NEW, context or tokens.shape[1] + NEW)
    example = {
        "tokens": tokens,
        "lengths": lengths,
        "max_length": np.int32(most),
        **PLAIN,
    }

    def run(tensors):
        numbers = _numbers(model, ends, _within(tensors["max_length"], context))
        choose = as_asked((), (), tensors)
        prompts = tensors["tokens"], tensors["lengths"]
        return _found(write(model, choose, prompts, (), numbers))

    def expected(example):
        pairs = zip(example["tokens"], example["lengths"], strict=True)
        prompts = [row[:length] for row, length in pairs]
        return _padded(
            model.generate(prompts, most, Sample(), int(PLAIN["seed"])), most
        )

    return _endpoint(name, run, specs, example, expected, compiled)


def _answering(model, name, compiled):
    """Of a `Seq2SeqLM`: it writes what follows from something else."""
    start = int(model.starts([[0]])[0][0])
    ends = model.generation.end_tokens
    if ends is None:
        end = getattr(model.tokenizer, "end_token", None)
        ends = () if end is None else (end,)
    rules = model.generation.rules()
    field = model.fields["inputs"]
    specs = {
        "inputs": spec(field.dtype, None, *field.shape),
        "inputs_mask": spec("int32", None, None),
        "max_length": spec("int32"),
        **ASKED,
    }
    inputs = small("inputs", specs["inputs"], 0, model.context)
    most = min(1 + NEW, model.context or 1 + NEW)
    example = {
        "inputs": inputs,
        "inputs_mask": np.ones(inputs.shape[:2], "int32"),
        "max_length": np.int32(most),
        **PLAIN,
    }

    def run(tensors):
        inputs, is_real = tensors["inputs"], tensors["inputs_mask"] > 0
        numbers = _numbers(model, ends, _within(tensors["max_length"], model.context))
        if field.dtype == "int32":
            numbers["source"] = tf.where(is_real, inputs, -1)
        own = tuple(rule.numbers(model.vocabulary_size) for rule in rules)
        own = tf.nest.map_structure(tf.constant, own)
        choose = as_asked(rules, own, tensors)
        rows = tf.shape(inputs)[0]
        prompts = tf.fill((rows, 1), start), tf.fill((rows,), 1)
        text = write(model, choose, prompts, (inputs, is_real), numbers)
        # The start token is no part of a text.
        text = text._replace(tokens=text.tokens[:, 1:], lengths=text.lengths - 1)
        return _found(text)

    def expected(example):
        # Not by `generate`, which says words where no text is read.
        encoded = (
            tf.constant(example["inputs"]),
            tf.constant(example["inputs_mask"] > 0),
        )
        starts, sampler = model.starts(encoded), Sample(rules=rules)
        seed = int(PLAIN["seed"])
        session = Session(model, starts, sampler, most, {*ends}, seed, encoded)
        session.advance()
        return _padded([session.generated(row) for row in range(len(starts))], most - 1)

    return _endpoint(name, run, specs, example, expected, compiled)


def _numbers(model, ends, most):
    stops = np.zeros(model.vocabulary_size, bool)
    stops[list(ends)] = True
    return {"stops": tf.constant(stops), "max_length": most, "source": None}


def _within(most, context):
    """A text ends where the positions do; only a host can go on past them."""
    return most if context is None else tf.minimum(most, context)


def _found(text):
    return {"tokens": text.tokens, "lengths": text.lengths}


def _padded(rows, width):
    """dict of `tokens` and `lengths`, as an endpoint returns rows of tokens."""
    tokens = np.zeros((len(rows), width), "int32")
    for place, row in zip(tokens, rows, strict=True):
        place[: len(row)] = row
    return {"tokens": tokens, "lengths": np.array([len(row) for row in rows], "int32")}
