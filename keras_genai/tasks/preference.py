"""PreferenceTuning: a policy learns which of two completions is the better one."""

import functools
from typing import Annotated, Any, ClassVar

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.data import conversations
from keras_genai.data.held import in_batches
from keras_genai.data.preferences import (
    labelled_arrays,
    pair_arrays,
    sequence_labelled_arrays,
    sequence_pair_arrays,
)
from keras_genai.declared import part
from keras_genai.preferences import Scored, Sigmoid
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.likelihood import check_policy, token_log_probabilities
from keras_genai.tasks.reference import FromBatch, acting
from keras_genai.tasks.rows import over_rows
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.tuning import Tuning
from keras_genai.tasks.values import Span, need

BATCH = 32  # rows whose reference is computed at once
# How far policy and reference may be apart before the first step, relative to the
# log-probability of a completion.
APART = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 5e-3}


@register
class PreferenceTuning(Tuning):
    """Trains a policy on preferences, without a reward model: DPO and its relatives.

        tuning = PreferenceTuning(policy, loss=Sigmoid(beta=0.1))
        tuning.compile(keras.optimizers.AdamW(1e-5))
        tuning.fit(tuning.loader(pairs))
        policy.save_to_preset("my_dpo")

    Dropout is off. Before the first step the policy is its reference, unless another
    was named, so that the loss is ln 2 with `Sigmoid`; `fit` refuses to go on
    otherwise. Log-probabilities of the better completions may fall, too: watch
    `logps/chosen`, and see `nll_weight` of the losses.

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        loss: object of `keras_genai.preferences`: `Sigmoid`, `IPO`, `KTO`, ...
        reference: what the policy is compared with, by a loss that compares. `None`:
            the policy as it is now. Or the name of an adapter, or another model; see
            `keras_genai.tasks.reference.settle`.

    Call arguments:
        inputs: dict of `tokens`, int `(B, 2, T)`, two completions of each prompt,
            whole rows: the prompt, the completion, padding on the right;
            `prompt_lengths`, int `(B,)`; and `completion_mask`, bool `(B, 2, L)`, true
            for as many columns as a completion has tokens. Of a `Seq2SeqLM` also
            `inputs` and `inputs_mask`, `(B, S)`, what it reads; `tokens` are what its
            decoder does, the start token first, without `prompt_lengths`. With `KTO`
            also `labels`, int `(B,)`, and the second completion is one of another
            prompt. Perhaps `reference`, float32 `(B, 2)`, its log-probabilities.
            `loader` makes all of it.
        training: bool. It changes nothing.

    Returns:
        dict of float32 `(B, 2)`: `policy` and, if it is compared, `reference`,
        log-probabilities of whole completions in nats; and `lengths`, in tokens.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: as `settle` says; or in `fit`, if policy and reference are not the
            same before the first step although they should.

    Reference: Rafailov et al. 2023, https://arxiv.org/abs/2305.18290
    """

    policy: Annotated[Any, lambda name, value: check_policy(value, name)]
    loss: Annotated[Any, part("paired", "keras_genai.preferences")] = Sigmoid()
    reference: Any = None

    transient: ClassVar = ("start_gap",)

    def _make_if_complete(self):
        self._starts_as_reference = self.reference is None
        if not self.loss.needs_reference and self.reference is None:
            self.reference = FromBatch()  # nobody asks for it
        super()._make_if_complete()

    def check(self):
        if not self.loss.needs_reference and self.reference != FromBatch():
            raise ValueError(
                f"`reference` must be None: {type(self.loss).__name__} needs none. "
                f"Received: {self.reference!r}"
            )

    def make(self):
        self.trackers = {
            name: keras.metrics.Mean(name=name) for name in self.loss.names
        }
        # How far policy and reference were apart in the first batch.
        self.start_gap = self.add_weight(
            (),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
            name="start_gap",
        )

    @property
    def writes_pairs(self):
        """bool: whether the policy is a `Seq2SeqLM`."""
        return isinstance(self.policy, Seq2SeqLM)

    def looked_up(self, x, y=None):
        names = {"tokens", "completion_mask"}
        names |= {"inputs", "inputs_mask"} if self.writes_pairs else {"prompt_lengths"}
        names |= set() if self.loss.paired else {"labels"}
        need(x, names, " as `loader` makes it")
        shape, most = x["tokens"].shape, self.context
        if len(shape) != 3 or (most and shape[-1] > most + 1):
            raise ValueError(
                "`tokens` must be ints of shape (batch, 2, length), of which all but "
                f"the last are within context={most}. Received: shape {tuple(shape)}"
            )
        return [Span("tokens", x["tokens"], self.vocabulary_size)]

    def call(self, inputs, training=False):
        mask = ops.cast(inputs["completion_mask"], "float32")
        found = {
            "policy": log_probabilities(self.policy, inputs),
            "lengths": ops.sum(mask, axis=-1),
        }
        if self.loss.needs_reference:
            found["reference"] = self._reference_of(inputs)
        return found

    def _reference_of(self, inputs):
        """float32 `(B, 2)`, from which no gradient comes."""
        if inputs.get("reference") is not None:
            return ops.cast(inputs["reference"], "float32")
        with acting(self.policy, self.reference) as model:
            return ops.stop_gradient(log_probabilities(model, inputs))

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        policy = Scored(y_pred["policy"], y_pred["lengths"])
        parts = {"reference": None}
        if self.loss.needs_reference:
            parts["reference"] = Scored(y_pred["reference"], y_pred["lengths"])
            if training:
                self._note_start(policy, parts["reference"])
        if not self.loss.paired:
            parts["labels"] = x["labels"]
        for name, (values, weights) in self.loss.measure(policy, **parts).items():
            self.trackers[name].update_state(values, sample_weight=weights)
        values = self.loss(policy, **parts)
        return replicas.share(replicas.weighted_mean(values, sample_weight))

    def _note_start(self, policy, reference):
        """Keeps how far the two are apart in the first batch of all."""
        apart = ops.abs(policy.sums - reference.sums) / (1 + ops.abs(reference.sums))
        apart = ops.where(policy.lengths > 0, apart, float("inf"))
        is_first = ops.equal(self.optimizer.iterations, 0)
        self.start_gap.assign(ops.where(is_first, ops.max(apart), self.start_gap))

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        given = arguments(keras.Model.fit, self, args, kwargs)
        if self._starts_as_reference:
            callbacks = given.pop("callbacks", None) or []
            callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
            given["callbacks"] = [_StartCheck(), *callbacks]
        return super().fit(**given)

    def loader(
        self,
        rows,
        batch_size=16,
        length=None,
        shuffle=True,
        seed=0,
        store_reference=False,
    ):
        """Batches for `fit` of preferences.

        Args:
            rows: list, generator or data set of dicts of `prompt`, `chosen` and
                `rejected`, with `KTO` of `prompt`, `completion` and `label`, a bool;
                or the path object of a `.jsonl` file of them. See
                `keras_genai.data.preferences`.
            batch_size: int.
            length: int or `None` (the model's context). Tokens of a row at most, prompt
                included; of a `Seq2SeqLM` of each side. What is longer is cut at its
                end.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.
            store_reference: bool. Whether log-probabilities of the reference are
                computed now, once, and held in the batches: a quarter less work in
                every step.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, a row has other parts, a prompt
                leaves no room for a completion, or a completion is empty.
        """
        rows = conversations.rows(rows)
        arrays = self._arrays(rows, length or self.context)
        if store_reference:
            arrays["reference"] = self.reference_log_probabilities(arrays)
        return in_batches(arrays, len(rows), batch_size, shuffle, seed)

    def _arrays(self, rows, length):
        if self.tokenizer is None:
            raise ValueError(
                f"{self.name} must have a `tokenizer` to read texts. Received: None"
            )
        given = self.tokenizer, rows, length, self.policy.turns
        if not self.writes_pairs:
            make = pair_arrays if self.loss.paired else labelled_arrays
            return make(*given)
        make = sequence_pair_arrays if self.loss.paired else sequence_labelled_arrays
        return make(*given, self.policy.generation.decoder_start_token)

    def reference_log_probabilities(self, arrays, batch_size=BATCH):
        """What the reference says of all rows, to be put into batches as `reference`.

        With `FromBatch()` the policy, as it is now, says it.

        Args:
            arrays: dict of arrays as in a call, `(N, ...)`.
            batch_size: int. Rows that are computed at once.

        Returns:
            float32 array `(N, 2)`, in nats.
        """
        arrays = {key: value for key, value in arrays.items() if key != "reference"}
        stored = isinstance(self.reference, FromBatch)

        def build():
            if stored:
                return lambda batch: log_probabilities(self.policy, batch)
            return self._reference_of

        compute = compiled(self, ("reference", stored), build)

        def read(rows):
            batch = {key: value[rows] for key, value in arrays.items()}
            return compute(keras.tree.map_structure(ops.convert_to_tensor, batch))

        return over_rows(read, len(arrays["tokens"]), batch_size)


