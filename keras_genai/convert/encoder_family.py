"""What a family of encoders says once: its settings, its network, names of tensors.

`keras_genai.convert.encoders` makes all heads of it.
"""

import dataclasses
from collections.abc import Callable

from keras_genai.convert.encoder_settings import ACTIVATIONS
from keras_genai.networks.bert import BERT


def network_arguments(encoder, settings, has_pooler):
    """The arguments of the `BERT` that a config.json describes."""
    return {
        "vocabulary_size": settings.vocab_size,
        "context": settings.context,
        "depth": settings.num_hidden_layers,
        "width": settings.hidden_size,
        "num_heads": settings.num_attention_heads,
        "inner_width": settings.intermediate_size,
        "dropout": settings.hidden_dropout_prob,
        "activation": ACTIVATIONS[settings.hidden_act],
        "num_segments": settings.type_vocab_size if encoder.has_segments else None,
        "has_pooler": has_pooler,
        "style": encoder.style(settings),
    }


@dataclasses.dataclass(frozen=True)
class Guesses:
    """Names in the head that guesses tokens.

    Args:
        transform: str, the dense layer.
        norm: str, its normalisation.
        decoder: str, the matrix, which is the token table if it is tied.
        bias: str or `None`, a name of its own that the matrix' bias has, too.
        bias_key: str or `None`, the key of config.json that says whether there is one.
        unused: regular expressions of tensors, without prefix, that were trained
            beside it and are not read.
    """

    transform: str
    norm: str
    decoder: str
    bias: str | None = None
    bias_key: str | None = None
    unused: tuple = ()


@dataclasses.dataclass(frozen=True)
class Encoder:
    """What a family of encoders says once, for all of its heads.

    Args:
        model_type: str.
        stem: str, how the names of its classes begin.
        prefix: str, see `Family`.
        settings: subclass of `EncoderSettings`.
        style: `style(settings)`, the style of the network.
        describe: `describe(network)`, the dict of config.json for a network; it raises
            `ValueError` if this family cannot express it.
        rules: `rules(network)`, for all of a network but its pooler.
        table: str, the name of the token table.
        guesses: `Guesses`.
        has_segments: bool. Whether it tells kinds of sentences apart.
        pooler: str or `None`, the pooler's name if the body has one.
        classifier: pair of str, or `None`: the two layers of a head that labels texts
            and has a pooler of its own.
        transform: pair of str, or `None`: the layer before the last one and its norm,
            if every head has them, the one that labels texts in its pooler.
        span: str, the layer of a head that answers questions.
        dropouts: dict from the class of a task to the key of its head's dropout.
        tokenizer, rename: see `Family`.
        unused: regular expressions of tensors, without prefix, that no head here reads.
        more: `more(encoder)`, a tuple of further `Architecture`.
        network: class of the network.
        arguments: `arguments(encoder, settings, has_pooler)`, a dict of its arguments.
    """

    model_type: str
    stem: str
    prefix: str
    settings: type
    style: Callable
    describe: Callable
    rules: Callable
    table: str
    guesses: Guesses
    tokenizer: Callable
    has_segments: bool = True
    pooler: str | None = None
    classifier: tuple | None = None
    transform: tuple | None = None
    span: str = "qa_outputs"
    dropouts: dict = dataclasses.field(default_factory=dict)
    rename: Callable = lambda name: name
    unused: tuple = ()
    more: Callable = lambda encoder: ()
    network: type = BERT
    arguments: Callable = network_arguments
