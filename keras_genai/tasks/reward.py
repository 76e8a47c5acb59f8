"""RewardModel: how good a completion of a prompt is, learned from pairs."""

import functools
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from keras_genai import replicas
from keras_genai.data import conversations
from keras_genai.data.completions import encode_completions
from keras_genai.data.held import in_batches
from keras_genai.data.preferences import framed, framed_pair_arrays, pair_arrays
from keras_genai.data.turns import PLAIN, Turns
from keras_genai.declared import NotNegative, Rate
from keras_genai.modalities.base import Modality
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Text
from keras_genai.networks.language import LanguageNetwork, TokenNetwork
from keras_genai.registry import register
from keras_genai.samplers.session import bucket
from keras_genai.tasks.calls import compile_arguments
from keras_genai.tasks.text_task import BATCH, INPUTS, TextTask
from keras_genai.tasks.values import Span

FIGURES = ("accuracy", "margin", "mean_reward", "min_reward", "max_reward")


@register
class RewardModel(TextTask):
    """A number for a prompt with its completion: the higher, the better people like it.

    It learns from pairs, so that only differences mean something: `normalize` chooses
    zero and unit. A language network reads prompt and completion as one text, as a
    policy writes them, with the end token, and the number comes from the last token. An
    encoder reads them as a pair of texts.

    Args:
        network: any `TokenNetwork`, such as that of a trained `CausalLM`.
        target: `Number`.
        given: `Text`.
        dropout: float. Rate on the vector that the head reads.
        centering: float >= 0. Weight of the square of a pair's sum, which keeps the
            numbers around 0; 0.01 is usual.
        turns: `Turns`, how messages are written down.

    Call arguments:
        inputs: see `TextTask`, of one text a row, `(B, T)`; or of pairs, `(B, 2, T)`,
            the chosen one first, as `loader` makes them. Instead of `tokens_mask` there
            may be `prompt_lengths` and `completion_mask`, as in `PreferenceTuning`; and
            `margin`, float `(B,)`, by how much the chosen one shall at least be better.
        training: bool.

    Returns:
        float32 `(B,)`, or `(B, 2)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Ouyang et al. 2022, eq. 1, https://arxiv.org/abs/2203.02155; margin:
        Touvron et al. 2023, eq. 2, https://arxiv.org/abs/2307.09288; centering:
        Eisenstein et al. 2023, https://arxiv.org/abs/2312.09244
    """

    network: TokenNetwork
    target: Number = Number("reward")
    given: tuple[Modality, ...] = (Text(),)
    dropout: Rate = 0.0
    centering: NotNegative = 0.0
    turns: Turns = PLAIN

    verbs: ClassVar = ("score",)
    reads_pooled: ClassVar = True
    num_outputs: ClassVar = 1

    def make(self):
        width = self.network.width
        self.drop = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="head_dropout"
        )
        self.head = keras.layers.Dense(
            1,
            # Scores of unit vectors begin with a deviation of about 1.
            kernel_initializer=keras.initializers.RandomNormal(
                stddev=(width + 1) ** -0.5
            ),
            dtype="float32",
            name="head",
        )
        self.head.build((None, width))
        self.gain = self._constant("gain", "ones")
        self.bias = self._constant("bias", "zeros")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in FIGURES}

    def _constant(self, name, initializer):
        return self.add_weight(
            (),
            initializer=initializer,
            trainable=False,
            dtype="float32",
            autocast=False,
            name=name,
        )

    @property
    def reads_as_written(self):
        """bool: whether a prompt and its completion are one text to the network."""
        return isinstance(self.network, LanguageNetwork)

    def default_loss(self):
        return None  # that of `compute_loss`

    @functools.wraps(keras.Model.compile)
    def compile(self, *args, **kwargs):
        super().compile(**compile_arguments(self, args, kwargs))

    def rows_read(self, inputs):
        tokens = inputs.get("tokens") if isinstance(inputs, dict) else inputs
        if len(np.shape(tokens)) != 3:
            return super().rows_read(inputs)
        return [Span("tokens", tokens, self.vocabulary_size)]

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        are_pairs = len(inputs["tokens"].shape) == 3
        read = {**inputs, "tokens_mask": _mask(inputs)}
        read = {key: read[key] for key in INPUTS if read.get(key) is not None}
        if are_pairs:
            read = {key: _side_by_side(value) for key, value in read.items()}
        hidden, mask = self.hidden(read)
        pooled = self.drop(self.network.pooled(hidden, mask))
        scores = self.head(ops.cast(pooled, "float32"))[:, 0]
        scores = scores * self.gain + self.bias
        return ops.reshape(scores, (-1, 2)) if are_pairs else scores

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if len(y_pred.shape) != 2:
            raise ValueError(
                "`tokens` must be pairs, ints of shape (batch, 2, length), to learn "
                f"from. Received: shape {tuple(x['tokens'].shape)}"
            )
        chosen, rejected = y_pred[:, 0], y_pred[:, 1]
        margin = chosen - rejected
        self._track(y_pred, margin)
        asked = ops.cast(x.get("margin", 0.0), "float32")
        loss = ops.softplus(asked - margin)
        loss = loss + self.centering * ops.square(chosen + rejected)
        return replicas.share(replicas.weighted_mean(loss, sample_weight))

    def _track(self, scores, margin):
        values = (
            ops.cast(margin > 0, "float32"),
            margin,
            scores,
            ops.min(scores),
            ops.max(scores),
        )
        for name, value in zip(FIGURES, values, strict=True):
            self.trackers[name].update_state(value)

    def loader(self, rows, batch_size=16, length=None, shuffle=True, seed=0):
        """Batches for `fit` of preferences.

        Args:
            rows: list, generator or data set of dicts of `prompt`, `chosen` and
                `rejected`, perhaps with a number `margin`; or the path object of a
                `.jsonl` file of them. See `keras_genai.data.preferences`.
            batch_size: int.
            length: int or `None` (the model's context). Tokens of prompt and completion
                at most; what is longer is cut at its end.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, or a row has other parts.
        """
        rows, length = conversations.rows(rows), length or self.context
        make = pair_arrays if self.reads_as_written else framed_pair_arrays
        arrays = make(self._need_tokenizer(), rows, length, self.turns)
        return in_batches(arrays, len(rows), batch_size, shuffle, seed)

    def score(self, prompts, completions, ended=True, batch_size=BATCH):
        """How good completions are.

        Args:
            prompts: str; or list of str, or of lists of messages.
            completions: str; or list of as many of the same kind.
            ended: bool, or sequence of bool: whether each one is whole, or was cut at
                a length and so has no end token. Encoders do not see it.
            batch_size: int. Texts that are read at once.

        Returns:
            float, or float32 array `(N,)`.

        Raises:
            ValueError: if the model has no tokenizer, or a prompt is too long.
        """
        if isinstance(prompts, str):
            return float(self.score([prompts], [completions], ended, batch_size)[0])
        prompts, completions = list(prompts), list(completions)
        tokenizer = self._need_tokenizer()
        given = tokenizer, prompts, completions, self.context
        if not self.reads_as_written:
            encodings = framed(*given, self.turns)
            return np.array(self._read(encodings, batch_size), "float32")
        rows, _ = encode_completions(*given, ended, self.turns, "prompts")
        return self.score_tokens(rows, batch_size)

    def score_tokens(self, rows, batch_size=BATCH):
        """How good texts are, as tokens.

        Args:
            rows: list of int arrays `(T_i,)`: prompts with their completions.
            batch_size: int. Texts that are read at once.

        Returns:
            float32 array `(N,)`.
        """
        order = np.argsort([-len(row) for row in rows], kind="stable")
        found = np.zeros(len(rows), "float32")
        pad = getattr(self.tokenizer, "pad_token", None) or 0
        for begin in range(0, len(rows), batch_size):
            chosen = order[begin : begin + batch_size]
            lengths = np.array([len(rows[index]) for index in chosen])
            length = min(bucket(lengths.max(), 16), self.context or lengths.max())
            mask = np.arange(length) < lengths[:, None]
            tokens = np.full(mask.shape, pad, "int32")
            tokens[mask] = np.concatenate([rows[index] for index in chosen])
            batch = {"tokens": tokens, "tokens_mask": mask}
            found[chosen] = self.predict_on_batch(batch)
        return found

    def normalize(self, prompts, completions, batch_size=BATCH):
        """Chooses zero and unit so that these have the mean 0 and the deviation 1.

        Args:
            prompts, completions, batch_size: see `score`; what a policy writes.

        Raises:
            ValueError: if all of them have one score.

        Reference: Stiennon et al. 2020, https://arxiv.org/abs/2009.01325
        """
        scores = self.score(list(prompts), list(completions), batch_size=batch_size)
        mean, deviation = float(np.mean(scores)), float(np.std(scores))
        if not deviation > 0:
            raise ValueError(
                "`completions` must be of different scores. Received: "
                f"{len(scores)} of {mean:g}"
            )
        self.gain.assign(self.gain / deviation)
        self.bias.assign((self.bias - mean) / deviation)


def _side_by_side(rows):
    """`(2 B, T)` of pairs of texts `(B, 2, T)`."""
    return ops.reshape(rows, (-1, rows.shape[-1] or ops.shape(rows)[-1]))


def _mask(inputs):
    """Where tokens are real, of the shape of the tokens; `None`: everywhere."""
    if inputs.get("completion_mask") is None:
        return inputs.get("tokens_mask")
    tokens, mask = inputs["tokens"], ops.cast(inputs["completion_mask"], "int32")
    lengths = ops.cast(inputs["prompt_lengths"], "int32")[:, None] + ops.sum(mask, -1)
    length = tokens.shape[-1] or ops.shape(tokens)[-1]
    return ops.arange(length)[None, None] < lengths[..., None]
