"""More tokens for a model that is there, such as the marks of a conversation."""

import numpy as np

from keras_genai.layers.quantized import is_quantized

NEAR = 0.01  # how far from their mean new vectors begin, in spreads of the old ones


def add_tokens(model, tokens, seed=0):
    """A model that knows more tokens.

    Every table with a row a token gets rows for them. Each begins near the mean of the
    rows that are there, so that the model goes on to say what it said: it takes a new
    token for no more probable than the others are on average.

        model = add_tokens(model, CHATML.tokens)
        model.turns = CHATML

    Args:
        model: `Task` with a tokenizer and a `vocabulary_size`, such as `CausalLM`. It
            stays as it is.
        tokens: sequence of str, see `Tokenizer.with_tokens`.
        seed: int. Decides the new rows.

    Returns:
        A new model of the same class, not compiled, whose tokenizer reads the tokens
        where a text spells them.

    Raises:
        ValueError: if the model has no tokenizer, tables of counts or 8-bit weights, or
            if `Tokenizer.with_tokens` refuses the tokens.

    Reference: Hewitt 2021, Initializing New Word Embeddings for Pretrained Language
        Models
    """
    _check(model)
    tokenizer = model.tokenizer.with_tokens(tokens)
    size = max(model.vocabulary_size, tokenizer.vocabulary_size)
    config = {**_sized(model.get_config(), size), "tokenizer": tokenizer.to_json()}
    grown = type(model).from_config(config)
    old, draws = model.preset_weights(), np.random.default_rng(seed)
    for path, weight in grown.preset_weights().items():
        weight.assign(_grown(old[path].numpy(), tuple(weight.shape), draws))
    return grown


def _check(model):
    has_size = getattr(model, "vocabulary_size", None) is not None
    if model.tokenizer is None or not has_size or model.counts_tokens:
        raise ValueError(
            "`model` must have a tokenizer and a vector for each of its tokens. "
            f"Received: {model.name}, a {type(model).__name__}"
        )
    if is_quantized(model):
        raise ValueError(
            f"`model` must have float weights. Received: {model.name} with 8-bit "
            "weights"
        )


def _sized(config, size):
    """A plain config in which every vocabulary has this size."""
    if isinstance(config, list):
        return [_sized(value, size) for value in config]
    if not isinstance(config, dict):
        return config
    return {
        key: size if key == "vocabulary_size" else _sized(value, size)
        for key, value in config.items()
    }


def _grown(array, shape, draws):
    """An array with more rows, or columns, along the axis where `shape` is larger."""
    axes = [axis for axis, size in enumerate(shape) if array.shape[axis] != size]
    for axis in axes:
        old = array.astype("float32")
        more = (*shape[:axis], shape[axis] - array.shape[axis], *shape[axis + 1 :])
        spread = NEAR * old.std(axis, keepdims=True) * draws.normal(size=more)
        new = old.mean(axis, keepdims=True) + spread
        array = np.concatenate([array, new.astype(array.dtype)], axis)
    return array
