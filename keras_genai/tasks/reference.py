"""What a policy is compared with while it is aligned: its reference.

A reference does not learn. Wherever it can it is the policy itself, computed in another
way within the same compiled function, so that no second model takes memory.
"""

import contextlib
import dataclasses

from keras_genai.layers import adapters
from keras_genai.registry import register
from keras_genai.tasks.likelihood import check_policy


@register
@dataclasses.dataclass(frozen=True)
class AdapterOff:
    """A reference: the policy without its adapters, to the bit."""

    def get_config(self):
        return {}


@register
@dataclasses.dataclass(frozen=True)
class FromBatch:
    """A reference that is no model: batches hold its log-probabilities."""

    def get_config(self):
        return {}


def check_texts(policy, reference):
    """Raises unless a model can say how probable it finds what a policy writes.

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        reference: what came.

    Raises:
        TypeError: if it is none of these.
        ValueError: if it has another vocabulary, or reads otherwise.
    """
    check_policy(reference, "reference")
    ours, theirs = policy.tokenizer, reference.tokenizer
    same = ours is None or theirs is None or ours.to_json() == theirs.to_json()
    if not same or policy.vocabulary_size != reference.vocabulary_size:
        raise ValueError(
            "`reference` must have the policy's vocabulary, token by token. Received: "
            f"{reference.vocabulary_size} tokens for {policy.vocabulary_size}"
        )
    if hasattr(policy.network, "encode") != hasattr(reference.network, "encode"):
        raise ValueError(
            f"`reference` must read as the policy does, a {type(policy).__name__}. "
            f"Received: a {type(reference).__name__}"
        )


def settle(policy, reference=None, check=check_texts):
    """The reference that is meant, of what a user may say.

    Args:
        policy: `CausalLM`, `Seq2SeqLM` or `Diffusion`.
        reference: `None`: the policy as it is now. That is `AdapterOff()` if all that
            it has learned since is yet to come into a new adapter, else a frozen copy.
            Or the name of an adapter of the policy that is not trained; or another
            model of the same kind and tokens, which is frozen by this; or
            `AdapterOff()` or `FromBatch()`.
        check: function of the policy and another model that raises unless they can be
            compared.

    Returns:
        The adapter's name, a frozen model, `AdapterOff()` or `FromBatch()`.

    Raises:
        TypeError: if it is none of these.
        ValueError: if there is no such adapter, or it is the one that is trained; or
            if the model is the policy itself, or cannot be compared with it.
    """
    if reference is None:
        reference = _as_it_is(policy)
    if isinstance(reference, AdapterOff | FromBatch):
        return reference
    if isinstance(reference, str):
        return _checked_name(policy, reference)
    if reference is policy:
        raise ValueError(
            "`reference` must be another model than the policy, which learns: None is "
            "the policy as it is now. Received: the policy"
        )
    check(policy, reference)
    reference.trainable = False
    return reference


@contextlib.contextmanager
def acting(policy, reference):
    """Context that yields the model which computes what a reference says.

    Args:
        policy: `CausalLM`, `Seq2SeqLM` or `Diffusion`.
        reference: what `settle` returned.

    Raises:
        ValueError: if the reference is in the batches.
    """
    if isinstance(reference, FromBatch):
        raise ValueError(
            "`reference` must be a model or an adapter, unless batches have "
            f"log-probabilities of it. Received: {reference}"
        )
    if isinstance(reference, AdapterOff | str):
        name = reference if isinstance(reference, str) else None
        with adapters.computing_with(policy, name):
            yield policy
    else:
        yield reference


def _as_it_is(policy):
    active = adapters.installed(policy).active
    if active is not None and adapters.changes_nothing(policy, active):
        return AdapterOff()
    return frozen_copy(policy)


def frozen_copy(policy):
    """A model of the same weights that is not trained; its parts have other names."""
    config = policy.get_config()
    network = config["network"]["config"]
    config["name"] = "reference"
    network["name"] = f"reference_{network['name']}"
    copy = type(policy).from_config(config)
    for old, new in zip(policy.weights, copy.weights, strict=True):
        new.assign(old)
    return copy


def _checked_name(policy, name):
    state = adapters.installed(policy)
    known = [each.name for each in state.adapters if each.name != state.active]
    if name not in known:
        raise ValueError(
            f"`reference` must be one of {known}, the adapters of {policy.name} that "
            f"are not trained. Received: reference={name!r}"
        )
    return name