def log_probabilities(policy, batch):
    """The log-probability of each of the completions in a batch.

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        batch: dict of tensors, see `PreferenceTuning`.

    Returns:
        float32 `(B, 2)`, in nats.
    """
    tokens, mask = batch["tokens"], batch["completion_mask"]
    rows, mask = _side_by_side(tokens), _side_by_side(mask)
    if isinstance(policy, Seq2SeqLM):
        begins = ops.ones_like(rows[:, 0])
        read = {
            name: ops.repeat(batch[name], 2, axis=0)
            for name in ("inputs", "inputs_mask")
        }
        rows = {**read, "targets": rows}
    else:
        begins = ops.repeat(batch["prompt_lengths"], 2, axis=0)
    lengths = begins + ops.sum(ops.cast(mask, begins.dtype), axis=-1)
    length = mask.shape[-1] or ops.shape(mask)[-1]
    nats, _ = token_log_probabilities(policy, rows, begins, lengths, length=length)
    return ops.reshape(ops.sum(nats, axis=-1), (-1, 2))


def _side_by_side(rows):
    """`(2 B, T)` of pairs `(B, 2, T)`."""
    return ops.reshape(rows, (-1, rows.shape[-1] or ops.shape(rows)[-1]))


class _StartCheck(keras.callbacks.Callback):
    """Refuses to go on where the policy was not its reference before the first step."""

    async_safe = True

    def __init__(self):
        super().__init__()
        self.is_done = False

    def on_train_batch_end(self, batch, logs=None):
        if self.is_done:
            return
        self.is_done = True
        gap = float(ops.convert_to_numpy(self.model.start_gap))
        if not gap <= APART[self.model.compute_dtype]:
            raise ValueError(
                "`reference` must find completions as probable as the policy before "
                "the first step, so that no preference is there, and no completion "
                f"may be empty. Received: a relative difference of {gap:.2g}"
            )
