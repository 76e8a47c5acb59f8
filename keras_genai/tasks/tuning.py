"""Tuning: a task that aligns a policy, and is otherwise that policy."""

import functools

import keras

from keras_genai.files.shards import LARGEST_SHARD
from keras_genai.tasks.base import Task
from keras_genai.tasks.calls import compile_arguments
from keras_genai.tasks.reference import check_texts, settle


class Tuning(Task):
    """What tasks share that go on training a model that writes or paints already.

    A subclass has the fields `policy`, a `CausalLM`, a `Seq2SeqLM` or a `Diffusion`,
    and `reference`, see `keras_genai.tasks.reference.settle`. What was learned is in
    the policy: that is what presets hold, what generates, and what a tokenizer belongs
    to.
    """

    def _policy(self, values, dtype):
        models = [value for value in values if isinstance(value, Task)]
        networks = [net for model in models[:1] for net in model.networks.values()]
        return super()._policy(networks, dtype)

    def _make_if_complete(self):
        # Before layers of this task are made: a copy has names of its own.
        self.reference = settle(self.policy, self.reference, self.check_reference)
        self.jit_generate = self.policy.jit_generate
        super()._make_if_complete()

    def check_reference(self, policy, reference):
        """Raises unless another model can be compared with the policy."""
        check_texts(policy, reference)

    @property
    def target(self):
        """`Modality`: what the policy makes."""
        return self.policy.target

    @property
    def given(self):
        """tuple of `Modality`: what the policy reads."""
        return self.policy.given

    @property
    def tokenizer(self):
        return self.policy.tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer):
        for model in (self.policy, self.reference):
            if isinstance(model, Task):
                model.tokenizer = tokenizer

    @property
    def vocabulary_size(self):
        return self.policy.vocabulary_size

    @property
    def context(self):
        return self.policy.context

    @property
    def decoding(self):
        return self.policy.decoding

    @functools.wraps(keras.Model.compile)
    def compile(self, *args, **kwargs):
        super().compile(**compile_arguments(self, args, kwargs))

    def generate(self, *args, **kwargs):
        """What the policy makes: its own `generate`."""
        return self.policy.generate(*args, **kwargs)

    def save_to_preset(
        self, folder, card=None, format="keras_genai", max_shard_size=LARGEST_SHARD
    ):
        """Writes the policy; see `Task.save_to_preset`. It opens as what it is."""
        self.policy.save_to_preset(folder, card, format, max_shard_size)
