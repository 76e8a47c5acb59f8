"""How probable a policy finds what follows a prompt, token by token.

A *policy* is a language model that is being aligned: a `CausalLM` or a `Seq2SeqLM`. A
row of a batch is a prompt, then its completion, then padding. What is which is told by
two lengths and never by a token, because padding may be a token that means something.
"""

from typing import NamedTuple

from keras import ops

from keras_genai import compat
from keras_genai.checks import check_number
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

Policy = CausalLM | Seq2SeqLM


class Completions(NamedTuple):
    """What a policy makes of the tokens of completions, the first one in column 0.

    Attributes:
        hidden: float `(B, L, W)`: the vectors from which each token is predicted.
        tokens: int `(B, L)`: those tokens.
        mask: bool `(B, L)`: true where the completion is. What stands elsewhere means
            nothing.
    """

    hidden: object
    tokens: object
    mask: object


def token_log_probabilities(
    policy, tokens, prompt_lengths, lengths, temperature=1.0, length=None
):
    """The log-probability of every token of completions.

    Dropout is off, also in training: a policy is compared with what it was, or with
    another, and chance would be a difference. The output matrix, most of the work of a
    small model, is used for completions only.

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        tokens: int `(B, T)`: prompt, completion, and padding on the right. Of a
            `Seq2SeqLM` a dict as it is called with, but `targets`, `(B, T)`, are whole:
            the decoder's start token, which is the prompt, the completion, padding.
        prompt_lengths: int `(B,)`, at least 1. Tokens of each prompt.
        lengths: int `(B,)`. Tokens of prompt and completion together.
        temperature: float or float32 scalar tensor, above 0. Divides the logits, as
            where the completions were drawn.
        length: int or `None` (T - 1). L, the tokens of the longest completion; what is
            beyond is cut off.

    Returns:
        `(log_probabilities, mask)`: float32 `(B, L)` in nats, 0 where there is no
        completion, and bool `(B, L)`, true where there is. Column 0 is the first token
        after the prompt.

    Raises:
        TypeError: if `policy` is none of these.
        ValueError: if `temperature` is not above 0.
    """
    read = read_completions(policy, tokens, prompt_lengths, lengths, length)
    with compat.not_training():
        logits = policy.network.logits(read.hidden)
    nats = log_probabilities(logits, read.tokens, temperature)
    return ops.where(read.mask, nats, 0.0), read.mask


def read_completions(policy, tokens, prompt_lengths, lengths, length=None):
    """What a policy makes of completions before its output matrix, without dropout.

    Args:
        policy, tokens, prompt_lengths, lengths, length: see `token_log_probabilities`.

    Returns:
        `Completions`.

    Raises:
        TypeError: if `policy` is neither a `CausalLM` nor a `Seq2SeqLM`.
    """
    check_policy(policy)
    with compat.not_training():
        hidden, written = _hidden(policy.network, tokens)
    most = written.shape[1] or ops.shape(written)[1]
    columns = ops.arange(most - 1 if length is None else length)[None]
    # The vector at a place predicts the token at the next one.
    places = ops.cast(prompt_lengths, "int32")[:, None] - 1 + columns  # (B, L)
    mask = places + 1 < ops.cast(lengths, "int32")[:, None]
    places = ops.clip(places, 0, most - 2)
    return Completions(
        ops.take_along_axis(hidden, places[..., None], axis=1),
        ops.take_along_axis(written, places + 1, axis=1),
        mask,
    )


def log_probabilities(logits, tokens, temperature=1.0):
    """float32 `(B, L)`, in nats: log-probabilities of tokens that logits choose from.

    Args:
        logits: float32 `(B, L, V)`.
        tokens: int `(B, L)`.
        temperature: see `token_log_probabilities`.
    """
    if isinstance(temperature, int | float):
        allowed = "a number above 0"
        check_number("temperature", temperature, allowed, lambda value: value > 0)
    scaled = ops.cast(logits, "float32") / temperature
    return -ops.sparse_categorical_crossentropy(tokens, scaled, from_logits=True)


def check_policy(policy, name="policy"):
    """Raises a `TypeError` unless a model can be a policy.

    Args:
        policy: what came.
        name: str, the argument.
    """
    if not isinstance(policy, Policy) or isinstance(policy, CountingLM):
        raise TypeError(
            f"`{name}` must be a CausalLM or a Seq2SeqLM that learns by gradients. "
            f"Received: a {type(policy).__name__}"
        )


def _hidden(network, tokens):
    """Vectors at all tokens but the last, and all tokens `(B, T)` that are written."""
    if not isinstance(tokens, dict):
        return network.hidden(tokens[:, :-1]), tokens
    memory = network.encode(tokens["inputs"], tokens["inputs_mask"])
    return network.hidden(tokens["targets"][:, :-1], memory), tokens["targets"]
